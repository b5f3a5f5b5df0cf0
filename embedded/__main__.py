"""What the scripts but ``script/test`` and ``script/lock`` run."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

from embedded.command_line import parsers
from embedded.errors import Failure

INTERRUPTED = 130
"""Exit code after Ctrl-C, as a shell has it for what SIGINT has ended."""


def main() -> int:
    """Run one command; returns the exit code: 0 done, 1 a failure that is explained, 2 a wrong command line."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        # As Ctrl-C: what has been started ends too.
        signal.signal(number, _interrupt)
    try:
        code = _run(*sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads has seen enough, as in `script/licences | head`. At its end Python would flush again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except Failure as failure:
        explain(failure)
        return 1
    except PermissionError as error:
        if os.geteuid() == 0:
            raise
        # Of a cluster that root has started, an ordinary user reads nothing.
        fix = f"run `sudo script/{sys.argv[1]}`"
        explain(Failure(f"{error.filename} can't be read: it is another user's", fix))
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; what is done stays, script/up goes on from there\n")
        return INTERRUPTED
    return code


def _run(script: str, *words: str) -> int:
    parser = parsers()[script]
    arguments = parser.parse_args(words)
    # Each command is imported when it runs: `script/env` is in people's shell profiles.
    if script == "env":
        from embedded.commands import env

        return env.run()
    if script == "completion":
        from embedded.commands import completion

        return completion.run(arguments.shell)
    if script == "licences":
        from embedded.commands import licences

        return licences.run(as_json=arguments.json)
    if script == "up" and arguments.status:
        from embedded.commands import status

        return status.show(arguments.stack)
    if script == "up":
        if arguments.stack:
            parser.error("--stack goes with --status: `pulumi up` deploys a stack of yours")
        from embedded.commands import up

        return up.run(cluster_only=arguments.cluster_only, pulumi_arguments=arguments.pulumi)
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if script == "down":
        from embedded.commands import down

        return down.run(console, purge=arguments.purge, keep=arguments.keep)
    from embedded.commands import backup

    run = backup.write if script == "backup" else backup.restore
    return run(console, Path(arguments.base, arguments.file).absolute())


def explain(failure: Failure) -> None:
    """Print what is wrong first, then what to do, and where the details are last."""
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(Text("error: ", "bold red") + Text(failure.cause))
    console.print(Text("  fix: ", "bold") + Text(failure.fix))
    if failure.log:
        console.print(Text("  log: ", "bold") + Text(str(failure.log)))


def _interrupt(number: int, _: object) -> NoReturn:
    # With the signal: unlike Ctrl-C it hasn't reached what has been started.
    raise KeyboardInterrupt(number)


if __name__ == "__main__":
    sys.exit(main())
