"""Pulumi's TLS plugin for where the official one can't be had: keys, certificate requests and certificates."""
