"""Building the Go modules, with progress, and errors that say what to do."""

import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from pathlib import Path

import psutil

from embedded import paths
from embedded.errors import Failure
from embedded.progress import Stage
from embedded.toolchain.go import Go
from embedded.toolchain.gomod import Module

_GB = 1_000_000_000
_BUILD_CACHE_BYTES = 6 * _GB
"""Go's build cache after both modules (5.0 GB measured), the binaries, and room to link them in."""
_MODULE_CACHE_BYTES = 3 * _GB
"""The modules' sources (2.6 GB measured)."""
_ROOMY = 6 * _GB
"""With so much memory free, the compilers may take three times the memory to spend a tenth less time."""


class Builder:
    """Runs ``go build`` for one or several modules at the same time.

    Args:
        go: The compiler.
        logs: Folder for the logs, a file a module.
    """

    def __init__(self, go: Go, logs: Path) -> None:
        self.go = go
        self._logs = logs
        self._running: set[subprocess.Popen[str]] = set()
        self._stopped = threading.Event()
        # Two modules at a time, each with all cores: the shorter one fills the gaps of the longer one (long chains of
        # imports at the start, linking at the end), and when it is done no core is left idle.
        self._roomy = psutil.virtual_memory().available >= _ROOMY
        self.concurrent = self._roomy
        self._jobs = os.cpu_count() or 1 if self._roomy else 1

    def build(self, module: Module, folder: Path, lock: int, stage: Stage) -> None:
        """Build all commands of ``module`` into ``folder/bin``; ``lock`` is a descriptor that the builds inherit.

        Raises:
            Failure: A module can't be had, something doesn't compile, or there is no room.
            concurrent.futures.CancelledError: `stop` was called.
        """
        work = folder / "work"
        binaries = folder / "bin"
        for made in work, binaries:
            made.mkdir()
        log = self._logs / f"{module.name}.log"
        with log.open("w") as transcript:

            def go(*arguments: str) -> Iterator[str]:
                return self._go_lines(arguments, module.folder, work, lock, transcript.write, log)

            for packages in module.builds:
                stage.update("looking at what there is to build")
                stale = set()
                for line in go("list", "-deps", "-f", _STALE, *module.flags, *packages):
                    if line.startswith("go: downloading "):
                        stage.update(line.removeprefix("go: "))
                    stale.add(line)
                done = 0
                for line in go("build", f"-p={self._jobs}", "-v", *module.flags, "-o", f"{binaries}/", *packages):
                    if line in stale:
                        done += 1
                        stage.update(f"{done} of {len(stale)} packages, {line}")
        for name, target in module.links.items():
            (binaries / name).symlink_to(target)
        shutil.rmtree(work)

    def stop(self) -> None:
        """End the builds that are running."""
        self._stopped.set()
        for process in list(self._running):
            _end(process)

    def _go_lines(
        self, arguments: Sequence[str], cwd: Path, work: Path, lock: int, write: Callable[[str], object], log: Path
    ) -> Iterator[str]:
        """Run ``go``, yield its lines and put them in the log; a failure is reported from them."""
        said: list[str] = []
        with subprocess.Popen(
            [self.go.executable, *arguments],
            cwd=cwd,
            env=self._environment(work),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            pass_fds=(lock,),
            process_group=0,  # so that its compilers can be ended with it
        ) as process:
            self._running.add(process)
            try:
                if self._stopped.is_set():
                    raise CancelledError
                for line in process.stdout or ():
                    write(line)
                    said.append(line.rstrip("\n"))
                    yield said[-1]
            except BaseException:
                _end(process)
                raise
            finally:
                process.wait()
                self._running.discard(process)
        if self._stopped.is_set():
            raise CancelledError
        if process.returncode:
            raise explain(said, log)

    def _environment(self, work: Path) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
        return {
            **inherited,
            "CGO_ENABLED": "0",
            "GOCACHE": str(paths.create_cache("go-build")),
            "GOFLAGS": "-buildvcs=false",  # not the user's, which may ask for a vendor folder or another go.mod
            "GOTMPDIR": str(work),
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
            **({"GOGC": "400"} if self._roomy else {}),
        }


