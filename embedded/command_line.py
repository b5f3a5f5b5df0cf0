"""What the scripts but ``script/test`` and ``script/lock`` take."""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from datetime import timedelta
from typing import NoReturn
from urllib.parse import urlsplit

FAILED = "1 failed (the reason is printed)"
INTERRUPTED = "130 interrupted"
WRONG_USAGE = 64
"""Exit code for it where 2 has another meaning: EX_USAGE of sysexits.h."""

EXAMPLES = {
    "up": {
        "script/up": "everything; again after a change",
        "script/up -- --diff": "with options of `pulumi up`",
        "script/up --status": "what runs, and why something isn't healthy",
        "script/up --cluster-only": "an empty cluster, for pulumi and kubectl of yours",
        "script/up --nodes 3": "three nodes from now on; --nodes 1 goes back",
    },
    "down": {
        "script/down --keep": "stop; script/up goes on",
        "script/down --purge": "as if it had never been there",
    },
    "backup": {"script/backup ~/inspiration.tar.gz": ""},
    "restore": {"script/restore ~/inspiration.tar.gz && script/up": ""},
    "env": {'eval "$(script/env)" && kubectl get pods -A': ""},
    "logs": {
        "script/logs inspiration": "of the last hour",
        "script/logs inspiration -f --since 10m": "and what comes",
    },
    "releases": {
        "script/releases inspiration": "",
        "script/releases --json": "of all sites, for programs",
        "script/releases --prune": "tonight's clean-up at once",
    },
    "rollback": {
        "script/rollback inspiration": "to the release before",
        "script/rollback inspiration 478fb10fef3f": "to another one",
        "script/rollback inspiration --undo": "what the folder says again",
    },
    "promote": {"script/promote inspiration": "its canary for everybody"},
    "abort": {"script/abort inspiration": "its canary for nobody"},
    "drift": {
        "script/drift": "what was changed by hand",
        "script/drift --notify https://example.com/hook": "from cron",
        "script/drift --repair": "as declared again",
    },
    "preview-site": {
        "script/preview-site feature/login": "the branch's last commit, beside what runs",
        "script/preview-site --list": "",
        "script/preview-site --remove feature/login": "",
    },
    "serve-git": {"script/serve-git ~/site.git && git remote add deploy ~/site.git && git push deploy main": ""},
    "dev": {
        "script/dev": "where there is one site",
        "script/dev inspiration": "at http://dev.inspiration.localhost/",
    },
    "completion": {
        'eval "$(script/completion bash)"': "in ~/.bashrc, after cd to this folder",
        'eval "$(script/completion zsh)"': "in ~/.zshrc, after compinit",
    },
    "licences": {"script/licences --json | jq -r '.[].licence' | sort | uniq -c": ""},
}
"""Commands that the help shows, each with what it does where the script doesn't say so."""


