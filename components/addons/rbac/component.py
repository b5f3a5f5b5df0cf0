"""Who may do what with the cluster: Kubernetes' own roles, bound to users, groups and accounts of the addon."""

from collections.abc import Mapping, Sequence

import pulumi

from components.addons.addon import Context
from components.addons.rbac import ACCOUNT, GROUP, NAMESPACE, RbacOptions
from components.cluster_view import cluster_view
from components.kinds import ClusterRole, ClusterRoleBinding, Namespace, RoleBinding, ServiceAccount
from components.manifests import Manifest, metadata, namespace_args, service_account

NAME = "rbac"
TOKEN_DURATION = "8h"  # noqa: S105 how long one is good
"""A day's work. A token can't be taken back by itself, only with its account."""

API = "rbac.authorization.k8s.io"


class Rbac(pulumi.ComponentResource):
    """Roles for people, and accounts to sign in with.

    Editors and admins are never bound in the whole cluster: who may run pods or ask for tokens in ``kube-system`` has
    the rights of every controller, and so all rights there are.
    Source: https://kubernetes.io/docs/concepts/security/rbac-good-practices/#privilege-escalation-risks
    """

    commands: dict[str, str]
    """The command that prints a token, by account."""

    def __init__(
        self, name: str, options: RbacOptions, context: Context, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("inspiration:index:Rbac", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        namespace = Namespace(f"{name}-namespace", **namespace_args(NAMESPACE, "rbac", "restricted"), opts=child)
        ns = namespace.metadata["name"]
        for account in accounts(options):
            ServiceAccount(f"{name}-account-{account}", **service_account(account, ns, "rbac"), opts=child)
        for part, manifest in role_bindings(options, context.sites, ns).items():
            RoleBinding(f"{name}-{part}", **manifest, opts=child)
        if options.viewers and options.namespaces is None:
            role = ClusterRole(
                f"{name}-role", **cluster_view(metadata(f"{NAME}-view-cluster", None, "rbac", NAME)), opts=child
            )
            for part, manifest in cluster_role_bindings(options, ns, role.metadata["name"]).items():
                ClusterRoleBinding(f"{name}-{part}", **manifest, opts=child)
        self.commands = {account: token_command(account) for account in accounts(options)}
        self.register_outputs({"commands": self.commands})


def accounts(options: RbacOptions) -> list[str]:
    """Return the names of the accounts to make, each once."""
    everybody = [*options.viewers, *options.editors, *options.admins]
    return list(dict.fromkeys(who.removeprefix(ACCOUNT) for who in everybody if who.startswith(ACCOUNT)))


def subject(who: str, ns: pulumi.Input[str]) -> Manifest:
    """Return ``who`` of the configuration as a subject of bindings; ``ns`` is the namespace of the accounts."""
    if who.startswith(ACCOUNT):
        return {"kind": "ServiceAccount", "name": who.removeprefix(ACCOUNT), "namespace": ns}
    if who.startswith(GROUP):
        return {"kind": "Group", "apiGroup": API, "name": who.removeprefix(GROUP)}
    return {"kind": "User", "apiGroup": API, "name": who}


def role_bindings(
    options: RbacOptions, sites: Mapping[str, pulumi.Input[str]], ns: pulumi.Input[str]
) -> dict[str, Manifest]:
    """Return the RoleBindings, by ``role-namespace``.

    ``sites`` are the namespaces of the sites, by name, and ``ns`` is that of the accounts.
    """
    limits = options.namespaces
    people = {"edit": options.editors, "admin": options.admins}
    if limits is not None:
        people["view"] = options.viewers
    # A site's namespace is taken from the site, so that it is there first.
    places = {place: sites.get(place, place) for place in (sites if limits is None else limits)}
    return {
        f"{role}-{place}": _binding(metadata(f"{NAME}-{role}", target, "rbac", NAME), role, subjects, ns)
        for role, subjects in people.items()
        if subjects
        for place, target in places.items()
    }


def cluster_role_bindings(options: RbacOptions, ns: pulumi.Input[str], role: pulumi.Input[str]) -> dict[str, Manifest]:
    """Return the ClusterRoleBindings of the viewers to ``view``, and to the ``role`` of what has no namespace."""
    return {
        part: _binding(metadata(f"{NAME}-{part}", None, "rbac", NAME), bound, options.viewers, ns)
        for part, bound in {"view": "view", "view-cluster": role}.items()
    }


def _binding(meta: Manifest, role: pulumi.Input[str], people: Sequence[str], ns: pulumi.Input[str]) -> Manifest:
    return {
        "metadata": meta,
        "roleRef": {"apiGroup": API, "kind": "ClusterRole", "name": role},
        "subjects": [subject(who, ns) for who in people],
    }


def token_command(account: str) -> str:
    """Return the command that prints a token of ``account``."""
    return f"kubectl create token {account} --namespace {NAMESPACE} --duration {TOKEN_DURATION}"
