"""Knative Serving: programs that run while they are asked for something, and scale to zero when they aren't."""

from typing import Annotated

from pydantic import AfterValidator, Field

from components.addons.addon import Addon
from components.options import DOMAIN, Allowed, Default, Host, Model

NAMESPACE = "knative-serving"

_PULLER = "The controller asks registries for digests, with the credentials of the pods' accounts."
_CERTIFICATES = "Certificates of Knative's Ingresses are in Secrets of all namespaces."
_ACTIVATOR = "It waits until it has seen the Secrets of its own namespace, where its certificate would be."


def _window(duration: str) -> str:
    if not 6 <= int(duration.removesuffix("s")) <= 3600:
        raise ValueError(duration)
    return duration


Window = Annotated[
    str,
    Field(pattern=r"^[1-9][0-9]{0,3}s$"),
    AfterValidator(_window),
    Allowed('whole seconds from 6 to 3600, such as "60s"'),
]


class KnativeOptions(Model):
    """Options of Knative Serving and its gateway."""

    domain: Annotated[Host, Default(f"knative.{DOMAIN}")] = Field(
        description="domain of the Knative Services, each at <name>-<namespace>.<domain>"
    )
    stable_window: Window = Field(default="60s", description="time over which requests are averaged")
    scale_to_zero_grace_period: Window = Field(
        default="30s", description="how long the last pod stays at most while the way round it is made"
    )


KNATIVE = Addon(
    name="knative",
    what="Knative Serving",
    options=KnativeOptions,
    component="Knative",
    namespaces=(NAMESPACE,),
    needs=("ingress",),
    outputs={"knative_url": "url_pattern"},
    exemptions={
        "rbac-secrets": {
            "ClusterRole knative-serving-controller": _PULLER,
            "ClusterRole knative-serving-gateway": _CERTIFICATES,
            "ClusterRoleBinding knative-serving-controller": _PULLER,
            "ClusterRoleBinding knative-serving-gateway": _CERTIFICATES,
            "Role knative-serving/knative-serving-activator": _ACTIVATOR,
            "RoleBinding knative-serving/knative-serving-activator": _ACTIVATOR,
        },
        "service-account-token": {
            f"Deployment knative-serving/{program}": "It watches Knative's objects."
            for program in ("activator", "autoscaler", "controller", "gateway", "webhook")
        },
    },
)
