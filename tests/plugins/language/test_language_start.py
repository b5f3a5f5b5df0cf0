"""What the engine that is built here starts of a program's processes, and when."""

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from embedded.plugins.language.program import LIBRARIES
from tests.plugins.language.project import Project
from tests.waiting import eventually

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.skipif(
    shutil.which("pulumi") is not None, reason="the engine on PATH isn't the one that is built here"
)

KUBECONFIG = {
    "clusters": [{"name": "here", "cluster": {"server": "http://127.0.0.1:1"}}],
    "contexts": [{"name": "here", "context": {"cluster": "here"}}],
    "current-context": "here",
}
PASSWORD = """
import os, time
import psutil, pulumi_random

def plugins():
    children = psutil.Process(os.getppid()).parent().children()
    return [each for each in children if any("/resource-random-" in word for word in each.cmdline())]
"""
REGISTER = """
pulumi_random.RandomPassword("password", length=12).id.apply(lambda _: print(f"in all: {len(plugins())}"))
"""
WAIT = """
end = time.monotonic() + 60
while not plugins() and time.monotonic() < end:
    time.sleep(0.05)
print(f"before it is asked for: {len(plugins())}")
"""


@pytest.fixture
def starts(project: Project, tmp_path: Path) -> Path:
    """A file that gets a line whenever a language host starts."""
    installed, home, starts = Path(project.variables["PULUMI_HOME"]), tmp_path / "home", tmp_path / "starts"
    home.mkdir()
    (home / "plugins").symlink_to(installed / "plugins")
    launcher = home / "pulumi-language-python"
    launcher.write_text(f'#!/bin/sh\necho started >> "{starts}"\nexec "{installed / launcher.name}" "$@"\n')
    launcher.chmod(0o755)
    project.variables |= {"PULUMI_HOME": str(home), "PULUMI_STACK": "dev"}
    return starts


@pytest.mark.parametrize("words", [["preview"], ["up", "--yes", "--skip-preview"]], ids=["preview", "up"])
def test_the_language_host_that_tells_its_version_runs_the_program(
    project: Project, starts: Path, words: list[str]
) -> None:
    project.write("__main__.py", "import pulumi\nprint('printed')\npulumi.log.warn('logged')")
    shown = project.pulumi(*words)
    assert "printed" in shown
    assert "logged" in shown
    assert starts.read_text().split() == ["started"]


def test_the_language_host_of_a_preview_that_does_not_begin_ends_with_the_engine(
    project: Project, starts: Path
) -> None:
    project.variables["PULUMI_CONFIG_PASSPHRASE"] = "another"
    assert "incorrect passphrase" in project.pulumi("preview", fails=True)
    engine = Path(project.variables["PATH"].partition(":")[0]).parent
    assert starts.read_text().split() == ["started"]
    assert eventually(lambda: not [each for each in psutil.process_iter() if str(engine) in _words(each)])


def test_the_plugins_of_the_state_start_before_the_program_asks_for_them(project: Project) -> None:
    project.write("__main__.py", PASSWORD + REGISTER)
    project.up()
    project.write("__main__.py", PASSWORD + WAIT + REGISTER)
    shown = project.pulumi("preview", "--expect-no-changes")
    assert "before it is asked for: 1" in shown
    assert "in all: 1" in shown


def test_a_plugin_that_nothing_asks_for_any_more_makes_no_difference(project: Project) -> None:
    project.write("__main__.py", PASSWORD + REGISTER)
    project.up()
    project.write("__main__.py", "")
    project.up()
    assert [each["type"] for each in project.resources()] == ["pulumi:pulumi:Stack"]


def test_no_plugin_outlives_a_program_that_fails_at_once(project: Project) -> None:
    """While the plugin is still being started, which the Kubernetes plugin takes the longest for."""
    declared = f"pulumi_kubernetes.Provider('cluster', kubeconfig={json.dumps(KUBECONFIG)!r})"
    project.write("__main__.py", f"import pulumi_kubernetes\n{declared}\n")
    project.up()
    project.write("__main__.py", "import sys\nsys.exit('no')\n")
    for _ in range(12):
        project.pulumi("preview", fails=True)
        assert eventually(lambda: not plugins_of(project))


def plugins_of(project: Project) -> list[psutil.Process]:
    """The Kubernetes plugins that run of this project's home."""
    plugins = f"{project.variables['PULUMI_HOME']}/plugins/resource-kubernetes-"
    running = psutil.process_iter(["cmdline"])
    return [each for each in running if (each.info["cmdline"] or [""])[0].startswith(plugins)]


def test_no_library_is_loaded_in_vain() -> None:
    """All that are loaded before a program is known are what ours needs anyway."""
    tree = ast.parse((ROOT / "__main__.py").read_text())
    imports = [ast.unparse(node) for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    # It loads the client where it asks the cluster.
    asks = f"from settings.cluster_reader import ApiServer; ApiServer({json.dumps(KUBECONFIG)!r}, None)"
    code = "\n".join([*imports, asks, "import sys; print(*sys.modules)"])
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(LIBRARIES) <= set(done.stdout.split())


def _words(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""
