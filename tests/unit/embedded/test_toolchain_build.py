"""Go modules are built with a real Go: what comes out, what is said when it fails, and what a stop leaves."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import CancelledError
from pathlib import Path

import psutil
import pytest
import yaml
from rich.console import Console

from embedded import paths
from embedded.errors import Failure
from embedded.licences import Part
from embedded.licences import go as licences
from embedded.progress import Progress
from embedded.toolchain import busybox, charts, gomod
from embedded.toolchain import go as golang
from embedded.toolchain.build import Builder
from embedded.toolchain.diagnosis import explain, require_space
from tests.waiting import eventually

SAYS_VERSION = """\
package main

var version = "unset"

func main() { println(version) }
"""


@pytest.fixture
def module(tmp_path: Path) -> gomod.Module:
    """A module with one command, which needs nothing but the standard library."""
    folder = tmp_path / "toy"
    (folder / "cmd/hello").mkdir(parents=True)
    (folder / "go.mod").write_text("module example.test/toy\n\ngo 1.21\n\nrequire example.test/main v1.2.3\n")
    (folder / "cmd/hello/main.go").write_text(SAYS_VERSION)
    return gomod.Module(
        folder, "Toy", "example.test/main", stamps={"main.version": "example.test/main"}, links={"greet": "hello"}
    )


@pytest.fixture
def progress(tmp_path: Path) -> Progress:
    """Shown nowhere but in a file."""
    return Progress(Console(file=(tmp_path / "progress.txt").open("w"), width=200))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, but for what Go has compiled of its standard library already."""
    compiled = paths.create_cache("go-build")
    folder = tmp_path / "cache"
    folder.mkdir()
    (folder / "go-build").symlink_to(compiled)
    monkeypatch.setattr(paths, "CACHE", folder)
    return folder


def build(module: gomod.Module, cache: Path, progress: Progress) -> Path:
    builder = Builder([module], cache, cache, progress)
    for modules in builder.missing:
        builder.build(modules)
    return builder.folders[module.name]


def test_a_module_is_built_once_with_its_version_and_links(
    module: gomod.Module, cache: Path, progress: Progress
) -> None:
    folder = build(module, cache, progress)
    assert sorted(path.name for path in folder.iterdir()) == ["bin", "licences.json"]
    answer = subprocess.run([folder / "bin/greet"], capture_output=True, text=True, check=True)
    assert answer.stderr == "v1.2.3\n"
    assert busybox.is_static(folder / "bin/hello")
    assert build(module, cache, progress) == folder
    assert [(stage.title, stage.result) for stage in progress.stages] == [
        ("Toy 1.2.3", "built"),
        ("Toy 1.2.3", "from cache"),
    ]


def test_a_command_is_made_of_the_tests_of_a_package(module: gomod.Module, cache: Path, progress: Progress) -> None:
    (module.folder / "suite").mkdir()
    (module.folder / "suite/suite_test.go").write_text(
        'package suite\n\nimport "testing"\n\nfunc TestIt(t *testing.T) {}\n'
    )
    with (module.folder / "go.mod").open("a") as file:
        file.write("\ntool example.test/toy/suite\n")
    module = dataclasses.replace(module, suites={"suite.test": "example.test/toy/suite"})
    folder = build(module, cache, progress)
    done = subprocess.run([folder / "bin/suite.test", "-test.v"], capture_output=True, text=True, check=True)
    assert "--- PASS: TestIt" in done.stdout
    assert module.builds == [["./cmd/..."]]


def test_the_licences_of_what_is_linked_are_kept_with_the_programs(
    module: gomod.Module, cache: Path, progress: Progress
) -> None:
    folder = build(module, cache, progress)
    compiler = golang.installed(module.go)
    assert compiler
    assert list(licences.recorded(folder / licences.RECORD)) == [
        Part("Go module", "std", compiler.version, "BSD-3-Clause", "hello")
    ]


@pytest.fixture
def main(module: gomod.Module) -> Path:
    """The folder of the module that gives the version, to be filled."""
    folder = module.folder / "main"
    folder.mkdir()
    (folder / "go.mod").write_text("module example.test/main\n")
    with (module.folder / "go.mod").open("a") as file:
        file.write("\nreplace example.test/main => ./main\n")
    return folder


