"""TLS passthrough: a host whose TLS ends in the pod, behind whichever ingress controller the cluster has."""

from collections.abc import Callable, Mapping
from typing import NotRequired, TypedDict

import pulumi

from components.ingress import GATEWAY_API, Gateway, Strategy
from components.kinds import Ingress, IngressClass, KubernetesObject
from components.manifests import INGRESS_TIMEOUT, Manifest, metadata

STRATEGIES: Mapping[str, Strategy] = {
    "k8s.io/ingress-nginx": "nginx",
    "traefik.io/ingress-controller": "traefik",
    "haproxy.org/ingress-controller": "haproxy",
    "haproxy-ingress.github.io/controller": "haproxy",
}
"""Controller of an IngressClass to what it understands. HAProxy's may have a suffix, ``/`` and a name."""

HAPROXY_PREFIXES: Mapping[str, str] = {
    "haproxy.org/ingress-controller": "haproxy.org",
    "haproxy-ingress.github.io/controller": "haproxy-ingress.github.io",
}
"""Controller to the prefix of its annotations."""


class TlsPassthroughIngressArgs(TypedDict):
    """A host whose TLS ends in the pod."""

    host: str
    """Host name, which clients send as SNI."""
    namespace: pulumi.Input[str]
    """Namespace of the Service."""
    service: pulumi.Input[str]
    """The Service that TLS is passed to."""
    port: int
    """Its port."""
    component: str
    """The part that the Service plays in the stack, such as ``dashboard``; a label of the objects."""
    ingress_class: pulumi.Input[str]
    """IngressClass; counts for all strategies but ``gateway``."""
    controller: NotRequired[str | None]
    """Controller of the IngressClass; default: read from the cluster."""
    https_port: NotRequired[int]
    """Port of the ingress controller for HTTPS, which clients are redirected to; default 443."""
    strategy: NotRequired[Strategy]
    """How the controller is told; default ``auto``: as its IngressClass says."""
    gateway: NotRequired[str | None]
    """``namespace/name`` of the Gateway of the strategy ``gateway``.

    It has a listener for HTTP, and one for TLS whose mode is ``Passthrough``.
    """


