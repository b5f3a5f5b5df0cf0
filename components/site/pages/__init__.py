"""The server of a folder of pages that has no Dockerfile: what its image is built with."""