def parsers() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each of these scripts, by its name."""
    up = _parser(
        "up",
        "Puts the website on this machine: builds the toolchain (once), starts the embedded cluster, runs `pulumi up` "
        "of the dev stack, and prints the URLs. Run it again at any time: it does only what is missing.",
        f"0 done, {FAILED}, 2 wrong usage, 3 not healthy (--status), {INTERRUPTED}",
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
    up.add_argument(
        "--nodes",
        metavar="N",
        type=_nodes,
        help="how many nodes the cluster is to have from now on, 1 to 9 (default: as many as it has, at first 1)",
    )
    up.add_argument("pulumi", nargs="*", metavar="-- PULUMI_OPTION", help="options for `pulumi up`, as -- --diff")
    down = _parser(
        "down",
        "Undoes script/up: `pulumi destroy` of the dev stack, then stops the cluster. No process, mount, interface or "
        "firewall rule is left.",
        f"0 done, {FAILED}, 2 wrong usage, {INTERRUPTED}",
    )
    either = down.add_mutually_exclusive_group()
    either.add_argument("--purge", action="store_true", help="also remove all data of the cluster and the stack")
    either.add_argument("--keep", action="store_true", help="only stop the cluster: the site is back with script/up")
    backup = _parser(
        "backup",
        "Writes all that the cluster and the stack can't be made again without into one file: etcd's data with its "
        "key, certificates, volumes, and Pulumi's state with its passphrase. The sites go on being served; the API "
        "server doesn't answer for some seconds. Volumes are copied as they are at that time.",
        f"0 done, {FAILED}, 2 wrong usage, {INTERRUPTED}; the file is there only when it is whole",
    )
    restore = _parser(
        "restore",
        "Puts back what script/backup has written, into a checkout that has no cluster (script/down --purge removes "
        "it). script/up then starts it.",
        f"0 done, {FAILED}, 2 wrong usage, {INTERRUPTED}; nothing is changed unless it is done",
    )
    for command in (backup, restore):
        command.add_argument("file", metavar="FILE", help="a .tar.gz file")
        # The scripts change the folder.
        command.add_argument("--from", dest="base", default=".", help=argparse.SUPPRESS)
    env = _parser(
        "env",
        "Prints `export` lines, so that plain pulumi, kubectl and docker work.",
        "0 done, 1 script/up hasn't run yet, 2 wrong usage",
    )
    logs = _parser(
        "logs",
        "Prints what the pods of a site have written, and those of its jobs: merged in order of time, each line after "
        "the name of its pod. With the addon `logs` that includes pods that are gone.",
        f"0 done, {FAILED}, 2 wrong usage, {INTERRUPTED}",
    )
    logs.add_argument("site", metavar="SITE", help="name of the site")
    logs.add_argument("-f", "--follow", action="store_true", help="go on with the lines that come, until Ctrl-C")
    logs.add_argument(
        "--since",
        metavar="DURATION",
        type=_duration,
        default="1h",
        help="how far back: 30s, 10m, 2d (default: 1h)",
    )
    logs.add_argument("--tail", metavar="N", type=_count, help="only the last N of these lines")
    logs.add_argument("--stack", metavar="NAME", help="a stack of yours (default: that of the embedded cluster)")
    releases = _parser(
        "releases",
        "Lists the last ten releases of sites, newest first, as the cluster knows them: the digest of the image, when "
        "it was first deployed, the hash of what it was built from, and git's commit of that. What runs has a star.",
        f"0 done, {FAILED}, 2 wrong usage",
    )
    releases.add_argument(
        "--prune",
        action="store_true",
        help="delete old releases from the cluster's registry now: all but those in use, and the last "
        "addons.registry.keep of each site",
    )
    releases.add_argument("sites", nargs="*", metavar="SITE", help="name of a site (default: all)")
    releases.add_argument("--json", action="store_true", help="as JSON, for programs")
    releases.add_argument("--stack", metavar="NAME", help="a stack of yours (default: that of the embedded cluster)")
    rollback = _parser(
        "rollback",
        "Has a site run an earlier release: writes its digest into the stack's configuration (sites[…].release), and "
        "runs `pulumi up`. Nothing is built. Environment and options stay as they are now.",
        f"0 done, {FAILED}, 2 wrong usage, {INTERRUPTED}",
    )
    rollback.add_argument("site", metavar="SITE", help="name of the site")
    rollback.add_argument(
        "release", nargs="?", metavar="RELEASE", help="how its digest begins (default: the one before what runs)"
    )
    rollback.add_argument("--undo", action="store_true", help="run what the folder says again")
    rollback.add_argument("--stack", metavar="NAME", help="a stack of yours (default: that of the embedded cluster)")
    promote = _parser(
        "promote",
        "Ends the trial of a site's new version, which gets sites[…].canary percent of the requests: it gets all of "
        "them from now on. Runs `pulumi up`.",
        f"0 done, {FAILED}, 2 wrong usage, {INTERRUPTED}",
    )
    abort = _parser(
        "abort",
        "Ends the trial of a site's new version, which gets sites[…].canary percent of the requests: the one from "
        "before gets all of them from now on, whatever the folder says (sites[…].release), until script/rollback SITE "
        "--undo. Runs `pulumi up`.",
        f"0 done, {FAILED}, 2 wrong usage, {INTERRUPTED}",
    )
    for ends in (promote, abort):
        ends.add_argument("site", metavar="SITE", help="name of the site")
        ends.add_argument("--stack", metavar="NAME", help="a stack of yours (default: that of the embedded cluster)")
    drift = _parser(
        "drift",
        "Tells what is otherwise in the cluster than declared: fields that somebody has changed by hand, and objects "
        "that are gone. What isn't deployed yet is said, too, and is no drift. Nothing is changed unless --repair.",
        f"0 none, or repaired, {FAILED}, 2 there is some, {WRONG_USAGE} wrong usage, {INTERRUPTED}",
        WRONG_USAGE,
    )
    drift.add_argument("--repair", action="store_true", help="if there is some, run `pulumi up --refresh`")
    drift.add_argument(
        "--notify", metavar="URL", type=_url, help="if there is some, post what --json prints to this http or https URL"
    )
    drift.add_argument("--json", action="store_true", help="as JSON, for programs")
    drift.add_argument("--stack", metavar="NAME", help="a stack of yours (default: that of the embedded cluster)")
    serve_git = _parser(
        "serve-git",
        "Makes a bare git repository that deploys: a push of the branch is built, previewed, checked by the policies "
        "and deployed, and what isn't ready is refused and put back. Everything else of a push is only kept.",
        f"0 done, {FAILED}, 2 wrong usage, {INTERRUPTED}",
    )
    serve_git.add_argument("path", metavar="PATH", help="folder of the repository, new or made by this before")
    serve_git.add_argument("--branch", metavar="NAME", default="main", help="the one to deploy (default: main)")
    serve_git.add_argument("--stack", metavar="NAME", help="a stack of yours (default: that of the embedded cluster)")
    # What the hook of the repository runs.
    serve_git.add_argument("--receive", action="store_true", help=argparse.SUPPRESS)
    serve_git.add_argument("--from", dest="base", default=".", help=argparse.SUPPRESS)
    preview_site = _parser(
        "preview-site",
        "Deploys the last commit of a branch beside what runs: its own program and sites, in a stack with namespaces, "
        "hosts (BRANCH.HOST) and images of its own, one pod a site, without addons, databases, jobs and secrets. Run "
        "it again after a commit. Each call removes what has expired, whose branch is gone, and what was half done.",
        f"0 done, {FAILED}, 2 wrong usage, {INTERRUPTED}",
    )
    either = preview_site.add_mutually_exclusive_group()
    either.add_argument("branch", nargs="?", metavar="BRANCH", help="name of the branch, as feature or origin/feature")
    either.add_argument("--list", action="store_true", help="show which branches are deployed")
    either.add_argument("--remove", metavar="BRANCH", help="remove a branch's stack and all that is its own")
    either.add_argument("--prune", action="store_true", help="only remove what every call removes, as from cron")
    preview_site.add_argument("--json", action="store_true", help="with --list: as JSON, for programs")
    preview_site.add_argument(
        "--secrets", metavar="NAMES", type=_names, default=(), help="variables of secretEnv that it gets, as A,B"
    )
    preview_site.add_argument(
        "--egress", action="store_true", help="let its sites connect to the address ranges that their egress names"
    )
    preview_site.add_argument(
        "--expires",
        metavar="DURATION",
        type=_duration,
        default="3d",
        help="how long it is kept from now on: 12h, 3d (default: 3d)",
    )
    preview_site.add_argument(
        "--at-most", metavar="N", type=_count, default=5, help="how many branches there may be (default: 5)"
    )
    preview_site.add_argument(
        "--stack", metavar="NAME", help="the stack beside which it is (default: that of the embedded cluster)"
    )
    dev = _parser(
        "dev",
        "Serves a site as its folder is, beside the site itself: http://dev.HOST/ shows each file as soon as it is "
        "saved, by the server that deployed pages have, and the browser's tab reloads by itself. A folder with a "
        "Dockerfile is built and replaced instead. Mistakes are told here and on the page. Ctrl-C ends it, and the "
        "cluster is as it was; `pulumi up` deploys what was seen.",
        f"0 done, {FAILED}, 2 wrong usage, {INTERRUPTED}, which is how it ends",
    )
    dev.add_argument("site", nargs="?", metavar="SITE", help="name of the site (default: the only one with a folder)")
    dev.add_argument("--stack", metavar="NAME", help="a stack of yours (default: that of the embedded cluster)")
    completion = _parser(
        "completion",
        "Prints what makes Tab complete the options of the scripts, while the working directory is this project.",
        "0 done, 2 wrong usage",
    )
    completion.add_argument("shell", choices=("bash", "zsh"), help="the shell that is to evaluate it")
    licences = _parser(
        "licences",
        "Lists everything that script/up has installed, linked or put into images: version and licence.",
        "0 all licences are known, 1 some aren't, or nothing has been built, 2 wrong usage",
    )
    licences.add_argument("--json", action="store_true", help="as JSON, for programs")
    return {
        "up": up,
        "down": down,
        "backup": backup,
        "restore": restore,
        "env": env,
        "logs": logs,
        "releases": releases,
        "rollback": rollback,
        "promote": promote,
        "abort": abort,
        "drift": drift,
        "serve-git": serve_git,
        "preview-site": preview_site,
        "dev": dev,
        "completion": completion,
        "licences": licences,
    }


_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_DURATION = re.compile("".join(rf"(?:(?P<{unit}>\d{{1,5}}){letter})?" for letter, unit in _UNITS.items()))


def _duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text)
    if not text or match is None:
        raise argparse.ArgumentTypeError(f"'{text}' given; allowed: numbers with d, h, m or s, as 30s, 2d or 1h30m")
    return timedelta(**{unit: int(number) for unit, number in match.groupdict(0).items()})


def _count(text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"'{text}' given; allowed: a whole number from 0 on")
    return int(text)


def _nodes(text: str) -> int:
    if not re.fullmatch("[1-9]", text):
        raise argparse.ArgumentTypeError(f"'{text}' given; allowed: a whole number from 1 to 9")
    return int(text)


def _names(text: str) -> list[str]:
    return list(filter(None, text.split(",")))


def _url(text: str) -> str:
    url = urlsplit(text)
    if url.scheme not in ("http", "https") or not url.hostname:
        # Not repeated: it may hold a token.
        raise argparse.ArgumentTypeError("it isn't a URL that begins with http:// or https:// and a host")
    return text


class _Parser(argparse.ArgumentParser):
    """One whose exit code for wrong usage is chosen."""

    wrong_usage = 2

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(self.wrong_usage, f"{self.prog}: error: {message}\n")


def _parser(name: str, description: str, codes: str, wrong_usage: int = 2) -> argparse.ArgumentParser:
    """Make the parser of a script, with its examples and its exit codes at the end of its help."""
    examples = EXAMPLES[name]
    width = max(map(len, examples)) + 2
    lines = [f"  {command:{width}}{what}".rstrip() for command, what in examples.items()]
    parser = _Parser(
        prog=f"script/{name}",
        description=textwrap.fill(description, 78),
        epilog="\n".join(["examples:", *lines, "", textwrap.fill(f"exit codes: {codes}", 78)]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.wrong_usage = wrong_usage
    return parser
