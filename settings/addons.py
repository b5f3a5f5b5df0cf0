"""What is allowed in the options of each addon. A field's description is what an error says is allowed."""

import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from settings.catalogue import CiliumSettings, GpuSettings, IstioSettings, LinkerdSettings, RancherSettings
from settings.models import LABEL, RESERVED_NAMES, Address, AddressRange, Host, Memory, Model, NodePort, problem
from settings.problems import keys, shown

StorageQuantity = Annotated[Memory, Field(description='a Kubernetes quantity of storage, such as "8Gi"')]


def _node_path(path: str) -> str:
    if {".", ".."}.intersection(path.split("/")):
        raise ValueError(path)
    return path


NodePath = Annotated[
    str,
    Field(max_length=1024, pattern=r"^(/[A-Za-z0-9._-]+)+$", description="an absolute path on the node, and not /"),
    AfterValidator(_node_path),
]

_HOURS = {"h": 1, "d": 24, "w": 7 * 24, "y": 365 * 24}


def _retention(time: str) -> str:
    # Prometheus and Loki count nanoseconds, in 64 bits: they refuse to start with 300 years.
    if int(time[:-1]) * _HOURS[time[-1]] > 100 * _HOURS["y"]:
        raise problem(f"{shown(time)} is too long; allowed: at most 100y")
    return time


class Detected(Model):
    """Options of an addon that the cluster may have from somebody else."""

    auto: Annotated[bool, Field(description="true (deployed unless the cluster has it), false")] = False


class DnsSettings(Detected):
    """Options of the addon ``dns``."""

    cluster_ip: Annotated[Address | None, Field(alias="clusterIP", description="an IP address")] = None
    replicas: Annotated[int, Field(ge=1, le=10, description="a whole number from 1 to 10")] = 1
    upstream: list[Address] | None = Field(default=None, description="a list of IP addresses")


class StorageSettings(Detected):
    """Options of the addon ``storage``."""

    path: NodePath = "/opt/local-path-provisioner"


class RegistryAddonSettings(Detected):
    """Options of the addon ``registry``."""

    size: StorageQuantity = "10Gi"
    source_ranges: Annotated[
        list[AddressRange] | None,
        Field(min_length=1, description='a list of address ranges in CIDR notation, such as "192.0.2.0/24"'),
    ] = None


class IngressNodePorts(Model):
    """NodePorts of the ingress controller."""

    http: NodePort
    https: NodePort

    @model_validator(mode="after")
    def _two_ports(self) -> Self:
        if self.http == self.https:
            raise problem(f"http and https are both {self.http}; allowed: two different ports")
        return self


class IngressAddonSettings(Detected):
    """Options of the addon ``ingress``."""

    node_ports: IngressNodePorts | None = Field(default=None, description="a map of http, https")


class DashboardSettings(Model):
    """Options of the addon ``dashboard``."""

    kind: Annotated[Literal["headlamp", "kube-web-view"], Field(description="headlamp, kube-web-view")] = "headlamp"
    host: Host
    access: Annotated[Literal["view", "admin"], Field(description="view (all but Secrets), admin")] = "view"


def _person(who: str) -> str:
    if who.removeprefix("group:").startswith("system:") and not who.startswith("system:serviceaccount:"):
        raise problem(f"{shown(who)} is one of Kubernetes' own names; name a user, group or account of yours")
    if who == "group:":
        raise ValueError(who)
    if who.startswith("account:") and not re.fullmatch(LABEL, who.removeprefix("account:")):
        raise ValueError(who)
    return who


def _place(namespace: str) -> str:
    if namespace.startswith("kube-") or namespace in RESERVED_NAMES - {"default"}:
        raise problem(
            f"{shown(namespace)} is a namespace of the cluster, whose accounts have rights that editors could take; "
            "name those of sites and programs"
        )
    return namespace


PEOPLE = "a list of users (NAME), groups (group:NAME) and accounts to make (account:NAME)"
Person = Annotated[str, Field(max_length=253, pattern=r"^[!-~]([ -~]*[!-~])?$"), AfterValidator(_person)]
Place = Annotated[str, Field(pattern=f"^{LABEL}$"), AfterValidator(_place)]


class RbacSettings(Model):
    """Options of the addon ``rbac``."""

    viewers: list[Person] = Field(default=["account:viewer"], description=PEOPLE)
    editors: list[Person] = Field(default=[], description=PEOPLE)
    admins: list[Person] = Field(default=[], description=PEOPLE)
    namespaces: list[Place] | None = Field(default=None, min_length=1, description="a list of namespaces, at least one")


class MetricsServerSettings(Detected):
    """Options of the addon ``metrics-server``."""

    kubelet_insecure_tls: Annotated[bool, Field(description="true or false")] = False


class JaegerSettings(Model):
    """Options of the addon ``jaeger``."""

    # Fewer, and a search that doesn't say how many traces it wants is refused: it asks for a hundred.
    max_traces: Annotated[int, Field(ge=100, le=100_000, description="a whole number from 100 to 100000")] = 10_000


def _window(duration: str) -> str:
    if not 6 <= int(duration.removesuffix("s")) <= 3600:
        raise ValueError(duration)
    return duration


Window = Annotated[
    str,
    Field(pattern=r"^[1-9][0-9]{0,3}s$", description='whole seconds from 6 to 3600, such as "60s"'),
    AfterValidator(_window),
]


class KnativeSettings(Model):
    """Options of the addon ``knative``."""

    domain: Host
    stable_window: Window = "60s"
    scale_to_zero_grace_period: Window = "30s"


