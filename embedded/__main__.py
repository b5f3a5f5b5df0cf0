"""The command line of the embedded default: what the scripts but ``script/test`` run."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.text import Text

from embedded.errors import Failure


def main() -> int:
    """Run one command; returns the exit code: 0 done, 1 a failure that is explained, 2 a wrong command line."""
    parser = _parser()
    arguments = parser.parse_args()
    if arguments.command == "up" and arguments.stack and not arguments.status:
        parser.error("--stack goes with --status: `pulumi up` deploys a stack of yours")
    for number in (signal.SIGTERM, signal.SIGHUP):
        # As Ctrl-C: what has been started ends too.
        signal.signal(number, _interrupt)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        # Each command is imported when it runs: `script/env` is in people's shell profiles.
        if arguments.command == "env":
            from embedded.commands import env

            return env.run()
        if arguments.command == "down":
            from embedded.commands import down

            return down.run(console, purge=arguments.purge, keep=arguments.keep)
        if arguments.command == "licences":
            from embedded.commands import licences

            return licences.run(as_json=arguments.json)
        if arguments.command in ("backup", "restore"):
            from embedded.commands import backup

            run = backup.write if arguments.command == "backup" else backup.restore
            return run(console, Path(arguments.base, arguments.file).absolute())
        if arguments.status:
            from embedded.commands import status

            return status.show(arguments.stack)
        from embedded.commands import up

        return up.run(cluster_only=arguments.cluster_only, pulumi_arguments=arguments.pulumi)
    except Failure as failure:
        console.print(Text("error: ", "bold red") + Text(failure.cause))
        console.print(Text("  fix: ", "bold") + Text(failure.fix))
        if failure.log:
            console.print(Text("  log: ", "bold") + Text(str(failure.log)))
        return 1
    except KeyboardInterrupt:
        console.print("interrupted; what is done stays, script/up goes on from there")
        return 130


def _interrupt(number: int, _: object) -> NoReturn:
    # With the signal: unlike Ctrl-C it hasn't reached what has been started.
    raise KeyboardInterrupt(number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="embedded", description="The embedded default.")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser(
        "up",
        prog="script/up",
        description="Puts the website on this machine: builds the toolchain (once), starts the embedded cluster, runs "
        "`pulumi up` of the dev stack, and prints the URLs. Run it again at any time: it does only what is missing.",
        epilog="exit codes: 0 done, 1 failed (the reason is printed), 3 not healthy (--status), 130 interrupted",
    )
    up.add_argument(
        "--status",
        action="store_true",
        help="show what runs, and why something isn't healthy; change nothing",
    )
    up.add_argument(
        "--stack",
        metavar="NAME",
        help="with --status: a stack of yours, on its own cluster (default: that of the embedded cluster)",
    )
    up.add_argument("--cluster-only", action="store_true", help="start the cluster, but don't run `pulumi up`")
    up.add_argument("pulumi", nargs="*", metavar="-- PULUMI_OPTION", help="options for `pulumi up`, as -- --diff")
    down = commands.add_parser(
        "down",
        prog="script/down",
        description="Undoes script/up: `pulumi destroy` of the dev stack, then stops the cluster. No process, mount, "
        "interface or firewall rule is left.",
        epilog="exit codes: 0 done, 1 failed (the reason is printed), 130 interrupted",
    )
    either = down.add_mutually_exclusive_group()
    either.add_argument("--purge", action="store_true", help="also remove all data of the cluster and the stack")
    either.add_argument("--keep", action="store_true", help="only stop the cluster: the site is back with script/up")
    backup = commands.add_parser(
        "backup",
        prog="script/backup",
        description="Writes all that the cluster and the stack can't be made again without into one file: etcd's data "
        "with its key, certificates, volumes, and Pulumi's state with its passphrase. The sites go on being served; "
        "the API server doesn't answer for some seconds. Volumes are copied as they are at that time.",
        epilog="exit codes: 0 done, 1 failed (the reason is printed); the file is there only when it is whole",
    )
    restore = commands.add_parser(
        "restore",
        prog="script/restore",
        description="Puts back what script/backup has written, into a checkout that has no cluster (script/down "
        "--purge removes it). script/up then starts it.",
        epilog="exit codes: 0 done, 1 failed (the reason is printed); nothing is changed then",
    )
    for command in (backup, restore):
        command.add_argument("file", metavar="FILE", help="a .tar.gz file")
        # The scripts change the folder.
        command.add_argument("--from", dest="base", default=".", help=argparse.SUPPRESS)
    commands.add_parser(
        "env",
        prog="script/env",
        description='Prints `export` lines, so that plain pulumi, kubectl and docker work: eval "$(script/env)"',
    )
    licences = commands.add_parser(
        "licences",
        prog="script/licences",
        description="Lists everything that script/up has installed, linked or put into images: version and licence.",
        epilog="exit codes: 0 all licences are known, 1 some aren't, or nothing has been built",
    )
    licences.add_argument("--json", action="store_true", help="as JSON, for programs")
    return parser


if __name__ == "__main__":
    sys.exit(main())