_NOT_INHERITED = {"GOARCH", "GOBIN", "GOEXPERIMENT", "GOGC", "GOOS", "GOROOT"}

# "not installed but available in build cache" is how Go calls a command that needs linking only.
_STALE = '{{if .Stale}}{{if ne .StaleReason "not installed but available in build cache"}}{{.ImportPath}}{{end}}{{end}}'


def _end(process: subprocess.Popen[str]) -> None:
    """End ``process`` and its children if it still runs; interrupted, Go removes its temporary files."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def require_space(go: Go) -> None:
    """Check that a build finds room.

    Raises:
        Failure: It doesn't; says which folder, how much there is, and how much is needed.
    """
    answer = subprocess.run(
        [go.executable, "env", "GOMODCACHE"], cwd="/", capture_output=True, text=True, check=False
    ).stdout.strip()
    modules = Path(answer or Path.home() / "go/pkg/mod")
    needs: dict[int, tuple[Path, int]] = {}
    for folder, full in (paths.create_cache("go-build"), _BUILD_CACHE_BYTES), (modules, _MODULE_CACHE_BYTES):
        there = next(parent for parent in [folder, *folder.parents] if parent.is_dir())
        missing = max(full - _size(folder), _GB // 2)
        first, sum_ = needs.get(there.stat().st_dev, (there, 0))
        needs[there.stat().st_dev] = first, sum_ + missing
    for folder, needed in needs.values():
        free = shutil.disk_usage(folder).free
        if free < needed:
            raise Failure(
                f"{folder} has {free / _GB:.1f} GB free, building the toolchain needs {needed / _GB:.1f} GB",
                "make room, or set XDG_CACHE_HOME (and GOMODCACHE) to a folder on a larger disk",
            )


def _size(folder: Path) -> int:
    """Bytes in Go's build cache, or in its module cache: that one isn't counted, it is there or it isn't."""
    if folder.name != "go-build":
        return _MODULE_CACHE_BYTES if (folder / "k8s.io").is_dir() else 0
    return sum(file.stat().st_size for part in os.scandir(folder) if part.is_dir() for file in os.scandir(part.path))


def explain(said: Sequence[str], log: Path) -> Failure:
    """Make an error of what ``go`` said before it failed."""
    text = "\n".join(said)
    if "no space left on device" in text:
        return Failure(
            f"The disk became full while building into {paths.CACHE}",
            "make room, or set XDG_CACHE_HOME (and GOMODCACHE) to a folder on a larger disk",
            log,
        )
    if match := re.search(
        r"(\S+@v[^\s:/]+)[^\n]*?: ((?:Get \"|reading |dial |lookup |module lookup |verifying )[^\n]*)", text
    ):
        module, reason = match[1], re.sub(r'^(?:Get|reading) "?[^\s"]+"?: ', "", match[2])
        fix = "check the network, HTTPS_PROXY and GOPROXY; what has been downloaded is kept"
        if "x509: " in reason:
            fix = "install the package ca-certificates, or the certificate of your network's proxy"
        return Failure(f"The Go module {module} can't be downloaded: {reason}", fix, log)
    if "signal: killed" in text:
        return Failure(
            "A compiler was killed, most likely for lack of memory", "close other programs, or add memory or swap", log
        )
    errors = [line for line in said if line and not re.match(r"#|go: downloading|[\w./~-]+$", line)]
    return Failure(
        f"The toolchain doesn't build: {errors[0].strip() if errors else 'go says nothing of why'}",
        "see the log; this is a fault of the project unless Go or the cache is damaged (then `go clean -cache` helps)",
        log,
    )
