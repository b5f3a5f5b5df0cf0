"""Pulumi plugins for machines that can't download the official ones, and their installer."""
