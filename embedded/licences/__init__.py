"""The licences of everything that the embedded default installs, links or puts into images."""

from __future__ import annotations

import re
from dataclasses import dataclass

UNKNOWN = "unknown"


@dataclass(frozen=True, order=True)
class Part:
    """Something that is shipped."""

    kind: str
    """Where it comes from: ``PyPI``, ``Go module``, ``npm``, ``Debian``."""
    name: str
    version: str
    licence: str
    """As SPDX calls it, where that is known; else :data:`UNKNOWN`."""
    used: str
    """By what: a program, an image, the set-up."""


# Of the copyleft licences the titles are looked at: their texts speak of each other.
_TITLES = (
    (r"gnu affero general public license\s+version 3", "AGPL-3.0"),
    (r"gnu lesser general public license\s+version 3", "LGPL-3.0"),
    (r"gnu lesser general public license\s+version 2\.1", "LGPL-2.1"),
    (r"gnu general public license\s+version 3", "GPL-3.0"),
    (r"gnu general public license\s+version 2", "GPL-2.0"),
    (r"mozilla public license,?\s+version 2\.0", "MPL-2.0"),
)
_TITLE = 400
"""Characters in which a title is."""

_PHRASES = (
    (r"apache license,? version 2\.0", "Apache-2.0"),
    (r"permission is hereby granted, free of charge, to any person obtaining", "MIT"),
    (r"redistribution and use in source and binary forms.*neither the names? ", "BSD-3-Clause"),
    (r"permission to use, copy, modify,? (and or|and) distribute this software", "ISC"),
    (r"this is free and unencumbered software", "Unlicense"),
    (r"cc0 1\.0 universal", "CC0-1.0"),
    (r"creative commons attribution 4\.0", "CC-BY-4.0"),
)


def recognized(text: str) -> str:
    """Return the licences whose texts are in a licence file, by their names in SPDX; :data:`UNKNOWN` for none."""
    words = re.sub(r"[\s*/#]+", " ", text.lower())
    for pattern, name in _TITLES:
        if re.search(pattern, words[:_TITLE]):
            return name
    found = [name for pattern, name in _PHRASES if re.search(pattern, words)]
    if "redistribution and use in source and binary forms" in words and "BSD-3-Clause" not in found:
        found.append("BSD-2-Clause")
    return " AND ".join(found) or UNKNOWN


_SPELLINGS = {
    "3-clause bsd license": "BSD-3-Clause",
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd 2-clause license": "BSD-2-Clause",
    "bsd license": "BSD-3-Clause",
    "gpl-3": "GPL-3.0",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
}
"""What packages say, in lower case, and what SPDX calls it."""


def spelt(given: str) -> str:
    """Return what a package says of its licence, in SPDX' spelling where it has another one."""
    line = given.strip().splitlines()[0] if given.strip() else UNKNOWN
    return _SPELLINGS.get(line.lower(), line)
