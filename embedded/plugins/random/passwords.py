"""Passwords: how they are made, and their hashes."""

import secrets
import string
from collections.abc import Iterable

import bcrypt

SPECIAL = "!@#$%&*()-_=+[]{}<>:?"
"""The special characters, if no others are given."""

HASH_COST = 10
"""Of bcrypt; what Go, with the official plugin, takes unless told otherwise."""

MAX_HASHED = 72
"""Bytes of a password that bcrypt can hash; what follows doesn't count, as documented."""


def alphabets(special: str = "") -> dict[str, str]:
    """The characters of passwords, by the inputs that choose them; ``special`` ones in place of the usual, if any."""
    return {
        "upper": string.ascii_uppercase,
        "lower": string.ascii_lowercase,
        "numeric": string.digits,
        "special": special or SPECIAL,
    }


def generate(length: int, chosen: str, least: Iterable[tuple[str, int]]) -> str:
    """Make a password.

    Args:
        length: Characters in all; at least as many as ``least`` asks for.
        chosen: The characters that it may have; needn't be any if ``least`` asks for ``length``.
        least: Alphabets, and how many characters of each there are to be at least.
    """
    characters = [secrets.choice(alphabet) for alphabet, count in least for _ in range(count)]
    characters += [secrets.choice(chosen) for _ in range(length - len(characters))]
    secrets.SystemRandom().shuffle(characters)
    return "".join(characters)


def bcrypt_hash(password: str) -> str:
    """A hash of ``password``, each time another, in the notation of Go (``$2a$``)."""
    return bcrypt.hashpw(password.encode()[:MAX_HASHED], bcrypt.gensalt(HASH_COST, prefix=b"2a")).decode()
