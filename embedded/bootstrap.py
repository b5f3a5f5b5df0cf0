"""Makes the virtual environment ``.venv``, then becomes a module of it.

    python3 embedded/bootstrap.py REQUIREMENTS_FILE... -- MODULE [ARGUMENT...]

It runs before anything is installed, on whatever Python 3 the machine calls ``python3``: the standard library only,
and nothing that Python 3.7 hasn't got, so that an old one gets to say which one is needed.
"""

from __future__ import annotations

import os
import signal
import sys

INTERRUPTED = "interrupted; run it again to go on"

if __name__ == "__main__":
    # Also what a shell starts in the background, which ignores Ctrl-C: pip and what comes after this heed it.
    signal.signal(signal.SIGINT, lambda *_: os.write(2, f"{INTERRUPTED}\n".encode()) and os._exit(130))

import fcntl
import re
import shutil
import subprocess
import time
from pathlib import Path

OLDEST = (3, 11)
PROJECT = Path(__file__).resolve().parent.parent


class Failure(Exception):  # noqa: N818 - as embedded.errors, which needs no environment but a newer Python
    """Something a user can put right; its text is the one line to show."""


class Environment:
    """The virtual environment of a project.

    Args:
        project: The folder that it is for, and in.
    """

    def __init__(self, project: Path) -> None:
        self.project = project
        self.folder = (project / ".venv").resolve()  # it may be a link to that of another checkout
        self.python = self.folder / "bin/python"
        self.log = self.folder / "pip.log"
        # What was installed, written last: without it, the environment isn't whole.
        self._marker = self.folder / "installed.txt"

    def has(self, wanted: dict[str, str]) -> bool:
        """Whether it is whole, and has been given what is ``wanted`` (name of a requirements file to its text)."""
        installed = self._installed()
        return installed is not None and all(installed.get(name) == text for name, text in wanted.items())

    def provide(self, wanted: dict[str, str]) -> None:
        """Make it, or install what it lacks of ``wanted``; another run that is doing so is waited for.

        Raises:
            Failure: It can't be made; an attempt that was cut short is made again from the start.
        """
        # Where the environment is: other checkouts may have a link to it.
        lock = os.open(self.folder.parent, os.O_RDONLY)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("waiting for another run that is installing the Python packages")
                fcntl.flock(lock, fcntl.LOCK_EX)
            installed = self._installed()
            if self.has(wanted):
                return
            if installed is None:
                self._create(suitable_python())
            else:
                self._marker.unlink()
            installed = {**(installed or {}), **wanted}
            self._install(sorted(installed))
            parts = [self._identity(), *(f"{name}\n{text}" for name, text in sorted(installed.items()))]
            partial = self._marker.with_suffix(".partial")
            partial.write_text("\f".join(parts), encoding="utf-8")
            partial.replace(self._marker)
        finally:
            os.close(lock)

    def _installed(self) -> dict[str, str] | None:
        """What it has been given (file name to text); None if it isn't whole, or isn't of this place."""
        try:
            head, *parts = self._marker.read_text(encoding="utf-8").split("\f")
        except OSError:
            return None
        if head != self._identity():
            return None
        return {name: text for name, _, text in (part.partition("\n") for part in parts)}

    def _identity(self) -> str:
        """Where it is and which interpreter it stands on: it survives a change of neither."""
        return f"{self.folder}\n{os.path.realpath(self.python)}"

    def _create(self, python: str) -> None:
        """Make it, empty, over what an attempt that was cut short may have left."""
        if subprocess.call([python, "-c", "import ensurepip, venv"], stderr=subprocess.DEVNULL) != 0:
            install_venv(python)
        say(f"making the virtual environment {self.folder} with {python}")
        code, said = _output([python, "-m", "venv", "--clear", str(self.folder)])
        if code != 0:
            reason = (said.strip().splitlines() or [f"exit code {code}"])[-1]
            raise Failure(f"{self.folder} can't be made: {reason}; put that right, then run it again")

    def _install(self, files: list[str]) -> None:
        """Install what requirements ``files`` of the project name, showing what pip is at."""
        say(f"installing the Python packages of {', '.join(files)}")
        began = time.monotonic()
        command = [str(self.python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
        command += ["--progress-bar=off", *(f"--requirement={self.project / name}" for name in files)]
        said = []
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as pip:
            for line in pip.stdout or ():
                said.append(line.strip())
                show(f"{time.monotonic() - began:3.0f} s  {said[-1]}")
        show("")
        self.log.write_text("\n".join(said), encoding="utf-8")
        if pip.returncode != 0:
            raise Failure(f"{explain(said) or f'pip exited with {pip.returncode}'} (log: {self.log})")
        say(f"installed the Python packages in {time.monotonic() - began:.0f} s")


def main(arguments: list[str]) -> int:
    """Have the environment of the files before ``--``, and become the module after it.

    Returns:
        What to exit with if it can't: 1, 2 after wrong usage, 130 after Ctrl-C; the reason is printed.
    """
    split = arguments.index("--") if "--" in arguments else 0
    files, command = arguments[:split], arguments[split + 1 :]
    if not files or not command:
        say("usage: bootstrap.py REQUIREMENTS_FILE... -- MODULE [ARGUMENT...]")
        return 2
    environment = Environment(PROJECT)
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        wanted = {name: (PROJECT / name).read_text(encoding="utf-8") for name in files}
        if not environment.has(wanted):
            environment.provide(wanted)
        # -P keeps what happens to be in the working directory from being imported; the project's packages are found.
        variables = {**os.environ, "PYTHONPATH": str(PROJECT)}
        if command[0] == "embedded":
            # It heeds Ctrl-C as soon as it can say so; a Python that is only starting ends in a traceback.
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        os.execve(environment.python, [str(environment.python), "-P", "-m", *command], variables)  # noqa: S606
    except (Failure, OSError) as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        say(INTERRUPTED)
        return 130


def suitable_python() -> str:
    """Return a Python that is new enough: this one, or another on PATH.

    Raises:
        Failure: There is none.
    """
    if sys.version_info[:2] >= OLDEST:
        return sys.executable
    check = f"import sys; sys.exit(sys.version_info < {OLDEST})"
    for name in ["python3", *(f"python3.{minor}" for minor in range(14, OLDEST[1] - 1, -1))]:
        found = shutil.which(name)
        if found and subprocess.call([found, "-c", check], stderr=subprocess.DEVNULL) == 0:
            return found
    needed, this = (".".join(map(str, version)) for version in (OLDEST, sys.version_info[:2]))
    raise Failure(
        f"Python {needed} or newer is needed, {sys.executable} is {this}; install a newer one so that it is on PATH "
        f"as python3 or python{needed}"
    )


def install_venv(python: str) -> None:
    """Install the modules venv and ensurepip, which Debian's ``python`` lacks.

    Raises:
        Failure: We aren't root, there is no apt, or it fails.
    """
    _, package = _output([python, "-c", "import sys; print('python%d.%d-venv' % sys.version_info[:2])"])
    package = package.strip()
    apt = shutil.which("apt-get")
    if os.geteuid() != 0 or apt is None:
        raise Failure(f"{python} lacks the modules venv and ensurepip; install as root: apt-get install {package}")
    say(f"installing {package}")
    options = ["-y", "-o", "DPkg::Lock::Timeout=300"]
    _, updating = _output([apt, *options, "update"])
    code, installing = _output([apt, *options, "install", "--no-install-recommends", package])
    if code != 0:
        errors = re.findall("^E: (.*)", updating + installing, re.MULTILINE) or [f"apt-get exited with {code}"]
        raise Failure(
            f"{package} can't be installed: {errors[-1]}; check apt's sources and the network, then try: "
            f"apt-get install {package}"
        )


def explain(said: list[str]) -> str:
    """Make one line, with what to do, of what pip said before it failed."""
    errors = [line[len("ERROR: ") :] for line in said if line.startswith("ERROR: ")]
    if any("No space left on device" in line for line in said):
        return f"the disk became full while installing the Python packages into {PROJECT}; make room, then run it again"
    # A name that pip couldn't look up because of the network ends in "no matching distribution", too.
    causes = [
        line for line in said if "ConnectTimeoutError" in line or "NewConnectionError" in line or "SSLError" in line
    ]
    if not errors:
        return ""
    reason = causes[0].partition("after connection broken by ")[2] or errors[0] if causes else errors[0]
    return f"the Python packages can't be installed: {reason}; check the network and pip's settings, then run it again"


def show(line: str) -> None:
    """Show ``line`` on a terminal, in place of the one before."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{line[: shutil.get_terminal_size().columns - 1]}")
        sys.stderr.flush()


def say(line: str) -> None:
    """Print ``line``."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _output(command: list[str]) -> tuple[int, str]:
    """Run ``command`` and return its exit code and what it wrote."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    answer = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return answer.returncode, answer.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
