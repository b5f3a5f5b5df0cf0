"""Who may do what with the cluster: Kubernetes' own roles, bound to users, groups and accounts of the addon."""

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

import pulumi
from pulumi_kubernetes.core.v1 import Namespace, ServiceAccount
from pulumi_kubernetes.rbac.v1 import ClusterRole, ClusterRoleBinding, RoleBinding

from components.cluster_view import cluster_view
from components.manifests import Manifest, metadata, namespace, service_account

NAME = "rbac"
NAMESPACE = "rbac"

GROUP = "group:"
"""What a name of a group begins with in the configuration."""
ACCOUNT = "account:"
"""What a name of a ServiceAccount begins with that the addon makes."""

TOKEN_DURATION = "8h"  # noqa: S105 how long one is good
"""A day's work. A token can't be taken back by itself, only with its account."""

API = "rbac.authorization.k8s.io"


class RbacArgs(TypedDict):
    """Who may do what.

    People are users, by the names that the API server knows them by: a certificate's common name, an OIDC claim;
    groups, ``group:NAME``; or accounts, ``account:NAME``, which the addon makes.
    """

    viewers: NotRequired[Sequence[str]]
    """Who reads all but Secrets (the role ``view``)."""
    editors: NotRequired[Sequence[str]]
    """Who changes workloads and what they need, Secrets included (the role ``edit``)."""
    admins: NotRequired[Sequence[str]]
    """Who besides gives these rights to others (the role ``admin``)."""
    namespaces: NotRequired[Sequence[str] | None]
    """Where all of them may; default: viewers in the whole cluster, editors and admins where the sites are."""
    sites: Mapping[str, pulumi.Input[str]]
    """The namespaces of the sites, by name."""


class Rbac(pulumi.ComponentResource):
    """Roles for people, and accounts to sign in with.

    Editors and admins are never bound in the whole cluster: who may run pods or ask for tokens in ``kube-system`` has
    the rights of every controller, and so all rights there are.
    Source: https://kubernetes.io/docs/concepts/security/rbac-good-practices/#privilege-escalation-risks
    """

    commands: dict[str, str]
    """The command that prints a token, by account."""

    def __init__(self, name: str, args: RbacArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inspiration:index:Rbac", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        home = Namespace(f"{name}-namespace", **namespace(NAMESPACE, "rbac", "restricted"), opts=child)
        ns = home.metadata.name
        for account in accounts(args):
            ServiceAccount(f"{name}-account-{account}", **service_account(account, ns, "rbac"), opts=child)
        for part, manifest in role_bindings(args, ns).items():
            RoleBinding(f"{name}-{part}", **manifest, opts=child)
        if args.get("viewers") and args.get("namespaces") is None:
            role = ClusterRole(
                f"{name}-role", **cluster_view(metadata(f"{NAME}-view-cluster", None, "rbac", NAME)), opts=child
            )
            for part, manifest in cluster_role_bindings(args, ns, role.metadata.name).items():
                ClusterRoleBinding(f"{name}-{part}", **manifest, opts=child)
        self.commands = {account: token_command(account) for account in accounts(args)}
        self.register_outputs({"commands": self.commands})


def accounts(args: RbacArgs) -> list[str]:
    """Return the names of the accounts to make, each once."""
    everybody = [*args.get("viewers", ()), *args.get("editors", ()), *args.get("admins", ())]
    return list(dict.fromkeys(who.removeprefix(ACCOUNT) for who in everybody if who.startswith(ACCOUNT)))


def subject(who: str, ns: pulumi.Input[str]) -> Manifest:
    """Return ``who`` of the configuration as a subject of bindings; ``ns`` is the namespace of the accounts."""
    if who.startswith(ACCOUNT):
        return {"kind": "ServiceAccount", "name": who.removeprefix(ACCOUNT), "namespace": ns}
    if who.startswith(GROUP):
        return {"kind": "Group", "apiGroup": API, "name": who.removeprefix(GROUP)}
    return {"kind": "User", "apiGroup": API, "name": who}


def role_bindings(args: RbacArgs, ns: pulumi.Input[str]) -> dict[str, Manifest]:
    """Return the RoleBindings, by ``role-namespace``; ``ns`` is the namespace of the accounts."""
    limits = args.get("namespaces")
    people = {"edit": args.get("editors", ()), "admin": args.get("admins", ())}
    if limits is not None:
        people["view"] = args.get("viewers", ())
    # A site's namespace is taken from the site, so that it is there first.
    places = {place: args["sites"].get(place, place) for place in (args["sites"] if limits is None else limits)}
    return {
        f"{role}-{place}": _binding(metadata(f"{NAME}-{role}", target, "rbac", NAME), role, subjects, ns)
        for role, subjects in people.items()
        if subjects
        for place, target in places.items()
    }


def cluster_role_bindings(args: RbacArgs, ns: pulumi.Input[str], role: pulumi.Input[str]) -> dict[str, Manifest]:
    """Return the ClusterRoleBindings of the viewers to ``view``, and to the ``role`` of what has no namespace."""
    return {
        part: _binding(metadata(f"{NAME}-{part}", None, "rbac", NAME), bound, args.get("viewers", ()), ns)
        for part, bound in {"view": "view", "view-cluster": role}.items()
    }


def _binding(meta: Manifest, role: pulumi.Input[str], people: Sequence[str], ns: pulumi.Input[str]) -> Manifest:
    return {
        "metadata": meta,
        "role_ref": {"apiGroup": API, "kind": "ClusterRole", "name": role},
        "subjects": [subject(who, ns) for who in people],
    }


def token_command(account: str) -> str:
    """Return the command that prints a token of ``account``."""
    return f"kubectl create token {account} --namespace {NAMESPACE} --duration {TOKEN_DURATION}"
