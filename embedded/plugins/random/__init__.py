"""Pulumi's random plugin for where the official one can't be had: passwords, and a clear no to everything else."""
