"""What an addon is: all that the program, the policies and the documentation need to know of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypeAlias, TypeVar

from pydantic import Field

from components.options import Allowed, Model

if TYPE_CHECKING:
    import pulumi

    from components.certificate_authority import CertificateAuthority
    from components.chart import Product
    from components.ingress import IngressArgs

Document: TypeAlias = Mapping[str, Any]
"""An object or a list of them, as the API server gives it."""

Exemptions: TypeAlias = Mapping[str, Mapping[str, str]]
"""What may break a policy, and why: by the policy's name, then by object as in its reports.

``*`` stands for any namespace. A reason is one that others can check.
"""


class Detectable(Model):
    """Options of an addon that the cluster may have from somebody else."""

    auto: Annotated[
        bool,
        Field(description="true: deployed unless the cluster has it"),
        Allowed("true (deployed unless the cluster has it), false"),
    ] = False


@dataclass(frozen=True)
class Detection:
    """How a cluster is seen to have already what an addon does."""

    path: str
    """What the API server is asked for: a list of objects, or one."""
    kind: str
    """Kind of the objects."""
    name: str
    """The one that the addon would make itself, under a name that there is once in a cluster."""
    concerns: Callable[[Document], bool] = lambda _: True
    """Whether an object of the list has to do with the addon."""
    default_only: bool = False
    """Whether such an object is all that is needed only if it is the default class."""


@dataclass(frozen=True)
class Context:
    """What addons may use of the rest of the stack."""

    authority: CertificateAuthority
    """Who issues certificates."""
    ingress: IngressArgs
    """How pages are reached."""
    storage_class: pulumi.Input[str] | None = None
    """StorageClass of volumes; default: the cluster's default one."""
    registry: str = ""
    """Address of the cluster's own registry, which only the nodes reach."""
    sites: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """The namespaces of the sites, by name."""
    addons: frozenset[str] = frozenset()
    """Names of the addons that are switched on."""
    located: Callable[[Product], Product] = lambda product: product
    """Has a product's charts taken from elsewhere than upstream."""


O = TypeVar("O", bound=Model)  # noqa: E741 for options


@dataclass(frozen=True)
class Addon(Generic[O]):
    """What can be deployed besides the sites.

    Its package, ``components.addons.NAME``, has a module ``component`` besides this, which is imported where the addon
    is switched on.
    """

    name: str
    """In the configuration, and what the names of its resources begin with."""
    what: str
    """What it is, in a few words."""
    options: type[O]
    component: str
    """Class of its component. If the addon is `optional`, it takes a name, the options and a `Context`."""
    default: Literal["auto"] | bool = False
    """Whether it is deployed where the configuration doesn't say."""
    optional: bool = True
    """Whether nothing else depends on it, so that it goes after all that it may need."""
    before_sites: bool = False
    """Whether sites use its component, so that it is deployed before them."""
    namespaces: tuple[str, ...] = ()
    """Those that it makes."""
    needs: tuple[str, ...] = ()
    """Addons whose part somebody has to do for it, be it the addon or what the cluster has already."""
    detection: Detection | None = None
    """How the cluster is seen to have it; ``None``: it may be there several times."""
    passthrough: bool = False
    """Whether it has a page whose TLS ends in its pod."""
    outputs: Mapping[str, str] = field(default_factory=dict)
    """Outputs of the stack that it adds: name to the attribute of the component that has the value."""
    exemptions: Exemptions = field(default_factory=dict)
    chart_exemptions: Exemptions = field(default_factory=dict)
    """The same for objects of charts, which aren't known before Helm has rendered them."""

    def host(self, options: O) -> str | None:
        """Return the host of its page, where the component's ``url`` leads; ``None``: it has no page."""
        return getattr(options, "host", None)

    def deploy(self, options: O, context: Context, opts: pulumi.ResourceOptions) -> Any:
        """Declare the addon, and return its component."""
        module = import_module(f"components.addons.{self.name.replace('-', '_')}.component")
        return getattr(module, self.component)(self.name, options, context, opts)
