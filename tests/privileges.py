"""What root may do and others mayn't."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

NOBODY = 65534


@contextmanager
def anybody() -> Iterator[None]:
    """Without the right to read everything, which root has, for the length of a block."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
