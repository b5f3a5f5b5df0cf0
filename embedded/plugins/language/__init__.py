"""Pulumi's language host for Python: the engine runs programs with it where the official one can't be had."""
