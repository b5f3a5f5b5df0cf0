"""The dashboard: a page that shows what runs in the cluster, to those who sign in."""

from typing import Annotated, Literal

from pydantic import Field

from components.addons.addon import Addon
from components.options import DOMAIN, Allowed, Default, Host, Model

NAMESPACE = "dashboard"

_ADMINISTRATOR = {"ClusterRoleBinding dashboard-admin": "It is there only where the option access is admin."}


class DashboardOptions(Model):
    """Options of the dashboard."""

    kind: Literal["headlamp", "kube-web-view"] = Field(
        default="headlamp",
        description="Headlamp, the successor of kubernetes-dashboard; or kube-web-view, which only reads",
    )
    host: Annotated[Host, Default(f"dashboard.{DOMAIN}")] = Field(description="host name")
    access: Annotated[Literal["view", "admin"], Allowed("view (all but Secrets), admin")] = Field(
        default="view", description="what a user who has signed in may do: view, which reads all but Secrets, or admin"
    )


DASHBOARD = Addon(
    name="dashboard",
    what="web page of the cluster",
    options=DashboardOptions,
    component="Dashboard",
    default=True,
    optional=False,
    namespaces=(NAMESPACE,),
    needs=("ingress",),
    passthrough=True,
    outputs={"dashboard_url": "url", "dashboard_login": "login"},
    exemptions={
        "dashboard-secrets": _ADMINISTRATOR,
        "rbac-admin": _ADMINISTRATOR,
        "rbac-secrets": _ADMINISTRATOR,
        "readiness-probe": {
            "Deployment dashboard/dashboard": (
                "Of its two containers, Caddy asks kube-web-view when it is asked itself."
            ),
        },
        "service-account-token": {
            "Deployment dashboard/dashboard": (
                "kube-web-view reads the cluster with it; Headlamp only finds the API server where it is mounted."
            ),
        },
    },
)
