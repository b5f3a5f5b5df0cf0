"""Branches of the repository, each deployed beside a stack for as long as it is looked at."""
