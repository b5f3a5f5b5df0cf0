"""What is allowed in the options of the addons that are charts of upstream's."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from settings.models import LABEL, Host, Model, problem

Switch = Annotated[bool, Field(description="true or false")]


class CiliumSettings(Model):
    """Options of the addon ``cilium``."""

    kube_proxy_replacement: Switch = False
    api_server: str | None = Field(
        default=None,
        pattern=rf"^({LABEL}(\.{LABEL})*|\[[0-9a-f:]+\]):[1-9][0-9]{{0,4}}$",
        description='host and port of the API server as nodes reach it, such as "192.0.2.1:6443"',
    )
    hubble: Switch = False
    operator_replicas: Annotated[int, Field(ge=1, le=10, description="a whole number from 1 to 10")] = 1

    @model_validator(mode="after")
    def _a_way_to_the_api_server(self) -> Self:
        if self.kube_proxy_replacement != (self.api_server is not None):
            raise problem(
                f"kubeProxyReplacement is {str(self.kube_proxy_replacement).lower()} "
                f"{'with' if self.api_server else 'without'} apiServer; allowed: both (the Service of the API server "
                "answers only once Cilium runs), or neither"
            )
        return self


class GpuSettings(Model):
    """Options of the addon ``gpu``."""

    driver: Switch = True
    toolkit: Switch = True


class IstioSettings(Model):
    """Options of the addon ``istio``."""

    platform: Annotated[
        Literal["gke", "k3d", "k3s", "microk8s", "minikube", "openshift"] | None,
        Field(description="gke, k3d, k3s, microk8s, minikube, openshift"),
    ] = None


class LinkerdSettings(Model):
    """Options of the addon ``linkerd``."""

    high_availability: Switch = False
    gateway_api: Annotated[Switch, Field(alias="gatewayAPI")] = True


class RancherSettings(Model):
    """Options of the addon ``rancher``."""

    host: Host
    replicas: Annotated[int, Field(ge=1, le=10, description="a whole number from 1 to 10")] = 1
