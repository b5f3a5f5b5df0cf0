"""The ``dev`` stack on the embedded cluster: Pulumi with a state, a passphrase and plugins of its own."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from embedded import files, interruption, stack_lock
from embedded.cluster import plan
from embedded.cluster.plan import Ports
from embedded.errors import Failure
from embedded.plugins.shared import loopback

if TYPE_CHECKING:
    from settings import Settings

STACK = "dev"
FILE = f"Pulumi.{STACK}.yaml"
"""The stack's configuration, in the project's folder."""

_SALT = re.compile(r"^encryptionsalt:.*\n?", re.MULTILINE)
_SECRET = re.compile(r"\bsecure[\"']?:")

LAST_SECONDS = 3
"""What Pulumi has, at the second Ctrl-C, to end what it is doing."""


class Stack:
    """Runs ``pulumi`` on the ``dev`` stack, or on another one.

    Args:
        project: The checkout.
        state: Where Pulumi's state, home and passphrase are.
        environment: What Pulumi and its plugins need besides the user's environment; see :func:`environment`.
        name: Its name.
        inherited: File descriptors that Pulumi keeps open while it runs.
        output: File descriptor that it writes to; by default, this process's output.
    """

    def __init__(
        self,
        project: Path,
        state: Path,
        environment: Mapping[str, str],
        name: str = STACK,
        inherited: Sequence[int] = (),
        output: int | None = None,
    ) -> None:
        self._project = project
        self._state = state
        self._environment = environment
        self._name = name
        self._inherited = inherited
        self._output = output

    def select(self) -> None:
        """Make the stack if there is none yet, and select it."""
        filtered = _unset_filter(self._project)
        backend = self._state / "pulumi"
        if not (backend / ".pulumi" / "stacks").is_dir():
            # Its salt belongs to a passphrase that is gone.
            forget_salt(self._project)
        backend.mkdir(mode=0o700, exist_ok=True)
        write_passphrase(self._state)
        if not self._is_selected():
            done = self._pulumi("stack", "select", STACK, "--create")
            if done.returncode != 0:
                raise Failure(f"the stack can't be selected: {done.stderr.strip()}", fix="see `pulumi stack ls`")
        forget_salt(self._project, but_for_secrets=True)
        if filtered:
            _recount(self._project)

    def _is_selected(self) -> bool:
        """Whether it is there and selected, as Pulumi has written down; to select it again would take 0.17 s."""
        project, backend = project_name(self._project), self._state / "pulumi"
        place = hashlib.sha1(str(self._project / "Pulumi.yaml").encode(), usedforsecurity=False).hexdigest()
        try:
            record = json.loads((home(self._state) / "workspaces" / f"{project}-{place}-workspace.json").read_text())
            selected = record["stacks"][backend_url(backend)]
        except (OSError, ValueError, LookupError, TypeError):
            return False
        there = backend / ".pulumi" / "stacks" / project / f"{STACK}.json"
        return there.exists() and selected == f"organization/{project}/{STACK}"

    def run(self, *arguments: str) -> int:
        """Run ``pulumi ARGUMENTS`` in the foreground; Ctrl-C is Pulumi's to handle. Returns its exit code.

        Raises:
            Failure: It was killed.
            KeyboardInterrupt: This process was interrupted, and so was Pulumi, which has ended.
        """
        self._take_over()
        pulumi: subprocess.Popen[bytes] | None = None
        early = []

        def pass_on(number: int, count: int) -> None:
            # It finishes what it is doing, or stops at the second one. From a terminal it got Ctrl-C too; any other
            # signal was for this process only.
            if pulumi is None:
                early.append(number)
                return
            if number != signal.SIGINT:
                pulumi.terminate()
            if count == 2:
                last = threading.Timer(LAST_SECONDS, pulumi.kill)
                last.daemon = True
                last.start()
            elif count > 2:
                pulumi.kill()

        try:
            with interruption.held(pass_on):
                if interruption.happened():  # it has been swallowed
                    raise KeyboardInterrupt
                pulumi = subprocess.Popen(
                    ["pulumi", *arguments],
                    cwd=self._project, env=self._merged(), pass_fds=self._inherited, stdout=self._output,
                )  # fmt: skip
                if early:  # before there was a process to tell
                    pulumi.send_signal(early[0])
                code = pulumi.wait()
        finally:
            if self._name == STACK:
                forget_salt(self._project, but_for_secrets=True)
        if code < 0:
            raise Failure(
                f"pulumi was killed ({signal.Signals(-code).name}); what it has made so far stays",
                fix="run the same command again, it goes on from there; if nobody killed it, the machine may be short "
                "of memory",
            )
        return code

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs, secrets masked."""
        done = subprocess.run(
            ["pulumi", "stack", "output", "--json", "--stack", self._name],
            cwd=self._project, env=self._merged(), capture_output=True, text=True, check=True,
        )  # fmt: skip
        outputs: dict[str, Any] = json.loads(done.stdout)
        return outputs

    def _take_over(self) -> None:
        """Make way where an earlier Pulumi was killed: take away its lock, and the record of what it was doing then.

        Pulumi would warn of these pending operations each time from now on. Here nothing has to be found out by hand
        about them: what was made is adopted by the operation that makes it again.
        """
        pids = stack_lock.release_dead(self._state / "pulumi", project_name(self._project), self._name)
        if not pids:
            return
        stack_lock.end_orphans(home(self._state))
        for pid in pids:
            sys.stderr.write(
                f"removed the lock of an earlier pulumi (pid {pid}), which was killed; going on from there\n"
            )
        exported = self._pulumi("stack", "export", "--stack", self._name)
        if exported.returncode == 0 and json.loads(exported.stdout)["deployment"].get("pending_operations"):
            # An import drops them. Where it fails, they only stay.
            self._pulumi("stack", "import", "--stack", self._name, text=exported.stdout)

    def _pulumi(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=self._project, env=self._merged(), input=text, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def _merged(self) -> dict[str, str]:
        return {**os.environ, **self._environment}


def home(state: Path) -> Path:
    """The ``PULUMI_HOME`` of a cluster's state, where the plugins are."""
    return state / "pulumi-home"


def environment(state: Path, kubeconfig: Path, docker_host: str) -> dict[str, str]:
    """The variables, besides ``PATH``, that make plain ``pulumi``, ``kubectl`` and ``docker`` work here.

    Args:
        state: Where Pulumi's state, home and passphrase are.
        kubeconfig: The administrator's.
        docker_host: The Docker Engine that builds.
    """
    return {
        "DOCKER_HOST": docker_host,
        "KUBECONFIG": str(kubeconfig),
        # No proxy knows the way to the cluster, nor from one of Pulumi's processes to another: all are on this machine.
        # Also where there is none: somebody may set one later, for one command.
        **plan.without_proxy(os.environ),
        **loopback.without_proxy(os.environ),
        "PULUMI_BACKEND_URL": backend_url(state / "pulumi"),
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(state / "passphrase"),
        # Where the stack's file has no salt, see forget_salt.
        "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true",
        "PULUMI_HOME": str(home(state)),
        # An operation that waits holds a place: by default there are four a core, too few for all that wait at first.
        "PULUMI_PARALLEL": "64",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }


def backend_url(folder: Path) -> str:
    """The URL by which Pulumi keeps its state in a folder, an absolute path.

    By default there is a second file beside each one, of its content's type, which nobody needs. The state is replaced
    at once, but that file is written in place (gocloud.dev/blob/fileblob), and while it is empty the state can't be
    read ("failed to load checkpoint: EOF"); who is killed just then leaves it so.
    """
    return f"{folder.as_uri()}?metadata=skip"


def write_passphrase(state: Path) -> None:
    """Make this machine's passphrase, once."""
    path = state / "passphrase"
    if not path.exists():
        files.replace(path, secrets.token_urlsafe(32), 0o600)


def configuration(project: Path) -> str:
    """The text of the stack's file, without the salt; empty where there is no file.

    Raises:
        Failure: It isn't text, or can't be read.
    """
    return _SALT.sub("", _text(project))


def forget_salt(project: Path, *, but_for_secrets: bool = False) -> None:
    """Remove the salt from the stack's file: the stack's state has it, too.

    Args:
        project: The checkout.
        but_for_secrets: Keep it where the file has secrets. The salt that these need may not be the state's, as after
            ``pulumi stack rm``.

    Raises:
        Failure: The file isn't text, or can't be read.
    """
    text = _text(project)
    without = _SALT.sub("", text)
    if without != text and not (but_for_secrets and _SECRET.search(text)):
        files.replace(project / FILE, without)


def _unset_filter(project: Path) -> bool:
    """Take back what earlier versions wrote into git's configuration of this clone; tells if there was something."""
    section = "filter.pulumi-encryptionsalt"
    return (project / ".git").exists() and _git(project, "config", "--local", "--remove-section", section) == 0


def _recount(project: Path) -> None:
    """Have git see that the stack's file hasn't changed: it looks at the size first, which was with the salt."""
    if _git(project, "diff", "--exit-code", "--", FILE) == 0:
        _git(project, "add", "--", FILE)


def _git(project: Path, *arguments: str) -> int:
    return subprocess.run(["git", *arguments], cwd=project, capture_output=True, check=False).returncode


def read_settings(project: Path) -> Settings:
    """The configuration of the stack, without what is encrypted in its file. The project is the working directory.

    Raises:
        Failure: The program would refuse it, or it can't be read.
    """
    document = parsed(_text(project))
    config = document.get("config") if isinstance(document, dict) else None
    # Imported where it is used: with Pulumi's SDK it takes a while.
    from settings import SettingsError, stack_file

    try:
        return stack_file.load(project_name(project), config if isinstance(config, dict) else {})
    except SettingsError as error:
        lines = "\n".join(error.problems)
        raise Failure(f"the configuration is refused:\n{lines}", fix=f"correct {FILE}") from None


def ports(project: Path, settings: Settings) -> Ports:
    """The ports that a project's configuration asks for."""
    on_node = getattr(settings.addons.deployed.get("ingress"), "node_ports", None)
    return Ports(
        http=settings.ingress.http_port,
        https=settings.ingress.https_port,
        registry=settings.registry.node_port,
        http_on_node=on_node and on_node.http,
        https_on_node=on_node and on_node.https,
        project=project_name(project),
    )


class _Loader(yaml.SafeLoader):
    """Reads YAML as Pulumi does, for which ``no`` and ``2026-01-01`` are texts."""


_Loader.yaml_implicit_resolvers = {
    first: [each for each in forms if first in "tTfF" or not each[0].endswith((":bool", ":timestamp"))]
    for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parsed(text: str, file: str = FILE) -> object:
    """What the text of a file says, by default the stack's.

    Raises:
        Failure: It isn't YAML.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - it is a safe one
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # of 0x_, PyYAML says ValueError
        raise Failure(f"{file} isn't YAML: {' '.join(str(error).split())}", fix="correct the file") from None


def project_name(project: Path) -> str:
    """The name of the project, which the keys of its configuration begin with.

    Raises:
        Failure: ``Pulumi.yaml`` has none, isn't YAML, or can't be read.
    """
    document = parsed(_text(project, "Pulumi.yaml"), "Pulumi.yaml")
    name = document.get("name") if isinstance(document, dict) else None
    if not isinstance(name, str):
        raise Failure("Pulumi.yaml has no name", fix="give the project one, such as `name: inspiration`")
    return name


def _text(project: Path, file: str = FILE) -> str:
    try:
        return (project / file).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        raise Failure(f"{file} isn't YAML: it isn't text", fix="correct the file") from None
    except OSError as error:
        raise Failure(f"{project / file} can't be read: {error.strerror}", fix="put that right") from None
