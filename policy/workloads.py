"""What the scheduler and the kubelet have to know about containers."""

from collections.abc import Callable, Iterator

from policy.objects import Container, KubernetesObject, each, each_container, part
from policy.rule import Rule

NEEDED = (("requests", "cpu"), ("requests", "memory"), ("limits", "memory"))
"""No limit of ``cpu``: it would slow a container down while its node is idle, and it takes nothing from others."""

ENDS = {"batch/Job", "batch/CronJob"}
"""Kinds whose pods are meant to end: nobody waits for them to be ready."""


def resources(container: Container) -> Iterator[str]:
    """What it needs, and the memory that it may have at most."""

    def missing(wanted: tuple[str, str]) -> Iterator[str]:
        kind, name = wanted
        if not part(container.manifest, "resources", kind).get(name):
            yield f"it has no resources.{kind}.{name}; set it"

    return each(NEEDED, missing)


def probe(name: str) -> Callable[[KubernetesObject], Iterator[str]]:
    """Return the check that what is meant to stay can be asked by the probe ``name``."""

    def missing(container: Container) -> Iterator[str]:
        if container.stays and not container.manifest.get(name):
            yield f"it has no {name}; add one"

    def check(subject: KubernetesObject) -> Iterator[str]:
        stays = (subject.pod or {}).get("restartPolicy", "Always") == "Always"
        return each_container(missing)(subject) if stays and subject.group_kind not in ENDS else iter(())

    return check


RULES = [
    Rule(
        "resources", "Containers say what they need, and how much memory they get at most.", each_container(resources)
    ),
    Rule("readiness-probe", "Containers that stay say when they can serve.", probe("readinessProbe")),
    Rule("liveness-probe", "Containers that stay say when they have to be restarted.", probe("livenessProbe")),
]