class TlsPassthroughIngress(pulumi.ComponentResource):
    """Passes TLS on to a Service by SNI, undecrypted, and redirects plain HTTP for the host to HTTPS.

    Raises:
        pulumi.RunError: The controller would ignore what it is told, or isn't known.
        ValueError: The strategy is ``gateway``, and there is none.
    """

    def __init__(self, name: str, args: TlsPassthroughIngressArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("inspiration:index:TlsPassthroughIngress", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        strategy, controller = args.get("strategy", "auto"), args.get("controller")
        if strategy == "gateway":
            declare_gateway(name, args, child)
        elif controller is not None:
            DECLARE[chosen(strategy, controller)](name, args, controller, child)
        else:
            ingress_class = IngressClass.get(f"{name}-class", args["ingress_class"], child)
            # Which kind of object it will be depends on what is read, in a preview as well: it isn't unknown there.
            ingress_class.spec["controller"].apply(
                lambda known: DECLARE[chosen(strategy, known)](name, args, known, child)
            )
        self.register_outputs({})


def chosen(strategy: Strategy, controller: str) -> Strategy:
    """Return the strategy for an IngressClass of ``controller``.

    Raises:
        pulumi.RunError: The controller isn't known, or would ignore what it is told.
    """
    understood = STRATEGIES.get(family(controller))
    if strategy == "auto":
        if understood:
            return understood
        raise pulumi.RunError(
            f"passthrough is auto, and the controller of the IngressClass, {controller}, isn't known to pass TLS "
            "through; allowed: gateway, another IngressClass, or nginx, traefik or haproxy where it does as that one"
        )
    if understood not in (None, strategy) or controller in DEAF:
        raise pulumi.RunError(
            f"passthrough is {strategy}, which the controller of the IngressClass, {controller}, would ignore; "
            f"allowed: {'auto' if understood else 'gateway'}, or another IngressClass"
        )
    return strategy


DEAF = frozenset(
    {
        "nginx.org/ingress-controller",
        "ingress.k8s.aws/alb",
        "azure/application-gateway",
        "k8s.io/ingress-gce",
        "cilium.io/ingress-controller",
        "istio.io/ingress-controller",
        "ingress-controllers.konghq.com/kong",
        "projectcontour.io/ingress-controller",
    }
)
"""Controllers that understand none of the strategies for Ingresses: they would serve something else, or nothing."""


def family(controller: str) -> str:
    """Return ``controller`` without the suffix that tells several HAProxy controllers of a cluster from each other."""
    return next((known for known in HAPROXY_PREFIXES if controller.startswith(f"{known}/")), controller)


def declare_nginx(name: str, args: TlsPassthroughIngressArgs, _controller: str, opts: pulumi.ResourceOptions) -> None:
    """Declare an Ingress with ingress-nginx' annotations."""
    Ingress(f"{name}-ingress", **ingress(args, NGINX_ANNOTATIONS), opts=opts)


def declare_haproxy(name: str, args: TlsPassthroughIngressArgs, controller: str, opts: pulumi.ResourceOptions) -> None:
    """Declare an Ingress with the annotations of one of the two HAProxy controllers."""
    Ingress(f"{name}-ingress", **ingress(args, haproxy_annotations(controller)), opts=opts)


def declare_traefik(name: str, args: TlsPassthroughIngressArgs, _controller: str, opts: pulumi.ResourceOptions) -> None:
    """Declare Traefik's own kinds, which its chart and MicroK8s' and k3s' addons install."""
    KubernetesObject(f"{name}-tcp", **ingress_route_tcp(args), opts=opts)
    middleware = KubernetesObject(f"{name}-https", **redirect_middleware(args), opts=opts)
    # Its reference to the Middleware is a plain name: an IngressRoute that comes first would fail for a moment.
    after = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[middleware]))
    KubernetesObject(f"{name}-http", **ingress_route(args), opts=after)


def declare_gateway(name: str, args: TlsPassthroughIngressArgs, opts: pulumi.ResourceOptions) -> None:
    """Declare the routes of the Gateway API: one for TLS, one for the redirect."""
    gateway = args.get("gateway")
    if gateway is None:
        raise ValueError("the strategy gateway needs a gateway")
    KubernetesObject(f"{name}-tls", **tls_route(args, gateway), opts=opts)
    KubernetesObject(f"{name}-http", **http_route(args, gateway), opts=opts)


DECLARE: Mapping[Strategy, Callable[[str, TlsPassthroughIngressArgs, str, pulumi.ResourceOptions], None]] = {
    "nginx": declare_nginx,
    "haproxy": declare_haproxy,
    "traefik": declare_traefik,
}

NGINX_ANNOTATIONS: Mapping[str, str] = {
    # Works where the controller runs with --enable-ssl-passthrough; it isn't on by default.
    "nginx.ingress.kubernetes.io/ssl-passthrough": "true",
    # Without a certificate in the Ingress, ssl-redirect alone would do nothing.
    "nginx.ingress.kubernetes.io/force-ssl-redirect": "true",
    # Traefik, for one, would go on connecting to pods that end: the Service doesn't.
    "nginx.ingress.kubernetes.io/service-upstream": "true",
}
"""Source: https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/#ssl-passthrough"""


def haproxy_annotations(controller: str) -> dict[str, str]:
    """Return the annotations that the HAProxy controller understands.

    Source: https://www.haproxy.com/documentation/kubernetes-ingress/ and
    https://haproxy-ingress.github.io/docs/configuration/keys/#ssl-passthrough
    """
    # A controller that isn't known is taken for HAProxy Technologies'.
    prefix = HAPROXY_PREFIXES.get(family(controller), "haproxy.org")
    return {f"{prefix}/ssl-passthrough": "true", f"{prefix}/ssl-redirect": "true"}


