"""Who may do what with the API server."""

from collections.abc import Iterator, Mapping

from policy.exemptions import EXEMPTIONS
from policy.objects import KubernetesObject, Manifest, each, items, part
from policy.rule import Rule

GROUP = "rbac.authorization.k8s.io"
ROLES = {f"{GROUP}/Role", f"{GROUP}/ClusterRole"}
BINDINGS = {f"{GROUP}/RoleBinding", f"{GROUP}/ClusterRoleBinding"}
FIELDS = ("apiGroups", "resources", "verbs", "nonResourceURLs")

ADMIN = "cluster-admin"
"""Kubernetes' own role that may do everything."""

READING = ("get", "list", "watch")
BUILT_IN_READERS = {ADMIN, "admin", "edit"}
"""Kubernetes' own roles for people that may read Secrets; ``view`` may not.

Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#user-facing-roles
"""

ESCALATIONS: Mapping[str, tuple[str, ...]] = {
    "impersonate": ("users", "groups", "serviceaccounts"),
    "escalate": ("roles", "clusterroles"),
    "bind": ("roles", "clusterroles"),
    "create": ("serviceaccounts/token",),
}
"""Verbs on resources with which somebody gives themselves the rights of others.

Source: https://kubernetes.io/docs/concepts/security/rbac-good-practices/#privilege-escalation-risks
"""


def wildcards(subject: KubernetesObject) -> Iterator[str]:
    """Rights are named one by one, so that new kinds aren't in them by accident."""

    def starred(rule: Manifest) -> Iterator[str]:
        for field in FIELDS:
            if "*" in items(rule, field):
                yield f"a rule has * in {field}; name each that is needed"

    return each(_rules(subject), starred)


def escalations(subject: KubernetesObject) -> Iterator[str]:
    """Nobody gets rights that the stack doesn't list."""

    def escalating(rule: Manifest) -> Iterator[str]:
        for verb, resources in ESCALATIONS.items():
            for resource in resources:
                if verb in items(rule, "verbs") and resource in items(rule, "resources"):
                    yield f"it may {verb} {resource}, and so take the rights of others; remove it"

    return each(_rules(subject), escalating)


def administrators(subject: KubernetesObject) -> Iterator[str]:
    """Nobody may do everything."""
    if subject.group_kind in BINDINGS and _role(subject) == f"ClusterRole {ADMIN}":
        yield f"it binds {ADMIN}, which may do everything; bind a role with the rights that are needed"


def secrets(subject: KubernetesObject) -> Iterator[str]:
    """Only those that are listed read Secrets."""
    yield from each(_rules(subject), _reading)
    if subject.group_kind in BINDINGS and _reads(_role(subject)):
        yield f"it binds the {_role(subject)}, which may read Secrets; bind one that may not"


def dashboard_secrets(subject: KubernetesObject) -> Iterator[str]:
    """The dashboard shows all that it can read. No role of its own is exempt, whoever else may read Secrets."""
    return secrets(subject) if subject.component == "dashboard" else iter(())


def _rules(subject: KubernetesObject) -> Iterator[Manifest]:
    yield from items(subject.manifest, "rules") if subject.group_kind in ROLES else ()


def _reading(rule: Manifest) -> Iterator[str]:
    verbs, groups = items(rule, "verbs"), items(rule, "apiGroups")
    named = [name for name in ("secrets", "*") if name in items(rule, "resources")]
    if named and ("" in groups or "*" in groups):
        found = [verb for verb in (*READING, "*") if verb in verbs]
        if found:
            yield f"it may {', '.join(found)} {named[0]}, and so read Secrets; remove that right"


def _role(binding: KubernetesObject) -> str:
    """The role that is bound, as `KubernetesObject.subject` calls it."""
    role = binding.manifest["roleRef"]
    namespace = part(binding.manifest, "metadata").get("namespace")
    return f"Role {namespace}/{role['name']}" if role["kind"] == "Role" else f"ClusterRole {role['name']}"


def _reads(role: str) -> bool:
    """Whether ``role`` reads Secrets: Kubernetes' own roles, and those that are listed."""
    kind, _, name = role.partition(" ")
    return (kind == "ClusterRole" and name in BUILT_IN_READERS) or role in EXEMPTIONS["rbac-secrets"]


RULES = [
    Rule("rbac-wildcard", "Roles name each right.", wildcards),
    Rule("rbac-escalation", "Roles don't let anybody take the rights of others.", escalations),
    Rule("rbac-admin", "Nobody is administrator of the cluster unless listed.", administrators),
    Rule("rbac-secrets", "Nobody reads Secrets unless listed.", secrets),
    Rule("dashboard-secrets", "The dashboard reads no Secrets unless it is the administrator's.", dashboard_secrets),
]
