"""What the other rules can't look into."""

from collections.abc import Iterator

from policy.exposure import GATEWAY_ROUTES, TRAEFIK_ROUTES
from policy.objects import POD_SPECS, KubernetesObject
from policy.rbac import BINDINGS, ROLES
from policy.rule import Rule

JUDGED = {
    *POD_SPECS,
    *ROLES,
    *BINDINGS,
    *GATEWAY_ROUTES,
    *TRAEFIK_ROUTES,
    "core/ConfigMap",
    "core/Namespace",
    "core/Secret",
    "core/Service",
    "core/ServiceAccount",
    "networking.k8s.io/Ingress",
}
"""The kinds that other rules are about."""


def reviewable(subject: KubernetesObject) -> Iterator[str]:
    """Objects are declared whole, one by one."""
    if subject.group_kind == "helm.sh/Release":
        yield "a preview doesn't show the objects of a helm Release; use helm.v4.Chart"
    for suffix in ("List", "Patch"):
        kind = subject.group_kind.removesuffix(suffix)
        if kind != subject.group_kind and kind in JUDGED:
            yield f"the rules can't judge a {suffix}; declare each {kind.rpartition('/')[2]} as a resource of its own"
    if subject.group_kind in ROLES and subject.manifest.get("aggregationRule"):
        yield "its aggregationRule takes over rights that aren't shown here; list them in rules"


RULES = [Rule("reviewable", "Objects are declared such that the other rules can judge them.", reviewable)]
