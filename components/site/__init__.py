"""A site: its options, its image, and what it is in the cluster."""