def write_closed(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(text)
    for each in (path, path.parent):
        each.chmod(0o555)


def test_sources_are_kept_beside_the_binaries_and_can_be_removed(
    module: gomod.Module, main: Path, cache: Path, progress: Progress
) -> None:
    write_closed(main / "web/ui/src/app.ts", "1\n")
    folder = build(dataclasses.replace(module, sources={"ui": "web/ui"}), cache, progress)
    assert (folder / "ui/src/app.ts").read_text() == "1\n"
    assert all(path.stat().st_mode & 0o200 for path in (folder / "ui", *(folder / "ui").rglob("*")))


SAYS_WHAT_IS_OURS = """\
package main

import (
	_ "embed"

	"example.test/main/words"
)

//go:embed text.txt
var text string

func main() { println(text + words.Ours + words.Theirs) }
"""


def test_commands_embed_what_upstream_has_and_some_files_of_a_module_are_ours(
    module: gomod.Module, main: Path, cache: Path, progress: Progress
) -> None:
    write_closed(main / "cmd/hello/text.txt", "embedded ")
    write_closed(main / "words/ours.go", 'package words\n\nconst Ours = "not this one "\n')
    (main / "words").chmod(0o755)
    (main / "words/theirs.go").write_text('package words\n\nconst Theirs = "theirs"\n')
    (module.folder / "cmd/hello/main.go").write_text(SAYS_WHAT_IS_OURS)
    ours = module.folder / "amended/words/ours.go"
    ours.parent.mkdir(parents=True)
    ours.write_text('package words\n\nconst Ours = "ours "\n')
    amended = dataclasses.replace(
        module, embeds=("cmd/hello/text.txt",), amended={"example.test/main": "amended"}, links={}, stamps={}
    )
    folder = build(amended, cache, progress)
    answer = subprocess.run([folder / "bin/hello"], capture_output=True, text=True, check=True)
    assert answer.stderr == "embedded ours theirs\n"
    assert sorted(path.name for path in folder.iterdir()) == ["bin", "licences.json"]
    assert not (module.folder / "cmd/hello/text.txt").exists()


def test_a_text_of_a_module_is_replaced_by_ours_if_it_is_there_once(
    module: gomod.Module, main: Path, cache: Path, progress: Progress
) -> None:
    write_closed(main / "cmd/hello/text.txt", "embedded ")
    write_closed(main / "words/words.go", 'package words\n\nconst Ours, Theirs = "theirs ", "theirs"\n')
    (module.folder / "cmd/hello/main.go").write_text(SAYS_WHAT_IS_OURS)
    (module.folder / "amended").mkdir()
    amended = dataclasses.replace(
        module, embeds=("cmd/hello/text.txt",), amended={"example.test/main": "amended"}, links={}, stamps={}
    )
    edited = dataclasses.replace(amended, edits=[("amended/words/words.go", '"theirs "', '"ours "')])
    folder = build(edited, cache, progress)
    answer = subprocess.run([folder / "bin/hello"], capture_output=True, text=True, check=True)
    assert answer.stderr == "embedded ours theirs\n"
    with pytest.raises(Failure) as failure:
        build(dataclasses.replace(amended, edits=[("amended/words/words.go", "theirs", "ours")]), cache, progress)
    assert str(failure.value).startswith("amended/words/words.go of ")
    assert "has `theirs` 2 times, where ours stands once; adapt what" in str(failure.value)


@pytest.mark.parametrize(("release", "version"), [(None, "v1.2.3"), ("3.2.1", "3.2.1")])
def test_charts_are_kept_in_the_version_that_upstream_publishes(
    module: gomod.Module, main: Path, cache: Path, progress: Progress, release: str | None, version: str
) -> None:
    write_closed(main / "deploy/toy/Chart.yaml", "# ours\nname: toy\nversion: v0.0.0\nappVersion: v0.0.0\n")
    with_chart = dataclasses.replace(module, release=release, charts={"charts.example.test/all/toy": "deploy/toy"})
    folder = build(with_chart, cache, progress)
    described = folder / "charts/charts.example.test/all/toy/Chart.yaml"
    assert yaml.safe_load(described.read_text()) == {"name": "toy", "version": version, "appVersion": version}
    assert charts.environment([folder / "bin", cache / "bin"]) == {"INSPIRATION_CHARTS": str(folder / "charts")}
    assert charts.environment([cache / "bin"]) == {}


def test_a_module_may_have_charts_only(module: gomod.Module, main: Path, cache: Path, progress: Progress) -> None:
    shutil.rmtree(module.folder / "cmd")
    write_closed(main / "deploy/toy/Chart.yaml", "name: toy\n")
    folder = build(
        dataclasses.replace(module, charts={"charts.example.test/toy": "deploy/toy"}, links={}), cache, progress
    )
    assert (folder / "charts/charts.example.test/toy/Chart.yaml").is_file()
    assert not list((folder / "bin").iterdir())


def test_a_manifest_is_made_of_the_files_that_upstream_makes_it_of(
    module: gomod.Module, main: Path, cache: Path, progress: Progress
) -> None:
    (main / "deploy").mkdir()
    for name in "ba":
        (main / f"deploy/{name}.yaml").write_text(f"name: {name}\n")
    place = "example.test/releases/v1/install.yaml"
    folder = build(dataclasses.replace(module, manifests={place: "deploy"}), cache, progress)
    assert list(yaml.safe_load_all((folder / "charts" / place).read_text())) == [{"name": "a"}, {"name": "b"}]


@pytest.mark.parametrize(
    ("roomy", "missing", "lists"),
    [
        (True, "cluster pulumi addon other", ["cluster addon", "pulumi other"]),
        (True, "cluster addon", ["cluster addon"]),
        (True, "pulumi addon other", ["pulumi", "addon other"]),
        (True, "addon other", ["addon", "other"]),
        (True, "", []),
        (False, "cluster pulumi addon other", ["cluster pulumi addon other"]),
        (False, "", []),
    ],
)
def test_two_are_built_at_a_time_and_what_shares_libraries_one_after_the_other(
    module: gomod.Module, cache: Path, progress: Progress, roomy: bool, missing: str, lists: list[str]
) -> None:
    def named(name: str, after: gomod.Module | None = None) -> gomod.Module:
        folder = Path(shutil.copytree(module.folder, module.folder.with_name(name)))
        return dataclasses.replace(module, folder=folder, after=after)

    cluster = named("cluster")
    builder = Builder([cluster, named("pulumi"), named("addon", cluster), named("other")], cache, cache, progress)
    builder._roomy = roomy
    builder.folders = {name: cache for name in ("cluster", "pulumi", "addon", "other") if name not in missing.split()}
    assert [" ".join(module.name for module in modules) for modules in builder.missing] == lists


def test_what_does_not_compile_is_reported_and_leaves_no_entry(
    module: gomod.Module, cache: Path, progress: Progress
) -> None:
    (module.folder / "cmd/hello/main.go").write_text("package main\n\nfunc main() { undefinedName() }\n")
    with pytest.raises(Failure) as caught:
        build(module, cache, progress)
    assert caught.value.cause == "The toolchain doesn't build: cmd/hello/main.go:3:15: undefined: undefinedName"
    assert caught.value.log == cache / "toy.log"
    assert not list(cache.glob("toy-*"))


def test_a_module_that_cannot_be_had_is_named(
    module: gomod.Module, cache: Path, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOPROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("GONOSUMDB", "example.test")
    source = module.folder / "cmd/hello/main.go"
    source.write_text(source.read_text().replace("package main\n", 'package main\n\nimport _ "example.test/main"\n'))
    (module.folder / "go.sum").write_text(
        f"example.test/main v1.2.3 h1:{'A' * 43}=\nexample.test/main v1.2.3/go.mod h1:{'A' * 43}=\n"
    )
    with pytest.raises(Failure) as caught:
        build(module, cache, progress)
    assert str(caught.value) == (
        "The Go module example.test/main@v1.2.3 can't be downloaded: dial tcp 127.0.0.1:9: connect: connection refused"
        f"; check the network, HTTPS_PROXY and GOPROXY; what has been downloaded is kept (log: {cache / 'toy.log'})"
    )


def test_a_stopped_build_leaves_no_entry(module: gomod.Module, cache: Path, progress: Progress) -> None:
    builder = Builder([module], cache, cache, progress)
    builder.stop()
    with pytest.raises(CancelledError):
        builder.build([module])
    assert not list(cache.glob("toy-*"))
    assert progress.stages[0].result == "stopped"


def test_an_interrupted_run_takes_its_compilers_with_it(module: gomod.Module, cache: Path, tmp_path: Path) -> None:
    """Ctrl-C while Go waits for its tool, which stands for a long compilation."""
    started = tmp_path / "started"
    tool = tmp_path / "go"
    go = shutil.which("go")
    tool.write_text(
        f"""#!/bin/sh
[ "$1" = version ] && exec {go} version
sh -c 'echo $$ > {started}; exec sleep 1000'
"""
    )
    tool.chmod(0o755)
    script = f"""
import signal, sys
from pathlib import Path
from embedded import paths
from embedded.progress import Progress
from embedded.toolchain.build import Builder
from embedded.toolchain.gomod import Module
signal.signal(signal.SIGINT, signal.default_int_handler)
cache = paths.CACHE = Path({str(cache)!r})
module = Module(Path({str(module.folder)!r}), "Toy", "example.test/main", stamps={{}})
builder = Builder([module], cache, cache, Progress())
try:
    builder.build(builder.missing[0])
except KeyboardInterrupt:
    sys.exit(130)
"""
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    with subprocess.Popen([sys.executable, "-c", script], env=environment, cwd=paths.PROJECT) as process:
        assert eventually(lambda: started.exists() and started.read_text().endswith("\n"))
        compiler = int(started.read_text())
        process.send_signal(signal.SIGINT)
    assert process.returncode == 130
    assert eventually(lambda: has_ended(compiler))
    assert not list(cache.glob("toy-*"))


def has_ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_the_builds_are_stopped_from_another_thread(module: gomod.Module, cache: Path, tmp_path: Path) -> None:
    tool, started = tmp_path / "go", tmp_path / "started"
    tool.write_text(f"#!/bin/sh\necho > {started}\nexec sleep 1000\n")
    tool.chmod(0o755)
    builder = Builder([module], cache, cache, Progress(Console(file=(tmp_path / "out").open("w"))))
    builder._go = golang.Go(tool, "1.99.0")
    caught: list[BaseException] = []

    def run() -> None:
        try:
            builder.build([module])
        except CancelledError as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert eventually(started.exists)
    builder.stop()
    thread.join()
    assert len(caught) == 1
    assert not list(cache.glob("toy-*"))


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            'go: k8s.io/api@v0.37.2: Get "https://proxy.test/k8s.io/api/@v/v0.37.2.mod": dial tcp: lookup proxy.test: '
            "no such host",
            "The Go module k8s.io/api@v0.37.2 can't be downloaded: dial tcp: lookup proxy.test: no such host; "
            "check the network, HTTPS_PROXY and GOPROXY; what has been downloaded is kept (log: /log)",
        ),
        (
            "go: golang.org/x/net@v0.60.0: reading https://proxy.test/golang.org/x/net/@v/v0.60.0.zip: 403 Forbidden",
            "The Go module golang.org/x/net@v0.60.0 can't be downloaded: 403 Forbidden; "
            "check the network, HTTPS_PROXY and GOPROXY; what has been downloaded is kept (log: /log)",
        ),
        (
            'go: k8s.io/api@v0.37.2: Get "https://proxy.test/x": tls: failed to verify certificate: x509: certificate '
            "signed by unknown authority",
            "The Go module k8s.io/api@v0.37.2 can't be downloaded: tls: failed to verify certificate: x509: "
            "certificate signed by unknown authority; install the package ca-certificates, or the certificate of "
            "your network's proxy (log: /log)",
        ),
        (
            "go: module lookup disabled by GOPROXY=off",
            "Go modules are missing, and GOPROXY=off forbids to download them; unset GOPROXY, or fill GOMODCACHE "
            "(log: /log)",
        ),
        (
            "k8s.io/api/core/v1: /usr/lib/go/pkg/tool/compile: signal: killed",
            "A compiler was killed, most likely for lack of memory; close other programs, or add memory or swap "
            "(log: /log)",
        ),
        (
            "# k8s.io/api\nwrite /cache/b001/_pkg_.a: no space left on device",
            f"The disk became full while building into {paths.CACHE}; make room, or set XDG_CACHE_HOME (and "
            "GOMODCACHE) to a folder on a larger disk (log: /log)",
        ),
        (
            "",
            "The toolchain doesn't build: go says nothing of why; see the log; this is a fault of the project unless "
            "Go or the cache is damaged (then `go clean -cache` helps) (log: /log)",
        ),
    ],
)
def test_what_go_says_becomes_one_line(said: str, message: str) -> None:
    assert str(explain(["go: downloading k8s.io/api v0.37.2", *said.splitlines()], Path("/log"))) == message


