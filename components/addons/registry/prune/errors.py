"""What ends a run."""


class PruneError(Exception):
    """Nothing was deleted; the text is meant for the user."""
