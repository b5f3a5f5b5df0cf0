"""What the resource plugins share; each archive has a copy of it."""
