"""The ``dev`` stack on the embedded cluster: Pulumi with a state, a passphrase and plugins of its own."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from embedded import files, interruption, stack_lock
from embedded.cluster import plan
from embedded.cluster.plan import Ports
from embedded.errors import Failure
from embedded.plugins.shared import loopback

STACK = "dev"
FILE = f"Pulumi.{STACK}.yaml"
"""The stack's configuration, in the project's folder."""

SALT_FILTER = "pulumi-encryptionsalt"
"""The git filter that ``.gitattributes`` names; see :func:`hide_salt`."""

_SALT = re.compile(r"^encryptionsalt:.*\n", re.MULTILINE)

LAST_SECONDS = 3
"""What Pulumi has, at the second Ctrl-C, to end what it is doing."""


class Stack:
    """Runs ``pulumi`` on the ``dev`` stack.

    Args:
        project: The checkout.
        state: Where Pulumi's state, home and passphrase are.
        environment: What Pulumi and its plugins need besides the user's environment; see :func:`environment`.
    """

    def __init__(self, project: Path, state: Path, environment: Mapping[str, str]) -> None:
        self._project = project
        self._state = state
        self._environment = environment

    def select(self) -> None:
        """Make the stack if there is none yet, and select it."""
        backend = self._state / "pulumi"
        if not (backend / ".pulumi" / "stacks").is_dir():
            # Its salt belongs to a passphrase that is gone.
            forget_salt(self._project)
        backend.mkdir(mode=0o700, exist_ok=True)
        write_passphrase(self._state)
        done = subprocess.run(
            ["pulumi", "stack", "select", STACK, "--create", "--non-interactive"],
            cwd=self._project, env=self._merged(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise Failure(f"the stack can't be selected: {done.stderr.strip()}", fix="see `pulumi stack ls`")
        hide_salt(self._project)

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
                pulumi = subprocess.Popen(["pulumi", *arguments], cwd=self._project, env=self._merged())
                if early:  # before there was a process to tell
                    pulumi.send_signal(early[0])
                code = pulumi.wait()
        finally:
            # Where the stack's file had no salt, as after a restore, it has one again.
            hide_salt(self._project)
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
            ["pulumi", "stack", "output", "--json", "--stack", STACK],
            cwd=self._project, env=self._merged(), capture_output=True, text=True, check=True,
        )  # fmt: skip
        outputs: dict[str, Any] = json.loads(done.stdout)
        return outputs

    def _take_over(self) -> None:
        """Make way where an earlier Pulumi was killed: take away its lock, and the record of what it was doing then.

        Pulumi would warn of these pending operations each time from now on. Here nothing has to be found out by hand
        about them: what was made is adopted by the operation that makes it again.
        """
        pids = stack_lock.release_dead(self._state / "pulumi", project_name(self._project), STACK)
        if not pids:
            return
        stack_lock.end_orphans(home(self._state))
        for pid in pids:
            sys.stderr.write(
                f"removed the lock of an earlier pulumi (pid {pid}), which was killed; going on from there\n"
            )
        exported = self._pulumi("stack", "export", "--stack", STACK)
        if exported.returncode == 0 and json.loads(exported.stdout)["deployment"].get("pending_operations"):
            # An import drops them. Where it fails, they only stay.
            self._pulumi("stack", "import", "--stack", STACK, text=exported.stdout)

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
        # A stack file without its salt (as after `git checkout`) gets it back from the state.
        "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true",
        "PULUMI_HOME": str(home(state)),
        # An operation that waits holds a place: by default there are four a core, too few for all that wait at first.
        "PULUMI_PARALLEL": "32",
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


def hide_salt(project: Path) -> None:
    """Keep the salt of this machine's passphrase out of the repository.

    Pulumi writes ``encryptionsalt`` into the stack's file, which is part of the project: without the filter that is set
    up here it would show up as a change, and be committed one day.
    """
    if not (project / ".git").exists():
        return

    _git(project, "config", "--local", f"filter.{SALT_FILTER}.clean", "sed /^encryptionsalt:/d")
    _git(project, "config", "--local", f"filter.{SALT_FILTER}.smudge", "cat")
    _refresh_index(project)


def configuration(project: Path) -> str:
    """The text of the stack's file, without the salt; empty where there is no file.

    Raises:
        Failure: It isn't text, or can't be read.
    """
    return _SALT.sub("", _text(project))


def forget_salt(project: Path) -> None:
    """Remove the salt from the stack's file.

    Raises:
        Failure: It isn't text, or can't be read.
    """
    text = _text(project)
    without = _SALT.sub("", text)
    if without != text:
        files.replace(project / FILE, without)
        _refresh_index(project)


def _refresh_index(project: Path) -> None:
    """Let git see that the stack's file hasn't changed, where it is only the salt that came or went."""
    # Git takes a file of another size for changed before it asks the filter; adding one without changes corrects that.
    if _git(project, "ls-files", FILE) and not _git(project, "diff", "--", FILE):
        _git(project, "add", "--", FILE)


def _git(project: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=project, capture_output=True, text=True, check=False).stdout


def ports(project: Path) -> Ports:
    """The ports that the stack's configuration asks for; what isn't a port there is left for the program to refuse."""
    config = _config(project)

    def port(key: str, *path: str) -> int | None:
        value = config.get(key)
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        # Python's True is an int, too.
        return value if type(value) is int and 0 < value < 65536 else None

    defaults = Ports()
    return Ports(
        http=port("ingress", "httpPort") or defaults.http,
        https=port("ingress", "httpsPort") or defaults.https,
        registry=port("registry", "nodePort") or defaults.registry,
        http_on_node=port("addons", "ingress", "nodePorts", "http"),
        https_on_node=port("addons", "ingress", "nodePorts", "https"),
    )


def addons(project: Path) -> dict[str, Mapping[str, Any]]:
    """The addons that the stack's configuration names and switches on, each with the options that it gives there.

    What the program switches on by itself isn't one of them, and what is no addon is: that is for the program to
    refuse.
    """
    section = _config(project).get("addons")
    named = section if isinstance(section, dict) else {}
    options = {name: {} if value is True or value == "auto" else value for name, value in named.items()}
    return {name: value for name, value in options.items() if isinstance(value, dict)}


def refuse_addons(addons: Collection[str]) -> None:
    """Refuse the addons that the embedded cluster can't have.

    Raises:
        Failure: There is one among ``addons``, the names of those that are switched on.
    """
    if "cilium" in addons:
        raise Failure(
            "addons.cilium: Cilium has to be the first CNI of a cluster, and the embedded cluster has one",
            fix="switch it off here: pulumi config rm --path addons.cilium --stack dev",
        )


def parsed(text: str, file: str = FILE) -> object:
    """What the text of a file says, by default the stack's.

    Raises:
        Failure: It isn't YAML.
    """
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # of a date that isn't one, PyYAML says ValueError
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


def _config(project: Path) -> dict[str, Any]:
    """The stack's configuration, as it stands in its file, by keys without the name of the project.

    Raises:
        Failure: The file isn't YAML, or can't be read.
    """
    document = parsed(_text(project))
    config = document.get("config") if isinstance(document, dict) else None
    if not isinstance(config, dict):
        return {}
    prefix = f"{project_name(project)}:"
    return {str(key).removeprefix(prefix): value for key, value in config.items() if str(key).startswith(prefix)}


def _text(project: Path, file: str = FILE) -> str:
    try:
        return (project / file).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        raise Failure(f"{file} isn't YAML: it isn't text", fix="correct the file") from None
    except OSError as error:
        raise Failure(f"{project / file} can't be read: {error.strerror}", fix="put that right") from None
