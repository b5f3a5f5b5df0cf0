"""Each rule on objects that follow it and objects that don't."""

import copy
from typing import Any

import pytest
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, UnknownValueError, unknown_checking_proxy

from policy.exemptions import EXEMPTIONS
from policy.objects import POD_SPECS, KubernetesObject
from policy.rules import RULES
from tests.policy.builders import CONTAINER, GONE, container, deployment, namespace, pod, secured
from tests.policy.cases import CASES, Case

RULE = {rule.name: rule for rule in RULES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_what_breaks_a_rule_is_told_how_to_follow_it(case: Case) -> None:
    assert case.told in list(RULE[case.rule].violations(case.breaks))
    assert list(RULE[case.rule].violations(case.follows)) == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_rules_read_what_the_policy_sdk_hands_them(case: Case) -> None:
    proxied = KubernetesObject(
        case.breaks.group_kind, unknown_checking_proxy(copy.deepcopy(dict(case.breaks.manifest)))
    )
    assert list(RULE[case.rule].violations(proxied)) == list(RULE[case.rule].violations(case.breaks))


def test_every_rule_has_cases() -> None:
    assert {case.rule for case in CASES} == set(RULE)
    assert len(RULE) == len(RULES)


def nested(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    for name in reversed(path):
        value = {name: value}
    return {"metadata": {"name": "web", "namespace": "blog"}, **value}


@pytest.mark.parametrize("kind", POD_SPECS)
@pytest.mark.parametrize("group", ["containers", "initContainers"])
def test_all_that_run_pods_are_judged_in_all_containers(kind: str, group: str) -> None:
    privileged = secured(privileged=True)["containers"]
    subject = KubernetesObject(kind, nested(POD_SPECS[kind], pod(**{group: privileged})))
    label = "container web" if group == "containers" else "init container web"
    assert list(RULE["unprivileged"].violations(subject)) == [
        f"{kind.rpartition('/')[2]} blog/web: {label}: "
        "it is privileged, which is root on the node; remove securityContext.privileged"
    ]


@pytest.mark.parametrize(
    ("kind", "changed"),
    [("batch/Job", {}), ("batch/CronJob", {}), ("core/Pod", {"restartPolicy": "Never"})],
)
def test_pods_that_end_need_no_probes(kind: str, changed: dict[str, Any]) -> None:
    unprobed = {**container(readinessProbe=GONE, livenessProbe=GONE), **changed}
    assert list(RULE["readiness-probe"].violations(KubernetesObject(kind, nested(POD_SPECS[kind], unprobed)))) == []


def test_sidecars_need_probes_and_other_init_containers_do_not() -> None:
    first = {"name": "prepare"}
    sidecar = {"name": "proxy", "restartPolicy": "Always"}
    assert list(RULE["liveness-probe"].violations(deployment(pod(initContainers=[first, sidecar])))) == [
        "Deployment blog/web: sidecar proxy: it has no livenessProbe; add one",
    ]


def test_what_is_not_known_yet_is_no_violation_and_hides_none() -> None:
    later = CONTAINER | {"name": "later", "image": UNKNOWN_STRING_VALUE}
    moving = CONTAINER | {"name": "moving", "image": "web:latest"}
    manifest = deployment(pod(containers=[later, moving]), component="site").manifest
    violations = RULE["image-digest"].violations(
        KubernetesObject("apps/Deployment", unknown_checking_proxy(copy.deepcopy(dict(manifest))))
    )
    assert "container moving: the image web:latest may change" in next(violations)
    with pytest.raises(UnknownValueError) as unknown:
        next(violations)
    assert unknown.value.message == (
        "string value at .spec.template.spec.containers.0.image can't be known during preview"
    )


def test_an_exemption_is_for_one_object() -> None:
    assert list(RULE["pod-security-restricted"].violations(namespace("privileged", "ingress"))) == []
    assert list(RULE["pod-security-restricted"].violations(namespace("privileged", "ingress-2"))) != []
    # It still has to say which pods it takes.
    assert list(RULE["pod-security"].violations(namespace(None, "ingress"))) != []


def test_exemptions_are_of_rules_that_exist_and_have_reasons() -> None:
    assert set(EXEMPTIONS) <= set(RULE)
    assert all(reason.endswith(".") for exempt in EXEMPTIONS.values() for reason in exempt.values())


def test_only_kubernetes_objects_are_judged() -> None:
    assert KubernetesObject.of("docker:index/image:Image", {}) is None
    assert KubernetesObject.of("pulumi:providers:kubernetes", {}) is None
    for token, group_kind in (
        ("kubernetes:core/v1:Pod", "core/Pod"),
        ("kubernetes:rbac.authorization.k8s.io/v1:Role", "rbac.authorization.k8s.io/Role"),
        ("kubernetes:serving.knative.dev/v1:Service", "serving.knative.dev/Service"),
    ):
        found = KubernetesObject.of(token, {})
        assert found is not None
        assert found.group_kind == group_kind