def ingress(args: TlsPassthroughIngressArgs, annotations: Mapping[str, str]) -> Manifest:
    """Return the Ingress of the host, whose path has to be ``/``: nobody but the pod sees one."""
    backend = {"service": {"name": args["service"], "port": {"number": args["port"]}}}
    return {
        "metadata": {**meta(args), "annotations": {**annotations, **INGRESS_TIMEOUT}},
        "spec": {
            "ingressClassName": args["ingress_class"],
            "rules": [
                {"host": args["host"], "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
            ],
        },
    }


def ingress_route_tcp(args: TlsPassthroughIngressArgs) -> Manifest:
    """Return Traefik's route of TLS by SNI.

    Source: https://doc.traefik.io/traefik/reference/routing-configuration/kubernetes/crd/tcp/ingressroutetcp/
    """
    # By way of the Service itself, which doesn't lead to pods that end.
    service = {"name": args["service"], "port": args["port"], "nativeLB": True}
    return {
        "apiVersion": "traefik.io/v1alpha1",
        "kind": "IngressRouteTCP",
        "metadata": meta(args),
        "spec": {
            "entryPoints": ["websecure"],
            "routes": [{"match": f"HostSNI(`{args['host']}`)", "services": [service]}],
            "tls": {"passthrough": True},
        },
    }


def redirect_middleware(args: TlsPassthroughIngressArgs) -> Manifest:
    """Return Traefik's redirect to HTTPS."""
    return {
        "apiVersion": "traefik.io/v1alpha1",
        "kind": "Middleware",
        "metadata": meta(args),
        "spec": {"redirectScheme": {"scheme": "https", "port": str(args.get("https_port", 443)), "permanent": True}},
    }


def ingress_route(args: TlsPassthroughIngressArgs) -> Manifest:
    """Return Traefik's route of plain HTTP, which ends at the redirect."""
    route = {
        "kind": "Rule",
        "match": f"Host(`{args['host']}`)",
        "middlewares": [{"name": args["component"]}],
        # A route must have a service; this is Traefik's own for those that never get to it.
        "services": [{"kind": "TraefikService", "name": "noop@internal"}],
    }
    return {
        "apiVersion": "traefik.io/v1alpha1",
        "kind": "IngressRoute",
        "metadata": meta(args),
        "spec": {"entryPoints": ["web"], "routes": [route]},
    }


def tls_route(args: TlsPassthroughIngressArgs, gateway: str) -> Manifest:
    """Return the Gateway API's route of TLS by SNI, in the standard channel since 1.5.

    Source: https://gateway-api.sigs.k8s.io/api-types/tlsroute/
    """
    return {
        "apiVersion": GATEWAY_API,
        "kind": "TLSRoute",
        "metadata": meta(args),
        "spec": {
            "parentRefs": [Gateway.named(gateway).reference],
            "hostnames": [args["host"]],
            "rules": [{"backendRefs": [{"name": args["service"], "port": args["port"]}]}],
        },
    }


def http_route(args: TlsPassthroughIngressArgs, gateway: str) -> Manifest:
    """Return the Gateway API's redirect of plain HTTP."""
    target = {"scheme": "https", "port": args.get("https_port", 443), "statusCode": 301}
    redirect = {"type": "RequestRedirect", "requestRedirect": target}
    return {
        "apiVersion": GATEWAY_API,
        "kind": "HTTPRoute",
        "metadata": meta(args),
        "spec": {
            "parentRefs": [Gateway.named(gateway).reference],
            "hostnames": [args["host"]],
            "rules": [{"filters": [redirect]}],
        },
    }


def meta(args: TlsPassthroughIngressArgs) -> Manifest:
    """Return the metadata of all these objects."""
    return metadata(args["component"], args["namespace"], args["component"])
