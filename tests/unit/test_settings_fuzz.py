"""Any configuration loads, or says what is wrong in lines that each name a key: never a traceback, never a secret."""

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from components.manifests import PROGRAM
from components.options import keys, nested
from settings import Settings, SettingsError
from settings.kubeconfig import check_kubeconfig
from tests.unit.test_settings import DIGEST, load
from tests.unit.test_settings import project as project
from tests.unit.test_settings_authority import KEY, certificate, pem

CANARY = "canary-7f3a"
LINE = re.compile(rf'{PROGRAM}:[A-Za-z_"\[][^\n]*: [^\n]+')
"""A key of the configuration, or of a map in it; what is wrong; all on one line."""

FUZZ = settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors, HealthCheck.data_too_large],
)

FULL: dict[str, Any] = {
    "context": "here",
    "domain": "example.test",
    "sites": [
        {
            "name": "a",
            "source": "pages",
            "host": "a.example.test",
            "path": "/a",
            "port": 80,
            "healthPath": "/healthz",
            "replicas": 1,
            "progressDeadlineSeconds": 120,
            "tls": True,
            "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
        },
        {"name": "b", "image": f"ghcr.io/me/b:1@{DIGEST}", "host": "a.example.test", "path": "/b"},
    ],
    "ingress": {
        "className": "nginx",
        "httpPort": 8080,
        "httpsPort": 8443,
        "address": "192.0.2.1",
        "passthrough": "gateway",
        "gateway": "infra/public",
    },
    "registry": {"nodePort": 31000, "address": "localhost:31000"},
    "certificateAuthority": {"commonName": "mine", "certificate": certificate(), "privateKey": pem(KEY)},
    "addons": {
        "dns": {"auto": True, "clusterIP": "10.0.0.10", "replicas": 2, "upstream": ["192.0.2.53"]},
        "storage": {"path": "/srv/volumes"},
        "registry": {"size": "1Gi"},
        "ingress": {"nodePorts": {"http": 30080, "https": 30443}},
        "dashboard": {"kind": "headlamp", "host": "dashboard.example.test", "access": "admin"},
        "metrics-server": {"kubeletInsecureTls": True},
        "prometheus": {
            "host": "prometheus.example.test",
            "retention": "12h",
            "size": "1Gi",
            "kubeletInsecureTls": True,
        },
        "logs": {"retention": "1w", "size": "1Gi", "path": "/srv/logs"},
        "rbac": {"viewers": ["v"], "editors": ["group:e"], "admins": ["account:a"], "namespaces": ["a"]},
        "jaeger": {"maxTraces": 100},
        "cilium": {
            "kubeProxyReplacement": True,
            "apiServer": "192.0.2.1:6443",
            "hubble": True,
            "operatorReplicas": 2,
        },
        "knative": {"domain": "knative.example.test", "stableWindow": "60s", "scaleToZeroGracePeriod": "30s"},
        "gpu": {"driver": False, "toolkit": False},
        "istio": {"platform": "k3s"},
        "linkerd": {"highAvailability": True, "gatewayAPI": False},
        "rancher": {"host": "rancher.example.test", "replicas": 3},
    },
    "charts": [
        {
            "name": "shop",
            "chart": "shop",
            "version": "1.2.3",
            "repository": "https://charts.example.com",
            "namespace": "shop",
            "podSecurity": "baseline",
            "values": {"a": [1]},
            "crds": False,
        }
    ],
}
"""What may be given, with a value that is allowed; `KEYS` has what is new since, too."""


def all_keys(model: type[BaseModel]) -> Iterator[str]:
    """Yield the keys of all maps that ``model`` describes, those inside each other too."""
    for field in model.model_fields.values():
        yield field.alias or ""
        if inner := nested(field):
            yield from all_keys(inner)


KEYS = sorted(set(all_keys(Settings)) | set(keys(Settings)))
TEXTS = st.text(max_size=20) | st.sampled_from(
    ["", " ", "a", "A", "*.a", "10.0.0.1", "::1%a", "a" * 64, "a." * 200, "/", "..", "a/../b", "\0", "\ud800", "a\nb",
     "-x", "0", "1Gi", "1m", "7d", "99999y", "true", "group:system:a", "account:", "kube-system", "default",
     "oci://a", "://", f"a@{DIGEST}", "localhost:99999", "x" * 5000]
)  # fmt: skip
NUMBERS = st.integers() | st.floats() | st.sampled_from([0, -1, 10**9, 2**63, 10**400, 80, 443, 32000])
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS | st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=12,
)

Place = tuple[str | int, ...]


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    """Yield where something is in ``value``: keys and indexes, outermost first."""
    if place:
        yield place
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*place, key))


def at(config: Any, place: Place) -> Any:
    for part in place:
        config = config[part]
    return config


@st.composite
def mutated(draw: st.DrawFn) -> tuple[dict[str, Any], str]:
    """A configuration that was valid before one thing in it was changed, and the top-level key of that."""
    config = copy.deepcopy(FULL)
    place = draw(st.sampled_from(list(places(FULL))))
    holder, last = at(config, place[:-1]), place[-1]
    match draw(st.sampled_from(["another value", "one more", "one less", "another key"])):
        case "another value":
            holder[last] = draw(JSON)
        case "one more":
            inner = holder[last]
            if isinstance(inner, list):
                inner.insert(draw(st.integers(0, len(inner))), draw(JSON | st.sampled_from(inner or [None])))
            elif isinstance(inner, dict):
                inner[draw(TEXTS | st.sampled_from(KEYS))] = draw(JSON)
        case "one less":
            del holder[last]
        case "another key":
            if isinstance(holder, dict) and len(place) > 1:
                holder[draw(TEXTS | st.sampled_from(KEYS))] = holder.pop(last)
    return config, str(place[0])


