"""What a context of a kubeconfig stands for, and what is said of one that client-go refuses."""

import base64
import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settings.connection import Cluster, User, connection_of
from settings.kubeconfig import UnusableError
from tests.unit.api_servers import kubeconfig
from tests.unit.test_settings_fuzz import FUZZ, JSON, Place, at, places

SERVER = "https://127.0.0.1:6443"
SECRET = "s3cret-7f3a"
FIX = "correct it, or write it again"
API = "client.authentication.k8s.io"


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def problem(text: str, context: str | None = None) -> str:
    with pytest.raises(UnusableError) as caught:
        connection_of(text, context, {})
    line = str(caught.value)
    assert "\n" not in line
    assert SECRET not in line
    return line


def test_files_are_in_it(tmp_path: Path) -> None:
    for name in ("ca", "certificate", "key"):
        (tmp_path / name).write_text(f"the {name}")
    (tmp_path / "token").write_text(" t0ken\n")
    user = {"client-certificate": "certificate", "client-key": "key", "tokenFile": "token"}
    (tmp_path / "config").write_text(kubeconfig(f"{SERVER}/prefix/", user, **{"certificate-authority": "ca"}))
    found = connection_of(None, None, {"KUBECONFIG": str(tmp_path / "config")})
    assert found.context == "here"
    assert found.cluster.model_dump(by_alias=True, exclude_defaults=True) == {
        "server": f"{SERVER}/prefix",
        "certificate-authority-data": b64("the ca"),
    }
    assert found.user.model_dump(by_alias=True, exclude_defaults=True) == {
        "client-certificate-data": b64("the certificate"),
        "client-key-data": b64("the key"),
        "token": "t0ken",
    }
    assert "t0ken" not in repr(found)
    assert b64("the key") not in repr(found)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("https://example.com:6443/", "https://example.com:6443"),
        ("HTTPS://example.com", "https://example.com"),
        ("example.com:8080", "http://example.com:8080"),
    ],
)
def test_servers(given: str, expected: str) -> None:
    assert connection_of(kubeconfig(given), None, {}).cluster == Cluster(server=expected)


def test_what_is_null_is_unset() -> None:
    user = {"token": None, "as-groups": None, "exec": None, "as-user-extra": None}
    found = connection_of(kubeconfig(SERVER, user, **{"certificate-authority": None, "extensions": None}), None, {})
    assert (found.cluster, found.user) == (Cluster(server=SERVER), User())


def test_a_password_beside_a_certificate_is_sent_too_and_nobody_is_asked_for_more() -> None:
    pair = {"client-certificate-data": b64("c"), "client-key-data": b64("k")}
    plugin = {"command": "x", "apiVersion": f"{API}/v1beta1"}
    found = connection_of(kubeconfig(SERVER, {**pair, "username": "me", "password": "p", "exec": plugin}), None, {})
    assert found.user.model_dump(by_alias=True, exclude_defaults=True) == {**pair, "username": "me", "password": "p"}
    found = connection_of(kubeconfig(SERVER, {**pair, "exec": plugin}), None, {})
    assert found.user.model_dump(by_alias=True, exclude_defaults=True) == pair


def test_the_token_of_the_kubeconfig_does_where_there_is_none_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for name in ("empty", "missing"):
        user = {"token": "t0ken", "tokenFile": str(tmp_path / name)}
        assert connection_of(kubeconfig(SERVER, user), None, {}).user.token == "t0ken"


EXEC = {"command": "get-token", "apiVersion": f"{API}/v1", "interactiveMode": "Never"}

USERS: dict[str, tuple[dict[str, Any], str]] = {
    "a token that is a number": ({"token": 12345}, f'token of user "u" should be a valid string; {FIX}'),
    "a token of two lines": ({"token": f"{SECRET}\n"}, f'token of user "u" should be on one line; {FIX}'),
    "a group of two lines": (
        {"as": "a", "as-groups": ["a\rb"]},
        f'as-groups[0] of user "u" should be on one line; {FIX}',
    ),
    "groups that are a text": (
        {"as": "a", "as-groups": SECRET},
        f'as-groups of user "u" should be a valid list; {FIX}',
    ),
    "groups of nobody": (
        {"as-groups": ["ops"]},
        'user "u" has as-uid, as-groups or as-user-extra without as; add it, or remove them',
    ),
    "a token and a password": (
        {"token": SECRET, "username": "me", "password": SECRET},
        'user "u" has both a token and a password; remove one of them',
    ),
    "a certificate without a key": (
        {"client-certificate-data": b64("c")},
        'user "u" has a client-certificate without a client-key; add it',
    ),
    "a certificate twice": (
        {"client-certificate-data": b64("c"), "client-certificate": "/c", "client-key-data": b64(SECRET)},
        'user "u" has both client-certificate and client-certificate-data; remove one of them',
    ),
    "a key that is no base64": (
        {"client-certificate-data": b64("c"), "client-key-data": f"-----{SECRET}"},
        f'client-key-data of user "u" is no base64; {FIX}',
    ),
    "a key in base64 with spaces": (
        {"client-certificate-data": b64("c"), "client-key-data": f"{b64(SECRET)} {b64(SECRET)}"},
        f'client-key-data of user "u" is no base64; {FIX}',
    ),
    "a file that isn't there": (
        {"client-certificate": "/nowhere", "client-key": "/nowhere"},
        f"File does not exist: /nowhere; {FIX}",
    ),
    "a file with an odd name": ({"tokenFile": "/no\nwhere"}, f'File does not exist: "/no\\nwhere"; {FIX}'),
    "a file with no name": (
        {"tokenFile": "/no\0where"},
        f'File can\'t be read: "/no\\u0000where": no name of one; {FIX}',
    ),
    "a file that is a folder": ({"tokenFile": "/tmp"}, f"File can't be read: /tmp: Is a directory; {FIX}"),
    "a file that is empty": ({"tokenFile": "/dev/null"}, f'tokenFile of user "u" is empty; {FIX}'),
    "a plugin without a command": (
        {"exec": {**EXEC, "command": None}},
        f'exec.command of user "u" is missing; {FIX}',
    ),
    "a plugin with a command that is empty": (
        {"exec": {**EXEC, "command": ""}},
        f'exec.command of user "u" should have at least 1 character; {FIX}',
    ),
    "a plugin of another version": (
        {"exec": {**EXEC, "apiVersion": f"{API}/v1alpha1"}},
        f"exec.apiVersion of user \"u\" should be '{API}/v1' or '{API}/v1beta1'; {FIX}",
    ),
    "a plugin that doesn't say whether it asks": (
        {"exec": {**EXEC, "interactiveMode": None}},
        'exec of user "u" has no interactiveMode; add it, such as IfAvailable',
    ),
    "a plugin with a variable that is a number": (
        {"exec": {**EXEC, "env": [{"name": "A", "value": 1}]}},
        f'exec.env[0].value of user "u" should be a valid string; {FIX}',
    ),
    "a plugin and a provider": (
        {"exec": EXEC, "auth-provider": {"name": "oidc"}},
        'user "u" has both exec and auth-provider; remove one of them',
    ),
    "a provider that kubectl has dropped": (
        {"auth-provider": {"name": "gcp", "config": {"access-token": SECRET}}},
        'auth-provider of user "u" is none that kubectl has; use exec',
    ),
}