def test_too_little_room_is_found_before_the_build(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setattr("embedded.toolchain.diagnosis._BUILD_CACHE_BYTES", 0)
    monkeypatch.setattr("embedded.toolchain.diagnosis._MODULE_CACHE_BYTES", 0)
    require_space()
    monkeypatch.setattr("embedded.toolchain.diagnosis._BUILD_CACHE_BYTES", 10**18)
    with pytest.raises(
        Failure, match=r"GB free, building the toolchain needs \d{9,}\.\d GB; make room, or set XDG_CACHE_HOME"
    ):
        require_space()


def test_pypis_go_compiles(module: gomod.Module, progress: Progress, tmp_path: Path) -> None:
    with progress.stage("Go") as stage:
        go = golang.from_pypi(stage, tmp_path / "go.log")
    assert go.version == golang.PYPI_GO
    environment = {**os.environ, "CGO_ENABLED": "0", "GOCACHE": str(paths.create_cache("go-build"))}
    command = [str(go.executable), "build", "-o", str(tmp_path / "hello"), "./cmd/hello"]
    subprocess.run(command, cwd=module.folder, env=environment, check=True)
    answer = subprocess.run([tmp_path / "hello"], capture_output=True, text=True, check=True)
    assert answer.stderr == "unset\n"


@pytest.mark.parametrize(("minimum", "fits"), [("1.2", True), ("1.999.0", False)])
def test_the_machines_go_is_used_if_it_is_new_enough(minimum: str, fits: bool) -> None:
    assert (golang.installed(minimum) is not None) is fits


def test_versions_sort_as_numbers() -> None:
    assert max(["1.9.2", "1.26", "1.26.6"], key=golang.numbers) == "1.26.6"
