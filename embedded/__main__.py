"""What the scripts but ``script/test`` and ``script/lock`` run."""

from __future__ import annotations

import sys

from embedded import interruption

GOES_ON = {
    "up": "interrupted; what is done stays, script/up goes on from there",
    "down": "interrupted; what is done stays, script/down goes on from there",
    "backup": "interrupted; there is no backup, run script/backup again",
    "restore": "interrupted; nothing was changed, run script/restore again",
    "drift": "interrupted; run script/drift again",
    "serve-git": "interrupted; what is done stays, push again to go on",
    "preview-site": "interrupted; what is half done is finished or removed by the next script/preview-site",
    "dev": "ended; the cluster is as it was",
    "rollback": "interrupted; the release stays in the configuration, `pulumi up` goes on",
    "promote": "interrupted; run script/promote again",
    "abort": "interrupted; the release stays in the configuration, `pulumi up` goes on",
}
"""What a script says in the end when it was interrupted."""

if __name__ == "__main__":
    # Before the rest is imported: until then a Ctrl-C would end in a traceback.
    interruption.listen(GOES_ON.get(sys.argv[1], "interrupted"), at_once=True)

import os  # noqa: E402
import signal  # noqa: E402
from pathlib import Path  # noqa: E402

from embedded.command_line import parsers  # noqa: E402
from embedded.errors import Failure  # noqa: E402


def main() -> int:
    """Run one command; returns the exit code: 0 done, 1 a failure that is explained, 2 a wrong command line."""
    try:
        interruption.listen(GOES_ON.get(sys.argv[1], "interrupted"))
        code = _explained()
    except KeyboardInterrupt:
        code = interruption.CODE
    except Exception:
        # Who is interrupted may fail in any way.
        if not interruption.happened():
            raise
        code = interruption.CODE
    interruption.finish()
    if interruption.happened():
        code = interruption.CODE
    if code == interruption.CODE:
        sys.stderr.write(f"{interruption.words()}\n")
    return code


def _explained() -> int:
    try:
        code = _run(*sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads has seen enough, as in `script/licences | head`. At its end Python would flush again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except Failure as failure:
        if not interruption.happened():  # else it is no wonder: Ctrl-C has ended what was started, too
            explain(failure)
        return 1
    except PermissionError as error:
        if os.geteuid() == 0:
            raise
        # Of a cluster that root has started, an ordinary user reads nothing.
        fix = f"run `sudo script/{sys.argv[1]}`"
        explain(Failure(f"{error.filename} can't be read: it is another user's", fix))
        return 1
    return code


def _run(script: str, *words: str) -> int:
    parser = parsers()[script]
    arguments = parser.parse_args(words)
    # Each command is imported when it runs: `script/env` is in people's shell profiles.
    if script == "env":
        from embedded.commands import env

        return env.run()
    if script == "logs":
        from embedded.commands import logs

        return logs.show(
            arguments.site,
            stack=arguments.stack,
            since=arguments.since,
            tail=arguments.tail,
            follow=arguments.follow,
        )
    if script in ("releases", "rollback"):
        from embedded.commands import releases

        if script == "releases" and arguments.prune:
            from embedded.commands import pruning

            if arguments.sites or arguments.json:
                parser.error("--prune goes without SITE and --json")
            return pruning.run(stack=arguments.stack)
        if script == "releases":
            return releases.show(arguments.sites, stack=arguments.stack, as_json=arguments.json)
        if arguments.undo and arguments.release:
            parser.error("RELEASE goes without --undo")
        return releases.roll_back(arguments.site, arguments.release, stack=arguments.stack, undo=arguments.undo)
    if script in ("promote", "abort"):
        from embedded.commands import canary

        end = canary.promote if script == "promote" else canary.abort
        return end(arguments.site, stack=arguments.stack)
    if script == "drift":
        from embedded.commands import drift

        return drift.run(
            stack=arguments.stack, repair=arguments.repair, notify=arguments.notify, as_json=arguments.json
        )
    if script == "serve-git":
        from embedded.commands import serve_git

        path = Path(arguments.base, arguments.path).absolute()
        if arguments.receive:
            return serve_git.receive(path, sys.stdin, branch=arguments.branch, stack=arguments.stack)
        return serve_git.make(path, branch=arguments.branch, stack=arguments.stack)
    if script == "preview-site":
        from embedded.commands import preview_site

        if arguments.json and not arguments.list:
            parser.error("--json goes with --list")
        if arguments.list:
            return preview_site.show(stack=arguments.stack, as_json=arguments.json)
        if arguments.prune:
            return preview_site.prune(stack=arguments.stack)
        if arguments.remove:
            return preview_site.remove(arguments.remove, stack=arguments.stack)
        if not arguments.branch:
            parser.error("BRANCH, --list, --remove or --prune is needed")
        return preview_site.make(
            arguments.branch,
            stack=arguments.stack,
            limits=preview_site.Limits(arguments.expires, arguments.at_most),
            wanted=arguments.secrets,
            unconfined=arguments.egress,
        )
    if script == "dev":
        from embedded.commands import dev

        return dev.edit(arguments.site, stack=arguments.stack)
    if script == "completion":
        from embedded.commands import completion

        return completion.run(arguments.shell)
    if script == "licences":
        from embedded.commands import licences

        return licences.run(as_json=arguments.json)
    if script == "up" and arguments.status:
        if arguments.nodes:
            parser.error("--nodes goes without --status, which changes nothing")
        from embedded.commands import status

        return status.show(arguments.stack)
    if script == "up":
        if arguments.stack:
            parser.error("--stack goes with --status: `pulumi up` deploys a stack of yours")
        from embedded.commands import up

        return up.run(cluster_only=arguments.cluster_only, nodes=arguments.nodes, pulumi_arguments=arguments.pulumi)
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


if __name__ == "__main__":
    exit_code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads may still wait for what nobody wants any more; and while an interpreter is taken apart, nothing is heeded.
    os._exit(exit_code)
