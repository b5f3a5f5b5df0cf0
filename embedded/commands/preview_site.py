"""``script/preview-site``: a branch, looked at before it is merged, in a stack of its own beside another one."""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from embedded import files, stack_lock
from embedded.branches import configuration, remains
from embedded.branches.checkout import Repository
from embedded.branches.names import Names, labelled, names_of
from embedded.branches.stacks import FAILED, MADE, MAKING, REMOVING, BranchStack, Stacks, environment
from embedded.commands import deployment
from embedded.errors import Failure
from embedded.paths import PROJECT, STATE, create_state
from embedded.stack import STACK, Stack, parsed, project_name
from settings.stack_file import instance_of

FOLDERS = STATE / "branches"
"""Where the checkouts are, by stack."""
REQUIREMENTS = "requirements.txt"
WIDE = 200
"""Columns of a list that isn't on a terminal."""


@dataclass(frozen=True)
class Limits:
    """How long a branch's stack is kept, and how many there may be."""

    expires: timedelta
    at_most: int


def make(branch: str, *, stack: str | None, limits: Limits, wanted: Collection[str], unconfined: bool) -> int:
    """Deploy a branch, or what has come to it since.

    Args:
        branch: Its name.
        stack: The stack of the user's own beside which it is deployed; by default, that of the embedded cluster.
        limits: How long it is kept, and how many there may be.
        wanted: Names of the secret variables that its sites get.
        unconfined: Whether they may connect to the address ranges that they name.

    Raises:
        Failure: It can't be deployed; what there is of it goes on with the next call, or is removed by that.
    """
    with Branches.at_work(stack) as branches:
        code = branches.make(branch, limits, wanted, unconfined=unconfined)
        branches.prune(but_for=branch)
    return code


def remove(branch: str, *, stack: str | None) -> int:
    """Remove a branch's stack, and all that is its own.

    Raises:
        Failure: There is none, or it can't be removed.
    """
    with Branches.at_work(stack) as branches:
        branches.remove_named(branch)
        branches.prune()
    return 0


def prune(*, stack: str | None) -> int:
    """Remove what has expired, what has no branch any more, and what is left of those who were ended at work."""
    with Branches.at_work(stack) as branches:
        return 0 if branches.prune() else 1


def remove_all() -> None:
    """Remove what there is of all branches beside the embedded cluster's stack, before that goes.

    Raises:
        Failure: One can't be removed.
    """
    if FOLDERS.is_dir():
        with Branches.at_work(None) as branches:
            branches.remove_all()


def show(*, stack: str | None, as_json: bool) -> int:
    """Print which branches are deployed."""
    with Branches.at_work(stack) as branches:
        branches.prune()
        branches.show(as_json=as_json)
    return 0