@pytest.mark.parametrize(("user", "expected"), USERS.values(), ids=USERS)
def test_users_that_are_refused(user: dict[str, Any], expected: str) -> None:
    assert problem(kubeconfig(SERVER, user)) == expected


CLUSTERS: dict[str, tuple[dict[str, Any], str]] = {
    "no server": ({}, f'server of cluster "c" is no URL; {FIX}'),
    "a server that is a number": ({"server": 6443}, f'server of cluster "c" should be a valid string; {FIX}'),
    "a server that is no URL": ({"server": "https://[x"}, f'server of cluster "c" is no URL; {FIX}'),
    "a port that is none": ({"server": "https://x:99999"}, f'server of cluster "c" is no URL; {FIX}'),
    "a server of another scheme": ({"server": "unix:///x"}, f'server of cluster "c" is no URL; {FIX}'),
    "a server with a password": (
        {"server": f"https://me:{SECRET}@x"},
        'server of cluster "c" has a user in it; write it as username and password of the user',
    ),
    "trust that is a text": (
        {"server": SERVER, "insecure-skip-tls-verify": "false"},
        f'insecure-skip-tls-verify of cluster "c" should be a valid boolean; {FIX}',
    ),
    "no trust and an authority": (
        {"server": SERVER, "insecure-skip-tls-verify": True, "certificate-authority-data": b64("x")},
        'cluster "c" has both certificate-authority and insecure-skip-tls-verify; remove one of them',
    ),
    "a proxy that is none": (
        {"server": SERVER, "proxy-url": f"{SECRET}:3128"},
        'proxy-url of cluster "c" is none of a proxy; allowed: URLs with http, https, socks5',
    ),
}


@pytest.mark.parametrize(("cluster", "expected"), CLUSTERS.values(), ids=CLUSTERS)
def test_clusters_that_are_refused(cluster: dict[str, Any], expected: str) -> None:
    config = json.loads(kubeconfig(SERVER))
    config["clusters"][0]["cluster"] = cluster
    assert problem(json.dumps(config)) == expected


def test_names_that_are_not_there() -> None:
    config = json.loads(kubeconfig(SERVER))
    missing = "Invalid kube-config file. Expected object with name"
    assert problem(json.dumps(config), "there") == f"{missing} there in kube-config/contexts list; {FIX}"
    config["current-context"] = ["here"]
    assert problem(json.dumps(config)) == f'{missing} ["here"] in kube-config/contexts list; {FIX}'
    del config["current-context"]
    assert (
        problem(json.dumps(config)) == f"Invalid kube-config file. Expected key current-context in kube-config; {FIX}"
    )
    config["contexts"][0]["context"] = {"user": "u"}
    assert problem(json.dumps(config), "here") == f'cluster of context "here" is missing; {FIX}'


WHOLE = {
    "current-context": "here",
    "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "n"}}],
    "clusters": [
        {"name": "c", "cluster": {"server": SERVER, "certificate-authority-data": b64("x"), "extensions": []}}
    ],
    "users": [
        {
            "name": "u",
            "user": {"token": SECRET, "as": "a", "as-groups": ["g"], "as-user-extra": {"k": ["v"]}, "exec": EXEC},
        }
    ],
}


@given(st.sampled_from(list(places(WHOLE))), JSON)
@FUZZ
def test_one_mistake_is_one_line_or_none(place: Place, value: Any) -> None:
    config = copy.deepcopy(WHOLE)
    at(config, place[:-1])[place[-1]] = value
    try:
        connection_of(json.dumps(config), None, {})
    except UnusableError as error:
        assert str(error).isprintable()
        assert SECRET not in str(error)
