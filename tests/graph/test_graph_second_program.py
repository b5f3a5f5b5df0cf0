"""A program of somebody else under mocks: components stand alone, and say nothing of this project's configuration."""

from collections.abc import Iterator
from typing import Any

import pulumi
import pytest
import yaml

from components.manifests import INSTANCE, PART_OF
from tests.graph.recorder import PROJECT, Cloud, Recording, program_in, record

FOLDER = PROJECT / "tests" / "second_program"
PROJECT_NAME = yaml.safe_load((FOLDER / "Pulumi.yaml").read_text())["name"]


def recorded(controller: str = "k8s.io/ingress-nginx") -> Recording:
    pulumi.runtime.set_all_config({})
    return record(program_in(FOLDER), Cloud(False, controller), project=PROJECT_NAME, stack="production")


def test_it_registers_what_it_asks_for() -> None:
    recording = recorded()
    assert {(each.name, each.type.rpartition(":")[2], each.read) for each in recording.resources.values()} == {
        (f"{PROJECT_NAME}-production", "Stack", False),
        ("staging", "kubernetes", False),
        ("shop", "Site", False),
        ("shop-namespace", "Namespace", False),
        ("shop-account", "ServiceAccount", False),
        ("shop-policy", "NetworkPolicy", False),
        ("shop-deployment", "Deployment", False),
        ("shop-budget", "PodDisruptionBudget", False),
        ("shop-service", "Service", False),
        ("shop-ingress", "Ingress", False),
        ("vault", "Service", False),
        ("vault", "TlsPassthroughIngress", False),
        ("vault-class", "IngressClass", True),
        ("vault-ingress", "Ingress", False),
    }
    assert recording.stack_outputs == {"url": "http://shop.example.com:8080/"}
    objects = [each for each in recording.resources.values() if each.type.startswith("kubernetes:")]
    assert {each.provider.split("::")[3] for each in objects} == {"staging"}
    pods = recording.find("Deployment", "shop-deployment").inputs["spec"]
    assert pods["replicas"] == 3
    assert recording.find("Ingress", "vault-ingress").inputs["spec"]["ingressClassName"] == "public"


def test_it_is_named_after_no_other_project() -> None:
    found = [leaf for each in recorded().resources.values() for leaf in leaves("name", [each.name, each.inputs])]
    assert {text for key, text in found if key == INSTANCE} == {"storefront.production"}
    # The label by which the objects of components are told from others.
    assert {key for key, text in found if "inspiration" in key + text} <= {PART_OF}


def leaves(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield the texts in a value, each with its key."""
    if isinstance(value, dict | list):
        for name, each in value.items() if isinstance(value, dict) else ((key, each) for each in value):
            yield from leaves(name, each)
    else:
        yield key, str(value)


def test_an_error_of_a_component_names_no_configuration() -> None:
    with pytest.raises(pulumi.RunError, match="the IngressClass, example") as raised:
        recorded("example.com/other")
    assert not [word for word in ("inspiration", "addons", "className", PROJECT_NAME) if word in str(raised.value)]