class Branches:
    """The branches that are deployed beside a stack.

    Args:
        stack: Its name, where it is one of the user's own.
        lock: The file descriptor that holds the lock.
        state: The ``deployment`` of the stack beside which they are.
    """

    def __init__(self, stack: str | None, lock: int, state: dict[str, Any]) -> None:
        self._given, self._lock = stack, lock
        self._base, self._project = stack or STACK, project_name(PROJECT)
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._repository, self._stacks = Repository(PROJECT), Stacks(PROJECT)
        self._registry = _outputs(state).get("registry")

    @classmethod
    @contextmanager
    def at_work(cls, stack: str | None) -> Iterator[Branches]:
        """Keep others out who make or remove branches here.

        Raises:
            Failure: The stack can't be asked about, or this is no git repository.
        """
        state = deployment.running(stack)
        with _alone() as lock:
            yield cls(stack, lock, state)

    def listed(self) -> list[BranchStack]:
        """Return what there is, half or whole."""
        folders = [each.name for each in FOLDERS.iterdir() if each.is_dir()]
        return self._stacks.of_branches(self._base, folders)

    def make(self, branch: str, limits: Limits, wanted: Collection[str], *, unconfined: bool) -> int:
        """Deploy a branch, see `make`."""
        commit, names = self._repository.named(branch), names_of(self._project, self._base, branch)
        existing, now = self.listed(), datetime.now(UTC)
        known = {each.name: each for each in existing}
        others = [each for each in existing if each.name != names.stack and not self._is_over(each, now)]
        if names.stack not in known and len(others) >= limits.at_most:
            there = ", ".join(each.branch or each.name for each in others) or "none"
            raise Failure(
                f"--at-most {limits.at_most} branches are kept, and these are there: {there}",
                fix=f"remove one: script/preview-site --remove BRANCH{self._option()}, or allow more",
            )
        if names.stack not in known and self._stacks.exists(names.stack):
            raise Failure(
                f"there is a stack {names.stack} already, and it isn't a branch's", fix="rename it: pulumi stack rename"
            )
        folder = FOLDERS / names.stack
        project = self._repository.check_out(folder, commit)
        try:
            self._check(branch, project)
            made, source = self._configure(names, project, wanted, unconfined=unconfined)
        except Failure:
            if names.stack not in known:
                self._repository.remove(folder)
            raise
        notes = self._set_up(branch, names, project, known.get(names.stack), made, source)
        self._stacks.tag(names.stack, expires=(now + limits.expires).isoformat(timespec="seconds"))
        for note in notes:
            self._console.print(f"note: {note}", markup=False)
        if each := known.get(names.stack):
            self._take_over(each)
        code = self._pulumi(names.stack, project).run(
            "up", "--yes", "--skip-preview", "--suppress-outputs", "--stack", names.stack
        )
        self._stacks.tag(names.stack, phase=FAILED if code else MADE)
        if code:
            raise Failure(
                "`pulumi up` failed: the reasons are above; what it has made so far stays",
                fix=f"commit what puts it right and run it again, or script/preview-site --remove {branch}"
                f"{self._option()}",
            )
        outputs = json.loads(self._stacks.run("stack", "output", "--json", "--stack", names.stack))
        for site, url in (outputs.get("site_urls") or {}).items():
            sys.stdout.write(f"{site}  {url}\n")
        sys.stdout.flush()
        if entry := outputs.get("hosts_entry"):
            self._console.print(f"unless these names lead there, add to /etc/hosts: {entry}")
        self._console.print(f"until {_day(now + limits.expires)}; the stack is {names.stack}")
        return 0

    def remove_named(self, branch: str) -> None:
        """Remove a branch's stack.

        Raises:
            Failure: There is none, or it can't be removed.
        """
        names, existing = names_of(self._project, self._base, branch), self.listed()
        for each in existing:
            if each.name == names.stack:
                self._remove(each)
                return
        there = ", ".join(each.branch or each.name for each in existing)
        raise Failure(
            f"the branch {branch} isn't deployed beside the stack {self._base}",
            fix=f"name one of {there}" if there else "script/preview-site BRANCH deploys one",
        )

    def remove_all(self) -> None:
        """Remove the stacks of all branches.

        Raises:
            Failure: One can't be removed.
        """
        for each in self.listed():
            self._remove(each)

    def prune(self, but_for: str | None = None) -> bool:
        """Remove what is over, and tell whether all of it could be; what couldn't be is said.

        Args:
            but_for: A branch that is left as it is.
        """
        spared, now, done = but_for and names_of(self._project, self._base, but_for).stack, datetime.now(UTC), True
        for each in self.listed():
            if each.name != spared and (why := self._is_over(each, now)):
                self._console.print(f"removing {each.name}: {why}", markup=False)
                try:
                    self._remove(each)
                except Failure as failure:
                    done = False
                    self._console.print(f"note: {each.name} stays for now: {failure}", markup=False)
        return done

    def show(self, *, as_json: bool) -> None:
        """Print what there is."""
        there = {each: self._urls(each) for each in self.listed()}
        if as_json:
            rows = [
                {
                    "branch": each.branch,
                    "stack": each.name,
                    "state": each.phase,
                    "expires": each.expires and each.expires.isoformat(),
                    "urls": urls,
                }
                for each, urls in there.items()
            ]
            sys.stdout.write(json.dumps(rows, indent=2) + "\n")
            return
        if not there:
            self._console.print("no branch is deployed")
            return
        table = Table(box=None, pad_edge=False)
        for heading in ("branch", "stack", "state", "expires (UTC)", "sites"):
            table.add_column(heading, overflow="fold")
        for each, urls in there.items():
            table.add_row(each.branch, each.name, each.phase, _day(each.expires) if each.expires else "", *urls[:1])
            for url in urls[1:]:
                table.add_row("", "", "", "", url)
        Console(highlight=False, width=None if sys.stdout.isatty() else WIDE).print(table)

    def _urls(self, each: BranchStack) -> list[str]:
        shown = json.loads(self._stacks.run("stack", "output", "--json", "--stack", each.name))
        return list((shown.get("site_urls") or {}).values())

    def _is_over(self, each: BranchStack, now: datetime) -> str | None:
        """Say why a branch's stack is to be removed; ``None``: it isn't."""
        if each.is_expired(now):
            return "it has expired"
        # What another checkout has made is only known by its tags: it may be at work, and have other branches.
        if not (FOLDERS / each.name).is_dir():
            return None
        if each.is_half:
            return "what made or removed it was ended"
        if each.branch is not None and self._repository.commit(each.branch) is None:
            return f"the branch {each.branch} is gone"
        return None

    def _check(self, branch: str, project: Path) -> None:
        """Refuse a branch whose program can't be deployed beside this one's."""
        described = parsed(_text(project / "Pulumi.yaml"), "Pulumi.yaml")
        document = described if isinstance(described, dict) else {}
        if document.get("name") != self._project:
            raise Failure(
                f"the branch {branch} has a project {document.get('name')} in Pulumi.yaml, this checkout has "
                f"{self._project}",
                fix="have the same name there",
            )
        if "prefix" not in (document.get("config") or {}):
            raise Failure(
                f"the program of the branch {branch} has no option prefix, which puts it beside another stack",
                fix="merge a newer version of the program into it",
            )
        if _text(project / REQUIREMENTS) != _text(PROJECT / REQUIREMENTS):
            self._console.print(
                f"note: {REQUIREMENTS} is another one in the branch; what is installed is that of {PROJECT}"
            )

    def _configure(
        self, names: Names, project: Path, wanted: Collection[str], *, unconfined: bool
    ) -> tuple[configuration.Made, Path]:
        """Return the configuration of a branch's stack, and the file with its sites."""
        theirs = project / self._file()
        source = theirs if theirs.exists() else PROJECT / self._file()

        def read(file: Path) -> configuration.Config:
            return configuration.plain(self._project, parsed(_text(file), file.name))

        made = configuration.of_branch(
            names,
            read(PROJECT / self._file()),
            read(source),
            read(project / _file(names.stack)),
            addons=[
                each.name.replace("_", "-") for each in (project / "components/addons").iterdir() if _is_addon(each)
            ],
            project=PROJECT,
            wanted=wanted,
            unconfined=unconfined,
        )
        return made, source

    def _set_up(
        self,
        branch: str,
        names: Names,
        project: Path,
        known: BranchStack | None,
        made: configuration.Made,
        source: Path,
    ) -> list[str]:
        """Have the stack with its configuration, and return what is to be said of that."""
        link = project / ".venv"
        if not link.exists():
            link.symlink_to((PROJECT / ".venv").resolve())
        if known is None or known.branch is None:
            if not self._stacks.exists(names.stack):
                ours = _section(parsed(_text(PROJECT / self._file()), self._file()))
                provider = ours.get("secretsprovider")
                options = ["--secrets-provider", str(provider)] if provider else []
                self._stacks.run("stack", "init", names.stack, "--no-select", *options, folder=project)
            self._stacks.tag(names.stack, phase=MAKING, branch=branch)
        file = project / _file(names.stack)
        config = {f"{self._project}:{key}": value for key, value in made.config.items()}
        kept = {key: value for key, value in _section(parsed(_text(file), file.name)).items() if key != "config"}
        files.replace(file, yaml.safe_dump({**kept, "config": config}, sort_keys=False), 0o600)
        for path in made.taken:
            value = self._stacks.run(
                "config", "get", "--path", path, "--stack", self._base, "--config-file", str(source)
            )
            made.generated[path] = value.removesuffix("\n")
        for path, value in made.generated.items():
            self._stacks.run(
                "config", "set", "--path", path, "--secret", "--stack", names.stack, text=value, folder=project
            )
        where = f"pulumi -C {project} config get --stack {names.stack} --path"
        return [
            *made.notes,
            *(f"{site} asks for a password of its own: {where} '{path}'" for site, path in made.passwords.items()),
        ]

    def _remove(self, each: BranchStack) -> None:
        """Remove a branch's stack and all that is its own, in an order in which it is still found if this is ended."""
        folder = FOLDERS / each.name
        prefix = labelled(self._project, self._base, each.name.rpartition(".")[2]).prefix
        if self._stacks.exists(each.name):
            self._stacks.tag(each.name, phase=REMOVING)
            self._take_over(each)
            at = self._repository.project_in(folder)
            project = at if (at / "Pulumi.yaml").is_file() else PROJECT
            outputs = json.loads(self._stacks.run("stack", "output", "--json", "--stack", each.name) or "{}")
            if self._pulumi(each.name, project).run(
                "destroy", "--yes", "--skip-preview", "--suppress-outputs", "--stack", each.name
            ):
                raise Failure(
                    f"`pulumi destroy` of {each.name} failed: the reasons are above",
                    fix=f"put them right; the next script/preview-site{self._option()} goes on",
                )
            with deployment.explained():
                api = deployment.api_server(self._given)
                remains.remove_namespaces(api, instance_of(self._project, each.name.rpartition("/")[2]), prefix)
            if registry := outputs.get("registry") or self._registry:
                if left := remains.remove_images(registry, prefix):
                    self._console.print(f"note: {left}", markup=False)
                remains.remove_built(registry, prefix)
            self._stacks.run("stack", "rm", "--yes", "--remove-backups", "--stack", each.name, folder=project)
        self._repository.remove(folder)
        self._console.print(f"removed {each.name}", markup=False)

    def _take_over(self, each: BranchStack) -> None:
        """Remove the lock of a ``pulumi`` that was killed, and the record of what it was doing then.

        Had it gone on alone, it would hold the lock that is ours now. What it had begun is made again, or looked for.
        """
        if not (each.is_half and self._stacks.exists(each.name)):
            return
        with suppress(Failure):  # there is none
            self._stacks.run("cancel", "--yes", "--stack", each.name)
        exported = self._stacks.run("stack", "export", "--stack", each.name)
        if json.loads(exported)["deployment"].get("pending_operations"):
            self._stacks.run("stack", "import", "--stack", each.name, text=exported)

    def _pulumi(self, stack: str, project: Path) -> Stack:
        # What is asked for alone is on this command's output.
        return Stack(project, STATE, environment(), stack, [self._lock], sys.stderr.fileno())

    def _file(self) -> str:
        return _file(self._base)

    def _option(self) -> str:
        return f" --stack {self._given}" if self._given else ""


