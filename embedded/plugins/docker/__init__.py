"""Pulumi's Docker plugin for where the official one can't be had: `docker.Image`, and a clear no to everything else."""
