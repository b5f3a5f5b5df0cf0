"""The real program follows the rules: whatever is switched on, in a first preview as in an update."""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

import pytest
from pulumi.output import Unknown
from pulumi.runtime import rpc
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError, unknown_checking_proxy

from policy.exemptions import EXEMPTIONS, OF_CHARTS
from policy.objects import KubernetesObject
from policy.rules import RULES
from tests.graph.recorder import PROJECT, Recording, run

READY = [{"name": "ready", "image": f"ghcr.io/me/ready@sha256:{'0' * 64}"}]
NO_ADDONS = {"dns": False, "storage": False, "registry": False, "ingress": False, "dashboard": False}
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "bare": {"sites": READY, "addons": NO_ADDONS},
    "node ports": {"addons": {"ingress": {"nodePorts": {"http": 30080, "https": 30443}}}},
    "embedded dashboard": {"addons": {"dashboard": {"kind": "kube-web-view"}}},
    "administrator": {"addons": {"dashboard": {"access": "admin"}}},
    "traefik's own kinds": {"addons": {"ingress": False}},
    "metrics": {"addons": {"metrics-server": True, "prometheus": True}},
    "a registry for some": {"addons": {"registry": {"sourceRanges": ["192.0.2.0/24"]}}},
    "logs": {"addons": {"logs": True}},
    "jaeger": {"addons": {"jaeger": True}},
    "knative": {"addons": {"knative": True}},
    "cert": {"addons": {"cert": {"acme": {"email": "me@example.com"}}}},
    "rights": {"addons": {"rbac": {"viewers": ["alice"], "editors": ["group:ops"], "admins": ["account:ci"]}}},
    "charts": {"addons": dict.fromkeys(("cilium", "gpu", "istio", "linkerd", "rancher"), True)},
    "hubble": {"addons": {"cilium": {"hubble": True}}},
    "gateway": {"ingress": {"passthrough": "gateway", "gateway": "gateways/public"}, "addons": {"ingress": False}},
}


@pytest.fixture(scope="module", autouse=True)
def project() -> Iterator[None]:
    """Run the program in its project, as Pulumi does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(PROJECT)
        yield


def recorded(config: dict[str, Any], preview: bool = False) -> Recording:
    """Run the program with ``config``, on a cluster with Traefik's own controller where the addon is off."""
    return run(config, preview, controller="traefik.io/ingress-controller")


def as_the_engine_sends(value: Any) -> Any:
    """Return a recorded input as a policy pack gets it: unknown values as its SDK marks them, and nothing secret."""
    if isinstance(value, Unknown):
        return UNKNOWN_STRING_VALUE
    if rpc.is_rpc_secret(value):
        return as_the_engine_sends(rpc.unwrap_rpc_secret(value))
    if isinstance(value, Mapping):
        return {name: as_the_engine_sends(item) for name, item in value.items()}
    return [as_the_engine_sends(item) for item in value] if isinstance(value, list) else value


def objects(recording: Recording) -> list[KubernetesObject]:
    found = (
        KubernetesObject.of(resource.type, unknown_checking_proxy(as_the_engine_sends(resource.inputs)))
        for resource in recording.resources.values()
        if not resource.read
    )
    return [each for each in found if each]


def judged(recording: Recording) -> tuple[list[str], set[str]]:
    """Return the violations, and what couldn't be judged yet: rule and object."""
    violations, unknown = [], set()
    for subject in objects(recording):
        for rule in RULES:
            try:
                for violation in rule.violations(subject):
                    violations.append(f"{rule.name}: {violation}")
            except UnknownValueError:
                unknown.add(f"{rule.name}: {subject.subject}")
    return violations, unknown


@pytest.mark.parametrize("config", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_an_update_follows_the_rules(config: dict[str, Any]) -> None:
    assert judged(recorded(config)) == ([], set())


def test_a_first_preview_leaves_only_the_image_open() -> None:
    assert judged(recorded({}, preview=True)) == ([], {"image-digest: Deployment inspiration/inspiration"})


def test_exemptions_are_needed() -> None:
    """Each is of an object that is there, and that would break the rule; end-to-end tests look at those of charts."""
    needed = {
        (rule.name, subject.subject)
        for config in CONFIGURATIONS.values()
        for subject in objects(recorded(config))
        for rule in RULES
        if any(True for _ in rule.check(subject))
    }
    used = {
        (rule, listed)
        for rule, subject in needed
        for listed in EXEMPTIONS.get(rule, {})
        if fnmatchcase(subject, listed)
    }
    of_charts = {(rule, listed) for rule, exempt in OF_CHARTS.items() for listed in exempt}
    assert used == {(rule, listed) for rule, exempt in EXEMPTIONS.items() for listed in exempt} - of_charts
