"""The commands of the embedded default, a module each."""
