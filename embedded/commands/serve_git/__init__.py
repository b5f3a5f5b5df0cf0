"""``script/serve-git``: a bare git repository that deploys what is pushed to it."""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from embedded import files
from embedded.commands import deployment
from embedded.commands.serve_git.checkout import Checkout, git
from embedded.commands.serve_git.pulumi import Pulumi, say
from embedded.commands.serve_git.watch import Watch
from embedded.errors import Failure
from embedded.health.deployed import components
from embedded.paths import PROJECT, STATE
from embedded.stack import STACK, forget_salt, project_name
from embedded.stack_lock import holders, release_dead

PASSED_ON = (
    "DOCKER_HOST",
    "KUBECONFIG",
    "PATH",
    "PULUMI_BACKEND_URL",
    "PULUMI_CONFIG_PASSPHRASE_FILE",
    "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER",
    "PULUMI_HOME",
)
"""Variables that a stack of the user's own may need: who pushes comes with hardly any. No secret is among them."""

_AS_IT_IS = ("--refresh",)
"""What an update that was ended has changed isn't in the state; what was changed by hand isn't, either."""
_JUDGED = ("--policy-pack", "policy")
_AT_ONCE = ("--yes", "--skip-preview")

_OURS = "inspiration.project"
"""Key in the configuration of a repository that was made here."""
_AGAIN = "push again when it has ended"
_RIGHT = "put that right and push again"


def make(repository: Path, *, branch: str, stack: str | None) -> int:
    """Make a repository whose branch is deployed when it is pushed, or change what an earlier one deploys.

    Raises:
        Failure: The folder has something else in it, there is no such stack, or git says no.
    """
    if deployment.exported(stack) is None:
        raise Failure("there is no embedded cluster yet", fix="run script/up first, or name a stack of yours: --stack")
    if subprocess.run(["git", "check-ref-format", f"refs/heads/{branch}"], check=False).returncode:
        raise Failure(f"{branch} can't be the name of a branch", fix="name another one: --branch")
    if not _is_ours(repository):
        if repository.exists() and not (repository.is_dir() and not any(repository.iterdir())):
            raise Failure(
                f"{repository} has something else in it", fix="name a new folder, or one that script/serve-git has made"
            )
        git("init", "--quiet", "--bare", "--", str(repository))
        repository.chmod(0o700)
    git("--git-dir", str(repository), "config", _OURS, str(PROJECT))
    git("--git-dir", str(repository), "symbolic-ref", "HEAD", f"refs/heads/{branch}")
    files.replace(repository / "hooks" / "pre-receive", _hook(repository, branch, stack), 0o700)
    sys.stdout.write(
        f"{repository}: a push of {branch} deploys the stack {stack or STACK}\n"
        f"  git remote add deploy {shlex.quote(str(repository))} && git push deploy {branch}\n"
    )
    return 0


def receive(repository: Path, lines: Iterable[str], *, branch: str, stack: str | None) -> int:
    """Deploy what is pushed, as git's hook pre-receive: if this fails, nothing is pushed.

    Args:
        repository: The bare one.
        lines: What git says of each reference: the commit before, the new one, and its name.
        branch: The one that is deployed.
        stack: Name of a stack of the user's own; by default, that of the embedded cluster.

    Raises:
        Failure: It isn't deployed.
    """
    objects = [os.environ.get("GIT_QUARANTINE_PATH"), str(repository / "objects")]
    for name in [each for each in os.environ if each.startswith("GIT_")]:
        # They are for this repository, relative to it, and the program asks git for commits of its own.
        del os.environ[name]
    before = after = None
    for line in lines:
        old, new, reference = line.split(maxsplit=2)
        if reference.rstrip() == f"refs/heads/{branch}":
            before, after = old, new
        else:
            say(f"{reference.strip().removeprefix('refs/heads/')}: kept, not deployed; that is for {branch}")
    if before is None or after is None:
        return 0
    if not after.strip("0"):
        raise Failure(f"{branch} is what is deployed: it can't be deleted", fix=f"push another commit to {branch}")
    with _alone(repository, stack):
        state = deployment.running(stack)
        with deployment.explained():
            deployment.api_server(stack).check()
        _refuse_updated(stack)
        checkout = Checkout(repository, [each for each in objects if each], stack or STACK)
        try:
            _deploy(checkout, before if before.strip("0") else None, after, Watch(stack, components(state)))
        finally:
            shutil.rmtree(checkout.folder, ignore_errors=True)
    return 0


