"""``script/completion``: what a shell needs to complete the options of the scripts."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

import shtab

from embedded import command_line

FILES = {"bash": "_shtab_compgen_files", "zsh": "_files"}


def run(shell: str) -> int:
    """Print it, for the scripts as they are called in the project's folder: ``script/up`` or ``./script/up``."""
    for parser in _parsers():
        for action in parser._actions:
            if action.metavar == "FILE":
                action.complete = FILES  # type: ignore[attr-defined] # where shtab looks for it
            elif not action.option_strings and not action.choices:
                # Pulumi's options: zsh would offer its description of them in place of ours.
                action.help = argparse.SUPPRESS
        sys.stdout.write(f"{shtab.complete(parser, shell)}\n")
        sys.stdout.write(_also_below(parser.prog, shell))
    return 0


def _parsers() -> Iterator[argparse.ArgumentParser]:
    yield from command_line.parsers().values()
    # Modules of their own: the one runs where the embedded default isn't, the other is for who works on all this.
    from bench.command_line import parser as of_bench
    from tests.__main__ import parser as of_test

    yield of_bench()
    yield of_test()


def _also_below(prog: str, shell: str) -> str:
    """Return what completes a script in the same way where it is called as ``./script/up``."""
    function = f"_shtab_{prog.replace('/', '_')}"
    if shell == "zsh":  # which looks for the whole path then
        return f"compdef -p {function} '*/{prog}'\n"
    return f"complete -o bashdefault -F {function} ./{prog}\n"
