"""Conformance tests that are known to fail here."""

_NAMES = (
    "Debian's BusyBox 1.35 in place of upstream's 1.37: its shell passes on no variable whose name it couldn't have"
)

KNOWN: dict[str, str] = {
    "should be consumable via the environment": _NAMES,
    "should be consumable as environment variable names": _NAMES,
    "ImageVolume should succeed": "the test looks for Alpine's name in the image, and ours isn't made of Alpine",
}
"""Why a test does, by a part of its name."""
