"""Who of Knative Serving may do what, and which of its objects people may see and change.

Source: https://github.com/knative/serving/tree/knative-v1.23.0/config/core/200-roles. There, one account may change all
kinds of objects everywhere; here are the rights that the programs use.
"""

from components.addons.knative.definitions import CACHING, DEFINITIONS, FINALIZED, SERVING
from components.manifests import Manifest, metadata

WATCH = ["get", "list", "watch"]
WRITE = ["create", "update", "patch", "delete"]


def _rule(group: str, resources: list[str], verbs: list[str]) -> Manifest:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


def _own(*suffixes: str, of: str | None = None) -> list[tuple[str, list[str]]]:
    """Knative's own resources, or those of one group, by group: each with ``suffixes``, such as ``/status``."""
    plurals: dict[str, list[str]] = {}
    for each in (*DEFINITIONS, *FINALIZED):
        if of in (None, each.group):
            plurals.setdefault(each.group, []).extend(f"{each.plural}{suffix}" for suffix in suffixes)
    return list(plurals.items())


def controller_role() -> Manifest:
    """Return the rights of the controller, the autoscaler and the webhook, in all namespaces.

    They make the Deployments and Services of Revisions. Secrets they read because the controller asks registries for
    digests with the credentials of the pods' accounts.
    """
    return {
        "metadata": metadata("knative-serving-controller", None, "knative", "controller"),
        "rules": [
            *(_rule(group, plurals, [*WATCH, *WRITE]) for group, plurals in _own("", "/status", "/finalizers")),
            _rule("", ["services", "endpoints"], [*WATCH, *WRITE]),
            _rule("", ["pods", "namespaces", "secrets", "configmaps", "serviceaccounts"], WATCH),
            _rule("coordination.k8s.io", ["leases"], WATCH),
            _rule("", ["events"], ["create", "update", "patch"]),
            # The webhook's configurations belong to the namespace.
            _rule("", ["namespaces/finalizers"], ["update"]),
            _rule("discovery.k8s.io", ["endpointslices"], [*WATCH, *WRITE]),
            _rule("apps", ["deployments", "deployments/finalizers", "deployments/scale"], [*WATCH, *WRITE]),
            _rule(
                "admissionregistration.k8s.io",
                ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
                [*WATCH, "update", "patch"],
            ),
        ],
    }


def controller_own_role(ns: object) -> Manifest:
    """Return what the same may do in their own namespace: agree on a leader, and renew the webhook's certificate."""
    return {
        "metadata": metadata("knative-serving-controller", ns, "knative", "controller"),
        "rules": [
            _rule("coordination.k8s.io", ["leases"], WRITE),
            _rule("", ["secrets"], ["create", "update", "patch"]),
        ],
    }


def activator_role() -> Manifest:
    """Return the rights of the activator in all namespaces: to see where requests go."""
    return {
        "metadata": metadata("knative-serving-activator", None, "knative", "activator"),
        "rules": [
            _rule("", ["services", "endpoints"], WATCH),
            _rule(SERVING, ["revisions"], WATCH),
        ],
    }


def activator_own_role(ns: object) -> Manifest:
    """Return what the activator reads in its own namespace."""
    return {
        "metadata": metadata("knative-serving-activator", ns, "knative", "activator"),
        "rules": [_rule("", ["configmaps", "secrets"], WATCH)],
    }


def people_roles() -> dict[str, Manifest]:
    """Return the rights that Kubernetes adds to its own roles ``view`` and ``edit`` (and so to ``admin``)."""
    rules = {
        "view": [_rule(group, plurals, WATCH) for group, plurals in _own("") if group != CACHING],
        "edit": [_rule(group, plurals, WRITE) for group, plurals in _own("", of=SERVING)],
    }
    roles = {}
    for role, allowed in rules.items():
        meta = metadata(f"knative-serving-{role}", None, "knative", "knative-serving")
        meta["labels"] |= {f"rbac.authorization.k8s.io/aggregate-to-{role}": "true"}
        roles[role] = {"metadata": meta, "rules": allowed}
    return roles
