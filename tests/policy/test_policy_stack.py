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
from tests.graph.configurations import CONFIGURATIONS, TRAEFIK
from tests.graph.recorder import PROJECT, run


@pytest.fixture(scope="module", autouse=True)
def project() -> Iterator[None]:
    """Run the program in its project, as Pulumi does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(PROJECT)
        yield


@pytest.fixture(scope="module")
def stacks(project: None) -> dict[str, list[KubernetesObject]]:
    """The objects of each configuration."""
    return {name: objects(config) for name, config in CONFIGURATIONS.items()}


def objects(config: Mapping[str, Any], preview: bool = False) -> list[KubernetesObject]:
    """Return the objects that the program declares."""
    found = (
        KubernetesObject.of(resource.type, unknown_checking_proxy(as_the_engine_sends(resource.inputs)))
        for resource in run(config, preview, controller=TRAEFIK).resources.values()
        if not resource.read
    )
    return [each for each in found if each]


def as_the_engine_sends(value: Any) -> Any:
    """Return a recorded input as a policy pack gets it: unknown values as its SDK marks them, and nothing secret."""
    if isinstance(value, Unknown):
        return UNKNOWN_STRING_VALUE
    if rpc.is_rpc_secret(value):
        return as_the_engine_sends(rpc.unwrap_rpc_secret(value))
    if isinstance(value, Mapping):
        return {name: as_the_engine_sends(item) for name, item in value.items()}
    return [as_the_engine_sends(item) for item in value] if isinstance(value, list) else value


def judged(subjects: list[KubernetesObject]) -> tuple[list[str], set[str]]:
    """Return the violations, and what couldn't be judged yet: rule and object."""
    violations, unknown = [], set()
    for subject in subjects:
        for rule in RULES:
            try:
                violations += [f"{rule.name}: {violation}" for violation in rule.violations(subject)]
            except UnknownValueError:
                unknown.add(f"{rule.name}: {subject.subject}")
    return violations, unknown


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_an_update_follows_the_rules(stacks: dict[str, list[KubernetesObject]], name: str) -> None:
    assert judged(stacks[name]) == ([], set())


def test_a_first_preview_leaves_only_the_image_open() -> None:
    assert judged(objects({}, preview=True)) == ([], {"image-digest: Deployment inspiration/inspiration"})


def test_exemptions_are_needed(stacks: dict[str, list[KubernetesObject]]) -> None:
    """Each is of an object that is there, and that would break the rule; end-to-end tests look at those of charts."""
    needed = {
        (rule.name, subject.subject)
        for subjects in stacks.values()
        for subject in subjects
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
