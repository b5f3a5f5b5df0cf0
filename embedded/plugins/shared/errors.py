"""What goes wrong and can be put right."""


class PluginError(Exception):
    """An error whose text is all that a user is to see: what is wrong, where, and what to do about it."""
