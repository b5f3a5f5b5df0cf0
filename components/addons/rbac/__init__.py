"""Who may do what with the cluster: Kubernetes' own roles, bound to users, groups and accounts of the addon."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from components.addons.addon import Addon
from components.options import LABEL, Allowed, Default, Model, problem, shown

NAMESPACE = "rbac"
GROUP = "group:"
"""What a name of a group begins with."""
ACCOUNT = "account:"
"""What a name of a ServiceAccount begins with that the addon makes."""

_EDITORS = "Who is an editor or an admin changes Secrets in these namespaces, and so reads them."


def _person(who: str) -> str:
    if who.removeprefix(GROUP).startswith("system:") and not who.startswith("system:serviceaccount:"):
        raise problem(f"{shown(who)} is one of Kubernetes' own names; name a user, group or account of yours")
    if who == GROUP:
        raise ValueError(who)
    if who.startswith(ACCOUNT) and not re.fullmatch(LABEL, who.removeprefix(ACCOUNT)):
        raise ValueError(who)
    return who


def _place(namespace: str) -> str:
    from components.addons import NAMESPACES

    if namespace.startswith("kube-") or namespace in NAMESPACES:
        raise problem(
            f"{shown(namespace)} is a namespace of the cluster, whose accounts have rights that editors could take; "
            "name those of sites and programs"
        )
    return namespace


_PEOPLE = Allowed("a list of users (NAME), groups (group:NAME) and accounts to make (account:NAME)")
Person = Annotated[str, Field(max_length=253, pattern=r"^[!-~]([ -~]*[!-~])?$"), AfterValidator(_person)]
Place = Annotated[str, Field(pattern=f"^{LABEL}$"), AfterValidator(_place)]


class RbacOptions(Model):
    """Options of the rights.

    People are users, by the names that the API server knows them by: a certificate's common name, an OIDC claim;
    groups, ``group:NAME``; or accounts, ``account:NAME``, which the addon makes.
    """

    viewers: Annotated[
        list[Person],
        _PEOPLE,
        Default("account:viewer"),
    ] = Field(
        default_factory=lambda: ["account:viewer"],
        description="who reads all but Secrets (the role view): users by their names, group:NAME, or account:NAME, "
        "which is made",
    )
    editors: Annotated[
        list[Person],
        _PEOPLE,
        Default("nobody"),
    ] = Field(default_factory=list, description="who changes workloads and what they need (the role edit), as viewers")
    admins: Annotated[
        list[Person],
        _PEOPLE,
        Default("nobody"),
    ] = Field(default_factory=list, description="who besides gives these rights to others (the role admin), as viewers")
    namespaces: Annotated[
        list[Place] | None,
        Allowed("a list of namespaces, at least one"),
        Default("everywhere for viewers, those of the sites for the others"),
    ] = Field(default=None, min_length=1, description="the namespaces where they may")


RBAC = Addon(
    name="rbac",
    what="rights for people",
    options=RbacOptions,
    component="Rbac",
    namespaces=(NAMESPACE,),
    outputs={"rbac_commands": "commands"},
    exemptions={"rbac-secrets": {"RoleBinding */rbac-admin": _EDITORS, "RoleBinding */rbac-edit": _EDITORS}},
)