class AcmeSettings(Model):
    """An authority on the internet, which issues certificates to who shows that a host name is theirs."""

    server: Annotated[
        str, Field(pattern=r"^https://[^\s/]+(/[^\s]*)?$", description="the URL of an ACME directory, https://…")
    ] = "https://acme-v02.api.letsencrypt.org/directory"
    email: Annotated[
        str,
        Field(
            max_length=254,
            pattern=r"^[^\s@]+@[^\s@.]+(\.[^\s@.]+)+$",
            description="the e-mail address that the authority writes to",
        ),
    ]


class CertSettings(Model):
    """Options of the addon ``cert``."""

    acme: AcmeSettings | None = Field(default=None, description=f"a map of {', '.join(keys(AcmeSettings))}")


class PrometheusSettings(Model):
    """Options of the addon ``prometheus``."""

    host: Host
    retention: Annotated[
        str,
        Field(pattern=r"^[1-9][0-9]{0,4}[hdwy]$", description='a whole number and h, d, w or y, such as "7d"'),
        AfterValidator(_retention),
    ] = "7d"
    size: StorageQuantity = "8Gi"
    kubelet_insecure_tls: Annotated[bool, Field(description="true or false")] = False


class LogsSettings(Model):
    """Options of the addon ``logs``."""

    retention: Annotated[
        str,
        Field(pattern=r"^[1-9][0-9]{0,4}[dwy]$", description='a whole number and d, w or y, such as "7d"'),
        AfterValidator(_retention),
    ] = "7d"
    size: StorageQuantity = "10Gi"
    path: NodePath = "/var/lib/otel-collector"


def _toggle(value: Any) -> Any:
    if value is None:
        raise ValueError  # a key with nothing after it: on and off are equally likely to be meant
    return {True: {}, False: None}.get(value, value) if isinstance(value, bool) else value


def _toggle_or_auto(value: Any) -> Any:
    return {"auto": True} if value == "auto" else _toggle(value)


def _options(model: type[Model]) -> Any:
    return Field(default_factory=dict, validate_default=True, description=f"true, false, or a map of {_listed(model)}")


def _off_unless_named(model: type[Model]) -> Any:
    return Field(default=None, description=f"true, false, or a map of {_listed(model)}")


def _auto_unless_named(model: type[Detected]) -> Any:
    return Field(default_factory=lambda: {"auto": True}, validate_default=True, description=_detected(model))


def _off_or_detected(model: type[Detected]) -> Any:
    return Field(default=None, description=_detected(model))


def _detected(model: type[Detected]) -> str:
    return f"true, false, auto (unless the cluster has its own), or a map of {_listed(model)}"


def _listed(model: type[Model]) -> str:
    return ", ".join(keys(model))


class AddonSettings(Model):
    """The options of each addon that is switched on."""

    dns: Annotated[DnsSettings | None, BeforeValidator(_toggle_or_auto)] = _auto_unless_named(DnsSettings)
    storage: Annotated[StorageSettings | None, BeforeValidator(_toggle_or_auto)] = _auto_unless_named(StorageSettings)
    registry: Annotated[RegistryAddonSettings | None, BeforeValidator(_toggle_or_auto)] = _auto_unless_named(
        RegistryAddonSettings
    )
    ingress: Annotated[IngressAddonSettings | None, BeforeValidator(_toggle_or_auto)] = _auto_unless_named(
        IngressAddonSettings
    )
    dashboard: Annotated[DashboardSettings | None, BeforeValidator(_toggle)] = _options(DashboardSettings)
    metrics_server: Annotated[
        MetricsServerSettings | None, BeforeValidator(_toggle_or_auto), Field(alias="metrics-server")
    ] = _off_or_detected(MetricsServerSettings)
    prometheus: Annotated[PrometheusSettings | None, BeforeValidator(_toggle)] = _off_unless_named(PrometheusSettings)
    logs: Annotated[LogsSettings | None, BeforeValidator(_toggle)] = _off_unless_named(LogsSettings)
    rbac: Annotated[RbacSettings | None, BeforeValidator(_toggle)] = _off_unless_named(RbacSettings)
    jaeger: Annotated[JaegerSettings | None, BeforeValidator(_toggle)] = _off_unless_named(JaegerSettings)
    knative: Annotated[KnativeSettings | None, BeforeValidator(_toggle)] = _off_unless_named(KnativeSettings)
    cert: Annotated[CertSettings | None, BeforeValidator(_toggle)] = _off_unless_named(CertSettings)
    cilium: Annotated[CiliumSettings | None, BeforeValidator(_toggle)] = _off_unless_named(CiliumSettings)
    gpu: Annotated[GpuSettings | None, BeforeValidator(_toggle)] = _off_unless_named(GpuSettings)
    istio: Annotated[IstioSettings | None, BeforeValidator(_toggle)] = _off_unless_named(IstioSettings)
    linkerd: Annotated[LinkerdSettings | None, BeforeValidator(_toggle)] = _off_unless_named(LinkerdSettings)
    rancher: Annotated[RancherSettings | None, BeforeValidator(_toggle)] = _off_unless_named(RancherSettings)

    @property
    def deployed(self) -> dict[str, Model]:
        """The options of each addon that is switched on, by its name in the configuration."""
        fields = type(self).model_fields
        return {field.alias or name: getattr(self, name) for name, field in fields.items() if getattr(self, name)}

    def without(self, names: Iterable[str]) -> "AddonSettings":
        """Return the same with the addons ``names``, as in the configuration, switched off."""
        return self.model_copy(update=dict.fromkeys((name.replace("-", "_") for name in names), None))

    @property
    def hosts(self) -> dict[str, str]:
        """The host names of the pages of addons, by addon."""
        pages = {"dashboard": self.dashboard, "prometheus": self.prometheus, "rancher": self.rancher}
        return {name: addon.host for name, addon in pages.items() if addon}