@contextmanager
def _alone() -> Iterator[int]:
    """Wait until no other run works on branches here, and no ``pulumi`` of one that was killed; keep others out."""
    folder = create_state() / FOLDERS.name
    while True:
        folder.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stderr.write("waiting for another script/preview-site, or for a pulumi that one has left\n")
            # They hold the lock as well, and would end by themselves only in some minutes.
            stack_lock.end_orphans(Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        # The one that was waited for may have removed the folder: then this is the lock of nothing.
        if folder.exists() and os.path.samestat(os.fstat(lock), folder.stat()):
            break
        os.close(lock)
    try:
        yield lock
    finally:
        with suppress(OSError):  # there are checkouts in it
            folder.rmdir()
        os.close(lock)


def _outputs(state: dict[str, Any]) -> dict[str, Any]:
    stacks = (each for each in state.get("resources") or [] if each["type"] == "pulumi:pulumi:Stack")
    return next((each.get("outputs") or {} for each in stacks), {})


def _file(stack: str) -> str:
    return f"Pulumi.{stack.rpartition('/')[2]}.yaml"


def _section(document: object) -> dict[str, Any]:
    return document if isinstance(document, dict) else {}


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{file} can't be read: {error}", fix="put that right") from None


def _is_addon(folder: Path) -> bool:
    return (folder / "__init__.py").is_file()


def _day(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M}"