def complaints(config: dict[str, Any], secrets: tuple[str, ...] = ()) -> list[str]:
    """Return the lines about ``config``; none if it loads."""
    try:
        load(config, secrets)
    except SettingsError as error:
        assert str(error).splitlines() == error.problems
        for line in error.problems:
            assert LINE.fullmatch(line)
            line.encode()  # can be printed
        return error.problems
    return []


def test_the_whole_configuration_is_valid() -> None:
    assert complaints(FULL) == []


@given(st.dictionaries(st.sampled_from(keys(Settings)) | TEXTS, JSON, max_size=4))
@FUZZ
def test_any_json(config: dict[str, Any]) -> None:
    config.pop("kubeconfig", None)
    complaints(config)


@given(st.dictionaries(st.sampled_from(keys(Settings)), st.text() | st.from_regex(r"[\[\]{},:\"0-9a\-]*"), max_size=3))
@FUZZ
def test_any_text(config: dict[str, str]) -> None:
    config.pop("kubeconfig", None)
    complaints(config)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "[" * 500 + "]" * 500, "9" * 10_000, "[1e999]"])
@pytest.mark.parametrize("key", ["sites", "addons", "charts"])
def test_texts_that_are_hard_to_read(key: str, text: str) -> None:
    [line] = complaints({key: text})
    assert line.startswith(f"{PROGRAM}:{key}")


@given(mutated())
@FUZZ
def test_one_mistake_is_found_where_it_is(change: tuple[dict[str, Any], str]) -> None:
    config, key = change
    assert all(f"{PROGRAM}:{key}" in line for line in complaints(config))


KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "here",
    "clusters": [{"name": "it", "cluster": {"server": "https://127.0.0.1:6443"}}],
    "users": [{"name": "me", "user": {"token": CANARY, "client-key-data": CANARY}}],
    "contexts": [{"name": "here", "context": {"cluster": "it", "user": "me"}}],
}


@given(st.text(max_size=200) | st.from_regex(r"[\-\[\]{}:,&*!|>'\"?%@ \n\ta-c0-9]*"), st.none() | TEXTS)
@FUZZ
def test_any_text_for_a_kubeconfig(text: str, context: str | None) -> None:
    for line in check_kubeconfig(f"{text}\n", context, {}):
        assert LINE.fullmatch(line)


@given(TEXTS.filter(bool), st.none() | TEXTS)
@FUZZ
def test_any_path_for_a_kubeconfig(path: str, context: str | None) -> None:
    assume(not Path(path).is_absolute())
    [line] = check_kubeconfig(path, context, {})
    assert LINE.fullmatch(line)


@given(st.data(), st.sampled_from(list(places(KUBECONFIG))), JSON, st.none() | TEXTS)
@FUZZ
def test_a_kubeconfig_with_one_mistake_keeps_its_secrets(
    data: st.DataObject, place: Place, value: Any, context: str | None
) -> None:
    config = copy.deepcopy(KUBECONFIG)
    holder = at(config, place[:-1])
    holder[place[-1]] = value
    text = yaml.safe_dump(config) if data.draw(st.booleans()) else json.dumps(config)
    # And with something in the way of the parser.
    cut = data.draw(st.none() | st.integers(0, len(text)))
    text = text if cut is None else text[:cut] + data.draw(st.sampled_from("\t\0}]:'\"&*")) + text[cut:]
    for line in check_kubeconfig(f"{text}\n", context, {}):
        assert LINE.fullmatch(line)
        assert CANARY not in line


SECRETS = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.just(CANARY) | TEXTS.map(lambda text: f"{text}{CANARY}"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=8,
)


@given(st.sampled_from(list(places(FULL))), SECRETS)
@FUZZ
def test_secrets_are_never_shown(place: Place, value: Any) -> None:
    config = copy.deepcopy(FULL)
    at(config, place[:-1])[place[-1]] = value
    assert not [line for line in complaints(config, secrets=tuple(FULL)) if CANARY in line]


@pytest.mark.parametrize("place", [place for place in places(FULL) if isinstance(at(FULL, place), str)], ids=str)
def test_no_secret_text_is_shown(place: Place) -> None:
    config = copy.deepcopy(FULL)
    at(config, place[:-1])[place[-1]] = f"{CANARY} \n{CANARY}"
    assert not [line for line in complaints(config, secrets=tuple(FULL)) if CANARY in line]


def test_clashes_of_secrets_show_none() -> None:
    sites = [{"name": CANARY, "host": "x.test"}, {"name": CANARY, "host": "x.test"}]
    charts = [{"name": CANARY, "chart": "oci://x/y", "version": "1.0.0"}]
    addons = {"dashboard": {"host": f"{CANARY}.test"}, "prometheus": {"host": f"{CANARY}.test"}}
    lines = complaints({"sites": sites, "charts": charts, "addons": addons}, secrets=("sites", "charts", "addons"))
    assert [line.partition(": ")[::2] for line in lines[3:]] == [
        (
            "inspiration:addons.prometheus.host",
            "[secret] is taken by inspiration:addons.dashboard; give one of them another host",
        ),
        ("inspiration:sites[1].name", "[secret] is taken by inspiration:sites[0]; give one of them another name"),
        (
            "inspiration:sites[1].host",
            "[secret] is taken by inspiration:sites[0]; give one of them another host or path",
        ),
        ("inspiration:charts[0].namespace", "[secret] is taken by inspiration:sites[1]; give one of them another one"),
    ]