def _deploy(checkout: Checkout, before: str | None, after: str, watch: Watch) -> None:
    """Deploy a commit; if that isn't to be, the one before again.

    Raises:
        Failure: It isn't.
    """
    pulumi = Pulumi(checkout.of(after), checkout.stack)
    say(f"previewing {after[:12]} for the stack {checkout.stack}")
    if pulumi.run("preview", *_AS_IT_IS, *_JUDGED):
        raise Failure(f"refused: the preview failed: {pulumi.error}; nothing was changed", fix=_RIGHT)
    say(f"deploying {after[:12]}")
    with watch.started(pulumi):
        code = pulumi.run("up", *_AS_IT_IS, *_JUDGED, *_AT_ONCE)
    if not code:
        for name, url in (checkout.outputs().get("site_urls") or {}).items():
            say(f"{name}: {url}")
        return
    why = watch.cause or pulumi.error
    say("putting back what was deployed before")
    _release(watch.stack)
    code = Pulumi(_deployed(checkout, before), checkout.stack).run("up", *_AS_IT_IS, *_AT_ONCE)
    if watch.stack is None:
        forget_salt(PROJECT, but_for_secrets=True)  # as always after Pulumi, where it ran there
    if code:
        raise Failure(
            f"refused: {why}; and what was deployed before couldn't be put back",
            fix="script/up --status tells what isn't healthy; push again what is right",
        )
    raise Failure(f"refused: {why}; what was deployed before is put back", fix=_RIGHT)


def _deployed(checkout: Checkout, commit: str | None) -> Path:
    """Return a folder with what was deployed before: the commit, or else this checkout.

    That was it before the first push, and where the commit needs other packages than it has: these came by script/up.
    """
    try:
        return checkout.of(commit) if commit else PROJECT
    except Failure:
        return PROJECT


@contextmanager
def _alone(repository: Path, stack: str | None) -> Iterator[None]:
    """Keep other pushes out, and ``script/up`` and ``script/down`` where it is their cluster.

    Raises:
        Failure: One of them is at work.
    """
    with ExitStack() as undo:
        at_work = {repository: "another push is being deployed"}
        if stack is None and STATE.exists():
            at_work[STATE] = "script/up, script/down or another push is at work"
        for folder, what in at_work.items():
            lock = os.open(folder, os.O_RDONLY)
            undo.callback(os.close, lock)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Failure(f"refused: {what}", fix=_AGAIN) from None
        yield


def _refuse_updated(stack: str | None) -> None:
    _release(stack)
    name = stack or STACK
    if pids := holders(os.environ.get("PULUMI_BACKEND_URL", ""), project_name(PROJECT), name):
        raise Failure(f"refused: an update of the stack {name} is at work (pid {pids[0]})", fix=_AGAIN)


def _release(stack: str | None) -> None:
    if stack is None:
        release_dead(STATE / "pulumi", project_name(PROJECT), STACK)


def _is_ours(repository: Path) -> bool:
    config = ["git", "config", "--file", str(repository / "config"), "--get", _OURS]
    return subprocess.run(config, capture_output=True, check=False).returncode == 0


def _hook(repository: Path, branch: str, stack: str | None) -> str:
    variables = {"INSPIRATION_STATE": str(STATE)}
    if stack:
        variables |= {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
    options = ["--receive", "--branch", branch, *(["--stack", stack] if stack else []), str(repository)]
    return (
        "#!/bin/sh\n"
        "# Deploys what is pushed. Made by script/serve-git, which makes it anew each time.\n"
        f"{exports}exec {shlex.join([str(PROJECT / 'script' / 'serve-git'), *options])}\n"
    )
