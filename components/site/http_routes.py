"""How a site is reached by the Gateway API: its HTTPRoutes, and a Gateway for its certificate.

Source: https://gateway-api.sigs.k8s.io/api-types/httproute/
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter

import pulumi

from components.ingress import GATEWAY_API, Gateway, IngressOptions
from components.kinds import KubernetesObject
from components.manifests import Manifest, metadata
from components.options import shortened
from components.site.options import Redirect, SiteOptions
from components.urls import DEFAULT_PORTS

LONGEST_NAME = 253
"""Characters of an HTTPRoute's name."""
ACCEPTED = {
    # Its conditions are those of each Gateway.
    "pulumi.com/waitFor": 'jsonpath={.status.parents[*].conditions[?(@.type=="Accepted")].status}=True',
    "pulumi.com/timeoutSeconds": "180",
}
"""Annotations of routes: Pulumi waits until the Gateway has taken one, or says that it doesn't."""


def declare(
    name: str,
    ns: pulumi.Input[str],
    backends: Sequence[Manifest],
    options: SiteOptions,
    certificate: pulumi.Input[str] | None,
    gateway: Gateway,
    ports: IngressOptions,
    child: pulumi.ResourceOptions,
) -> pulumi.CustomResource:
    """Declare what routes the site's hosts to its Services, and return that route.

    Args:
        name: Name of the site.
        ns: Its namespace.
        backends: Its Services, as a route refers to them.
        options: Its options.
        certificate: The Secret for HTTPS; ``None``: plain HTTP.
        gateway: The Gateway of plain HTTP.
        ports: Where clients connect.
        child: Pulumi's options of the resources, with their parent.

    Raises:
        ValueError: There is a certificate, and the Gateway's class isn't known.
    """
    parent, everywhere = gateway.reference, [gateway.reference]
    if certificate is not None:
        own = KubernetesObject(f"{name}-gateway", **https_gateway(name, ns, certificate, gateway), opts=child)
        parent = {"name": own.id.apply(lambda _: name)}
        everywhere.append(parent)
        to_https = http_route(f"{name}-https", name, ns, [gateway.reference], options.all_hosts, [moved(True, ports)])
        KubernetesObject(f"{name}-https-route", **to_https, opts=child)
    for target, hosts in by_target(options.redirects):
        leads = shortened(f"{name}-to-{target}", LONGEST_NAME)
        rule = moved(certificate is not None, ports, target)
        KubernetesObject(
            f"{name}-to-{target}-route", **http_route(leads, name, ns, everywhere, hosts, [rule]), opts=child
        )
    rule = {"matches": [{"path": {"type": "PathPrefix", "value": options.path}}], "backendRefs": list(backends)}
    made = http_route(name, name, ns, [parent], options.all_hosts, [rule])
    return KubernetesObject(f"{name}-route", **made, opts=child)


def backend(service: pulumi.Input[str], weight: int = 1) -> Manifest:
    """Return what refers to a site's Service; ``weight`` is its part among all."""
    return {"name": service, "port": 80, "weight": weight}


def by_target(redirects: Sequence[Redirect]) -> Iterator[tuple[str, list[str]]]:
    """Yield the hosts that are redirected, by where they lead."""
    target = attrgetter("to")
    for host, group in groupby(sorted(redirects, key=target), key=target):
        yield host, [each.from_ for each in group]


def moved(https: bool, ports: IngressOptions, host: str | None = None) -> Manifest:
    """Return the rule that answers 301, to ``host`` if that is another one, with the path and the query."""
    scheme, port = ("https", ports.https_port) if https else ("http", ports.http_port)
    target = {
        "scheme": scheme,
        "statusCode": 301,
        **({"hostname": host} if host else {}),
        **({"port": port} if port != DEFAULT_PORTS[scheme] else {}),
    }
    return {"filters": [{"type": "RequestRedirect", "requestRedirect": target}]}


def http_route(
    route: str,
    name: str,
    ns: pulumi.Input[str],
    parents: Sequence[Manifest],
    hosts: Sequence[str],
    rules: Sequence[Manifest],
) -> Manifest:
    """Return the HTTPRoute called ``route`` of the site ``name``."""
    return {
        "apiVersion": GATEWAY_API,
        "kind": "HTTPRoute",
        "metadata": {**metadata(route, ns, "site", name), "annotations": dict(ACCEPTED)},
        "spec": {"parentRefs": list(parents), "hostnames": list(hosts), "rules": list(rules)},
    }


def https_gateway(name: str, ns: pulumi.Input[str], certificate: pulumi.Input[str], gateway: Gateway) -> Manifest:
    """Return the Gateway of the site, which has its certificate: another one would need a right to read it.

    Raises:
        ValueError: The class isn't known.
    """
    if gateway.class_name is None:
        raise ValueError(f"the site {name} needs a GatewayClass")
    listener = {
        "name": "https",
        "protocol": "HTTPS",
        "port": gateway.https_port,
        "tls": {"mode": "Terminate", "certificateRefs": [{"name": certificate}]},
    }
    return {
        "apiVersion": GATEWAY_API,
        "kind": "Gateway",
        "metadata": metadata(name, ns, "site"),
        "spec": {"gatewayClassName": gateway.class_name, "listeners": [listener]},
    }
