"""Pulumi's Kubernetes provider says nothing of a field that a kind doesn't have, and nothing comes of it."""

from typing import Any

import pytest
from pulumi import _types

from components import kinds
from tests.graph.configurations import CONFIGURATIONS, TRAEFIK
from tests.graph.recorder import run
from tests.unit.test_kinds import official


@pytest.mark.parametrize("config", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_the_outermost_fields_of_all_objects_exist(config: dict[str, Any]) -> None:
    known = {kind.__name__: kind for kind in kinds.KubernetesObject.__subclasses__()}
    objects = [
        (resource.name, set(resource.inputs), _types.resource_pulumi_to_py_names(official(known[kind])))
        for resource in run(config, controller=TRAEFIK).resources.values()
        if resource.type.startswith("kubernetes:") and (kind := resource.type.rpartition(":")[2]) in known
    ]
    assert objects
    assert {name: unknown for name, fields, fine in objects if (unknown := fields - set(fine))} == {}
