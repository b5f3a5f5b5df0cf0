"""How the program ``helm`` is run, with a stand-in for it."""

import asyncio
import stat
from pathlib import Path

import pytest

from embedded.plugins.kubernetes import helm
from embedded.plugins.kubernetes.errors import PluginError
from embedded.plugins.kubernetes.kubeconfig import Connection

CONNECTION = Connection(
    "https://cluster", "default", "it", "a test", {"server": "https://cluster"}, {"token": "hunter22"}
)
CHART = helm.Chart("./web", "web", "blog", "1.2.3", values={"password": "hunter22"}, value_files=("a: 1",))


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program ``helm`` on PATH, to be written by the test."""
    program = tmp_path / "bin" / "helm"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return program


def write(program: Path, script: str) -> None:
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(stat.S_IRWXU)


def render(interrupted: bool = False) -> helm.Rendered:
    async def capabilities() -> helm.Capabilities:
        return helm.Capabilities("v1.37.2", ("v1", "v1/Pod"))

    async def run() -> helm.Rendered:
        interrupt = asyncio.Event()
        if interrupted:
            interrupt.set()
        return await helm.render(CHART, CONNECTION, capabilities, interrupt)

    return asyncio.run(run())


def test_secrets_are_in_private_files_that_are_gone_afterwards(stand_in: Path, tmp_path: Path) -> None:
    write(
        stand_in,
        r"""
        echo "---"
        echo "# $*"
        for word; do
            if [ -f "$word" ]; then echo "# $(stat -c %a "$word") $(basename "$word"): $(cat "$word")"; fi
        done
        """,
    )
    words, *files = render().manifest.removeprefix("---\n").splitlines()
    assert words.startswith("# template web ./web --values ")
    assert "hunter22" not in words
    assert all(line.startswith("# 600 ") for line in files)
    assert [line.split()[2] for line in files] == ["values-0.yaml:", "values-1.yaml:", "kubeconfig:"]
    assert sum("hunter22" in line for line in files) == 2
    assert [each.name for each in tmp_path.iterdir()] == ["bin"]


def test_helm_asks_no_other_cluster_and_keeps_nothing(stand_in: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELM_KUBEAPISERVER", "https://other")
    monkeypatch.setenv("HELM_CONFIG_HOME", "/the/users/own")
    write(stand_in, 'echo "---"; env | grep ^HELM_ | sort')
    found = dict(line.split("=") for line in render().manifest.splitlines()[1:])
    assert found.keys() == {"HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"}
    assert found["HELM_CONFIG_HOME"] == "/the/users/own"
    assert found["HELM_CACHE_HOME"].endswith("/cache")


def test_without_a_kind_the_cluster_is_described_instead(stand_in: Path) -> None:
    write(
        stand_in,
        """
        case "$*" in *--dry-run=server*) echo 'Error: no matches for kind "Thing" in version "a/v1"' >&2; exit 1;; esac
        printf -- '---\\n# %s\\n' "$*"
        """,
    )
    manifest = render().manifest
    assert "--kube-version v1.37.2 --api-versions v1,v1/Pod" in manifest
    assert "--kubeconfig" not in manifest


def test_warnings_are_passed_on_and_noise_isnt(stand_in: Path) -> None:
    write(
        stand_in,
        """
        echo 'level=WARN msg="this chart is deprecated"' >&2
        echo 'level=WARN msg="This chart or one of its subcharts contains CRDs. Rendering may fail or ..."' >&2
        echo 'level=INFO msg=details' >&2
        echo 'level=WARN msg=found name=web' >&2
        echo "Saving 1 charts"
        """,
    )
    assert render() == helm.Rendered("", ["this chart is deprecated", "found name=web"])


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("level=WARN msg=x\nError: two\n  lines\n\nUse --debug flag to render out invalid YAML\n", "two lines"),
        ("Error: at once", "at once"),
        ("panic: something else", "panic: something else"),
        ("", "helm said nothing"),
    ],
)
def test_an_error_is_one_line(stand_in: Path, said: str, message: str) -> None:
    (stand_in.parent / "said").write_text(said)
    write(stand_in, f"cat {stand_in.parent / 'said'} >&2; exit 1")
    with pytest.raises(PluginError) as error:
        render()
    assert str(error.value) == message


def test_an_interrupt_ends_it(stand_in: Path) -> None:
    write(stand_in, "exec sleep 600")
    with pytest.raises(PluginError, match="the rendering was interrupted"):
        render(interrupted=True)
