"""Whether the kubeconfig that a provider would use is there, and what is said where it isn't."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from settings.kubeconfig import UnusableError, check_kubeconfig, merged
from tests.privileges import anybody

TEXT = "allowed: path or text of a kubeconfig"
EMBEDDED = 'for the embedded cluster run script/up, then eval "$(script/env)"'
ALLOWED = f"{TEXT}, or unset for $KUBECONFIG or ~/.kube/config; {EMBEDDED}"


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


def test_one_of_several_may_have_a_part_only(tmp_path: Path) -> None:
    one, two, three = written(tmp_path / "one", "a", current="a"), tmp_path / "users", tmp_path / "empty"
    two.write_text("users: []\n")
    three.touch()
    assert check_kubeconfig(None, "a", {"KUBECONFIG": f"{one}:{two}:{three}"}) == []


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


def test_the_default_is_named_where_it_is_missing(tmp_path: Path) -> None:
    assert check_kubeconfig(None, "a", {"HOME": str(tmp_path)}) == [
        f"inspiration:kubeconfig: {tmp_path}/.kube/config doesn't exist; {ALLOWED}"
    ]


def looped(path: Path) -> None:
    path.symlink_to(path.name)


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, f"doesn't exist; {ALLOWED}"),
    "a link to nothing": (lambda path: path.symlink_to("nowhere"), f"doesn't exist; {ALLOWED}"),
    "a link to itself": (looped, f"can't be read: Too many levels of symbolic links; {ALLOWED}"),
    "a folder": (Path.mkdir, f"is a folder; {ALLOWED}"),
    "a pipe": (os.mkfifo, f"is no file; {ALLOWED}"),
    "empty": (Path.touch, f"is empty; {TEXT}"),
    "only a comment": (lambda path: path.write_text("# later\n"), f"is empty; {TEXT}"),
    "no text": (lambda path: path.write_bytes(b"\xff\xff"), f"can't be read: it isn't text; {ALLOWED}"),
    "half of UTF-16": (lambda path: path.write_bytes(b"\xff\xfe["), f"can't be read: it isn't text; {ALLOWED}"),
    "nothing in UTF-16": (lambda path: path.write_bytes(b"\xff\xfe"), f"is empty; {TEXT}"),
    "no YAML": (lambda path: path.write_text("a: }\n"), f"is no YAML in line 1; {TEXT}"),
    "no YAML further down": (lambda path: path.write_text("a: 1\nb: 'x\n"), f"is no YAML in line 3; {TEXT}"),
    "two documents": (lambda path: path.write_text("a: 1\n---\nb: 2\n"), f"is no YAML in line 2; {TEXT}"),
    "a date that isn't one": (lambda path: path.write_text("a: 2001-99-99\n"), f"is no YAML; {TEXT}"),
    "a list": (lambda path: path.write_text("[]"), f"is no kubeconfig: it has no contexts; {TEXT}"),
    "text": (lambda path: path.write_text("hello"), f"is no kubeconfig: it has no contexts; {TEXT}"),
    "another map": (lambda path: path.write_text("kind: Pod\n"), f"is no kubeconfig: it has no contexts; {TEXT}"),
    "what would overflow a stack": (
        lambda path: path.write_text("[" * 100_000 + "]" * 100_000),
        f"is no kubeconfig: it is nested too deeply; {TEXT}",
    ),
}


@pytest.mark.parametrize(("make", "expected"), FILES.values(), ids=FILES)
def test_a_file_that_is_no_kubeconfig(tmp_path: Path, make: Callable[[Path], object], expected: str) -> None:
    path = tmp_path / "config"
    make(path)
    expected = f"inspiration:kubeconfig: {path} {expected}"
    assert check_kubeconfig(str(path), "a", {}) == [expected]
    assert check_kubeconfig(None, "a", {"KUBECONFIG": str(path)}) == [expected]


ENTRIES: dict[str, tuple[dict[str, object], str]] = {
    "users with one name": (
        {"users": [{"name": "u", "user": {"token": "SECRET"}}, {"name": "u", "user": {"token": "SECRET"}}]},
        'has two users with the name "u"; remove one of them',
    ),
    "clusters with one name": (
        {"clusters": [{"name": "c"}, {"name": "c"}]},
        'has two clusters with the name "c"; remove one of them',
    ),
    "contexts with one name": (
        {"contexts": [{"name": "a"}, {"name": "a"}]},
        'has two contexts with the name "a"; remove one of them',
    ),
    "no user": ({"users": [None]}, f"is no kubeconfig: users[0] has no name; {TEXT}"),
    "a cluster without a name": (
        {"clusters": [{"name": "c"}, {"cluster": {}}]},
        f"is no kubeconfig: clusters[1] has no name; {TEXT}",
    ),
    "a user that is a text": (
        {"users": [{"name": "u", "user": "SECRET"}]},
        f"is no kubeconfig: user of users[0] is no map; {TEXT}",
    ),
    "a context that is a list": (
        {"contexts": [{"name": "a", "context": ["SECRET"]}]},
        f"is no kubeconfig: context of contexts[0] is no map; {TEXT}",
    ),
}


@pytest.mark.parametrize(("broken", "expected"), ENTRIES.values(), ids=ENTRIES)
def test_entries_that_are_none(tmp_path: Path, broken: dict[str, object], expected: str) -> None:
    config = json.dumps({**json.loads(text("a")), **broken})
    (tmp_path / "config").write_text(config)
    for given, where in ((str(tmp_path / "config"), str(tmp_path / "config")), (config, "the text given")):
        assert check_kubeconfig(given, "a", {}) == [f"inspiration:kubeconfig: {where} {expected}"]


def test_lists_that_are_unset_are_empty() -> None:
    config = merged('{"contexts": null, "clusters": null, "users": null, "current-context": null}', {})
    assert (config.contexts, config.clusters, config.users, config.current) == ({}, {}, {}, None)


def test_the_first_of_several_wins(tmp_path: Path) -> None:
    for name, other in (("one", "two"), ("two", "one")):
        config = {
            "current-context": name,
            "contexts": [
                {"name": name, "context": {"cluster": "it", "user": "me"}},
                {"name": other, "context": {"cluster": f"of {name}"}},
            ],
            "clusters": [{"name": "it", "cluster": {"server": f"https://{name}", name: "only here"}}],
            "users": [{"name": "me", "user": {"token": name}}, {"name": name, "user": {}}],
        }
        (tmp_path / name).write_text(json.dumps(config))
    listed = ":".join(str(tmp_path / name) for name in ("missing", "one", "two", "one"))
    listed = f":{listed}:"
    found = merged(None, {"KUBECONFIG": listed})
    assert found.current == "one"
    # With the whole entry: nothing of the other one is added to it.
    assert found.contexts == {"one": {"cluster": "it", "user": "me"}, "two": {"cluster": "of one"}}
    assert found.clusters == {"it": {"server": "https://one", "one": "only here"}}
    assert found.users == {"me": {"token": "one"}, "one": {}, "two": {}}
    assert check_kubeconfig(None, None, {"KUBECONFIG": listed}) == []


def test_paths_are_relative_to_the_file_that_they_are_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    user = {
        "client-certificate": "../certs/me.pem",
        "client-key": "/keys/me.pem",
        "tokenFile": "token",
        "exec": {"command": "./bin/get-token", "args": ["./args"]},
    }
    one = {
        "contexts": [],
        "clusters": [{"name": "it", "cluster": {"server": "https://x", "certificate-authority": "ca.pem"}}],
        "users": [{"name": "me", "user": user}],
    }
    two = {"users": [{"name": "you", "user": {"tokenFile": "token", "exec": {"command": "get-token"}}}]}
    for name, config in (("one", one), ("two", two)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config").write_text(json.dumps(config))
    found = merged(None, {"KUBECONFIG": "one/config:two/config"})
    assert found.clusters["it"] == {"server": "https://x", "certificate-authority": f"{tmp_path}/one/ca.pem"}
    assert found.users["me"] == {
        "client-certificate": f"{tmp_path}/certs/me.pem",
        "client-key": "/keys/me.pem",
        "tokenFile": f"{tmp_path}/one/token",
        "exec": {"command": f"{tmp_path}/one/bin/get-token", "args": ["./args"]},
    }
    # A command without a slash is looked up on PATH.
    assert found.users["you"] == {"tokenFile": f"{tmp_path}/two/token", "exec": {"command": "get-token"}}
    # A text is in no folder.
    assert merged(json.dumps(one), {}).users["me"] == user


def test_json_may_have_tabs() -> None:
    config = '{\n\t"contexts":\t[\n\t\t{"name":\t"here"}\n\t]\n}\n'
    assert check_kubeconfig(config, "here", {}) == []
    assert check_kubeconfig(config.replace("\n", ""), "here", {}) == []


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_text_may_begin_with_a_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    config = text("hereé", current="hereé")
    (tmp_path / "config").write_text(config, encoding=encoding)
    assert check_kubeconfig(str(tmp_path / "config"), None, {}) == []
    assert check_kubeconfig(f"\ufeff{config}", None, {}) == []


def test_a_list_of_no_files() -> None:
    assert check_kubeconfig(None, "a", {"KUBECONFIG": ":", "HOME": "/missing"}) == [
        f"inspiration:kubeconfig: $KUBECONFIG names no file; {ALLOWED}"
    ]


def test_one_of_several_cannot_be_read(tmp_path: Path) -> None:
    one = written(tmp_path / "one", "a")
    (tmp_path / "two").symlink_to("two")
    assert check_kubeconfig(None, "a", {"KUBECONFIG": f"{one}:{tmp_path / 'two'}"}) == [
        f"inspiration:kubeconfig: {tmp_path}/two can't be read: Too many levels of symbolic links; {ALLOWED}"
    ]
    with pytest.raises(UnusableError, match="Too many levels"):
        merged(None, {"KUBECONFIG": f"{one}:{tmp_path / 'two'}"})


def test_a_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "config", "a")
    path.chmod(0)
    monkeypatch.chdir(tmp_path)
    with anybody():
        found = check_kubeconfig("config", "a", {})
    assert found == [f"inspiration:kubeconfig: config can't be read: Permission denied; {ALLOWED}"]


def test_a_path_stays_on_one_line_and_is_not_the_text_of_a_kubeconfig() -> None:
    # Base64, as clouds hand it out, looks like the path of a file.
    assert check_kubeconfig("YXBp" * 500, "a", {}) == [
        f"inspiration:kubeconfig: \"{'YXBp' * 14}YX… can't be read: File name too long; {ALLOWED}"
    ]
    assert check_kubeconfig("a\0b\rc", "a", {}) == [
        f"inspiration:kubeconfig: \"a\\u0000b\\rc\" can't be read: it isn't text; {ALLOWED}"
    ]


CONTEXTS: dict[str, tuple[str, str]] = {
    "none": ("contexts: []\n", f"inspiration:kubeconfig: the kubeconfig has no contexts; {ALLOWED}"),
    "null": ("contexts:\n", f"inspiration:kubeconfig: the kubeconfig has no contexts; {ALLOWED}"),
    "a text": ("contexts: a\n", f"inspiration:kubeconfig: the kubeconfig has no contexts; {ALLOWED}"),
    "one without a name": ("contexts: [{}]\n", f"inspiration:kubeconfig: the kubeconfig has no contexts; {ALLOWED}"),
    "one whose name is a list": (
        "contexts: [{name: [a]}]\n",
        f"inspiration:kubeconfig: the kubeconfig has no contexts; {ALLOWED}",
    ),
    "no current one": (
        "contexts: [{name: a}, {name: b}]\n",
        "inspiration:context: not set, and the kubeconfig has no current context; allowed: a, b",
    ),
    "a current one that isn't there": (
        "contexts: [{name: kind-kind}]\ncurrent-context: kind-kid\n",
        'inspiration:context: not set, and the current context of the kubeconfig, "kind-kid", isn\'t in it; '
        "did you mean kind-kind? allowed: kind-kind",
    ),
    "a current one that is no text": (
        "contexts: [{name: a}]\ncurrent-context: [a]\n",
        'inspiration:context: not set, and the current context of the kubeconfig, ["a"], isn\'t in it; allowed: a',
    ),
}


@pytest.mark.parametrize(("given", "expected"), CONTEXTS.values(), ids=CONTEXTS)
def test_contexts(given: str, expected: str) -> None:
    assert check_kubeconfig(given, None, {}) == [expected]


def test_the_current_context_may_be_in_another_file(tmp_path: Path) -> None:
    one, two = written(tmp_path / "one", current="b"), written(tmp_path / "two", "b", current="c")
    assert check_kubeconfig(None, None, {"KUBECONFIG": f"{one}:{two}"}) == []


def test_a_bad_text_is_not_shown() -> None:
    [line] = check_kubeconfig("token: SECRET\n\t- x", "a", {})
    assert line == "inspiration:kubeconfig: the text given is no YAML in line 2; allowed: path or text of a kubeconfig"


def test_a_secret_is_not_shown_even_where_it_looks_like_a_path(tmp_path: Path) -> None:
    assert check_kubeconfig("SECRET", "a", {}, {"kubeconfig"}) == [
        f"inspiration:kubeconfig: [secret] doesn't exist; {ALLOWED}"
    ]
    assert check_kubeconfig(text("here"), "SECRET", {}, {"context"}) == [
        "inspiration:context: [secret] given, which isn't in the kubeconfig; allowed: here"
    ]
    path = written(tmp_path / "SECRET", "here")
    assert check_kubeconfig(str(path), "there", {}, {"kubeconfig"}) == [
        'inspiration:context: "there" given, which isn\'t in [secret]; did you mean here? allowed: here'
    ]


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
