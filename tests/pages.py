"""What the pages for users tell people to run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
README = PROJECT / "README.md"
DOCS = tuple(sorted((PROJECT / "docs").glob("*.md")))
"""All pages that the README links to."""

_FACTS = frozenset({"bench.md", "cis.md", "pod-security.md"})
"""Those that say what was measured or checked, and by which program; they tell no user to run anything."""

PAGES = (README, *(page for page in DOCS if page.name not in _FACTS))

PROGRAMS = frozenset(
    {
        *("apt-get", "cp", "curl", "docker", "eval", "git", "go", "npm", "openssl", "pip", "python3", "sudo", "uv"),
        *("certutil", "helm", "kubectl", "pulumi", "trust"),
        *("aws", "az", "gcloud", "k3s", "kind", "microk8s"),
    }
)
"""What a command in the middle of a text begins with, besides the scripts and the programs of ``.venv``."""

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def scripts(text: str) -> list[str]:
    """Return the blocks of shell commands.

    Raises:
        ValueError: There is a block of something else, in which commands might be missed.
    """
    blocks = [(match[1], match[2]) for match in _BLOCK.finditer(text)]
    if other := [language for language, _ in blocks if language != "sh"]:
        raise ValueError(f"blocks of {other}; expected: sh only")
    return [block for _, block in blocks]


def commands(text: str) -> list[str]:
    """Return each command in the text once: those of the blocks, and those in backquotes."""
    found = [command for block in scripts(text) for command in _of_block(block)]
    spans = re.findall(r"`([^`\n]+)`", _BLOCK.sub("", text))
    return list(dict.fromkeys([*found, *filter(is_command, spans)]))


def is_command(span: str) -> bool:
    """Whether what stands in backquotes is to be run, rather than the name of a program or a part of a command."""
    words = [word for word in span.split() if not re.match(r"[A-Z0-9_]+=", word)]
    if not words or "…" in span:
        return False
    own = words[0].startswith((".venv/bin/", "script/"))
    return own or (words[0] in PROGRAMS and len(words) > 1)


def _of_block(block: str) -> Iterator[str]:
    """Yield the commands of a script, each with its continued lines, and with what it is given by a here document."""
    lines = iter(block.splitlines())
    for line in lines:
        command = line
        while command.endswith("\\"):
            command = command[:-1].rstrip() + " " + next(lines).strip()
        if end := re.search(r"<<(\w+)", command):
            while not command.endswith(f"\n{end[1]}"):
                command += "\n" + next(lines)
        yield command


def label(command: str) -> str:
    """Return a command as ``tests/page_commands.py`` names it: of a here document only the kind of the object."""
    first, here, rest = command.partition("\n")
    kind = re.search(r"^kind: (\w+)", rest, re.MULTILINE)
    return f"{first}: {kind[1]}" if here and kind else command


def script_with(name: str, part: str) -> str:
    """Return the only script of a page that has ``part`` in it."""
    [script] = [script for script in scripts((PROJECT / name).read_text()) if part in script]
    return script
