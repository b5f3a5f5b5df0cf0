"""Whether the kubeconfig that a provider would use is there, and what is said where it isn't."""

import json
from pathlib import Path

import pytest

from settings.kubeconfig import check_kubeconfig

EMBEDDED = 'for the embedded cluster run script/up, then eval "$(script/env)"'
ALLOWED = f"allowed: path or text of a kubeconfig, or unset for $KUBECONFIG or ~/.kube/config; {EMBEDDED}"


def written(path: Path, *contexts: str, current: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text(*contexts, current=current))
    return path


def text(*contexts: str, current: str | None = None) -> str:
    return json.dumps({"contexts": [{"name": name, "context": {}} for name in contexts], "current-context": current})


def test_the_key_wins(tmp_path: Path) -> None:
    path = written(tmp_path / "config", "here")
    assert check_kubeconfig(str(path), "here", {"KUBECONFIG": "/missing"}) == []


def test_then_the_variable(tmp_path: Path) -> None:
    one, two = written(tmp_path / "one", "a", current="a"), written(tmp_path / "two", "b")
    environ = {"KUBECONFIG": f"{tmp_path / 'missing'}:{one}:{two}", "HOME": "/missing"}
    assert check_kubeconfig(None, "b", environ) == []
    assert check_kubeconfig(None, None, environ) == []


def test_then_the_default(tmp_path: Path) -> None:
    written(tmp_path / ".kube" / "config", "here")
    assert check_kubeconfig(None, "here", {"HOME": str(tmp_path)}) == []


def test_a_text_is_a_kubeconfig_too() -> None:
    assert check_kubeconfig(text("here"), "here", {}) == []
    assert check_kubeconfig("apiVersion: v1\ncontexts:\n- name: here\n", "here", {}) == []


def test_home_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    written(tmp_path / "config", "here")
    assert check_kubeconfig("~/config", "here", {}) == []


def test_missing(tmp_path: Path) -> None:
    path = tmp_path / "config"
    assert check_kubeconfig(str(path), "a", {}) == [f"inspiration:kubeconfig: {path} doesn't exist; {ALLOWED}"]
    assert check_kubeconfig(None, "a", {"KUBECONFIG": str(path)}) == [
        f"inspiration:kubeconfig: {path} doesn't exist; {ALLOWED}"
    ]
    assert check_kubeconfig(None, "a", {"HOME": str(tmp_path)}) == [
        f"inspiration:kubeconfig: {tmp_path}/.kube/config doesn't exist; {ALLOWED}"
    ]


def test_a_folder(tmp_path: Path) -> None:
    assert check_kubeconfig(str(tmp_path), "a", {}) == [f"inspiration:kubeconfig: {tmp_path} is a folder; {ALLOWED}"]


def test_a_file_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_bytes(b"\xff\xfe")
    assert check_kubeconfig(str(path), "a", {}) == [
        f"inspiration:kubeconfig: {path} can't be read: it isn't text; {ALLOWED}"
    ]
    path.write_text("a: }\n")
    assert check_kubeconfig(str(path), "a", {}) == [
        f"inspiration:kubeconfig: {path} is no YAML in line 1; allowed: path or text of a kubeconfig"
    ]
    path.write_text("[]")
    assert check_kubeconfig(str(path), "a", {}) == [
        f"inspiration:kubeconfig: {path} is no kubeconfig: it has no contexts; allowed: path or text of a kubeconfig"
    ]


def test_a_bad_text_is_not_shown() -> None:
    [line] = check_kubeconfig("token: SECRET\n\t- x", "a", {})
    assert line == "inspiration:kubeconfig: the text given is no YAML in line 2; allowed: path or text of a kubeconfig"


def test_another_context(tmp_path: Path) -> None:
    path = written(tmp_path / "config", "microk8s", "kind-kind")
    assert check_kubeconfig(str(path), "microk8", {}) == [
        f'inspiration:context: "microk8" given, which isn\'t in {path}; did you mean microk8s? '
        "allowed: kind-kind, microk8s"
    ]
    assert check_kubeconfig(None, "x", {"KUBECONFIG": str(path)}) == [
        'inspiration:context: "x" given, which isn\'t in $KUBECONFIG; allowed: kind-kind, microk8s'
    ]


def test_the_context_of_the_embedded_cluster_is_explained(tmp_path: Path) -> None:
    path = written(tmp_path / "config")
    assert check_kubeconfig(str(path), "inspiration", {}) == [
        f'inspiration:context: "inspiration" given, which isn\'t in {path}; allowed: none; {EMBEDDED}'
    ]


def test_no_context(tmp_path: Path) -> None:
    path = written(tmp_path / "config", "a", "b")
    assert check_kubeconfig(str(path), None, {}) == [
        f"inspiration:context: not set, and {path} has no current context; allowed: a, b"
    ]
