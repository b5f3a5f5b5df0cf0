"""How a site is reached: its certificate, its Ingresses or routes, and its URL."""

from collections.abc import Sequence
from typing import NotRequired, TypedDict

import pulumi

from components.certificate_authority import CertificateAuthority
from components.ingress import IngressArgs
from components.kinds import Ingress
from components.manifests import INGRESS_TIMEOUT, Manifest, metadata
from components.site.acme import Ask, issue
from components.site.basic_auth import Annotations, protect
from components.site.options import SiteOptions
from components.site.redirects import redirect
from components.urls import url


class RouteArgs(TypedDict):
    """What a site is reached by."""

    ingress: IngressArgs
    """The ingress controller."""
    authority: NotRequired[CertificateAuthority | None]
    """Who issues its certificate, where the options ask for one of the stack's authority."""
    issuer: NotRequired[pulumi.Input[str] | None]
    """ClusterIssuer of its certificate, where the options ask for ACME."""
    ask: NotRequired[Ask | None]
    """Asks the API server for the document at a path: why such a certificate isn't issued."""


def route(
    name: str,
    ns: pulumi.Input[str],
    service_name: pulumi.Input[str],
    options: SiteOptions,
    args: RouteArgs,
    child: pulumi.ResourceOptions,
    canary: pulumi.Input[str] | None = None,
) -> pulumi.Output[str]:
    """Route the site's hosts to its Service, and return its URL; known once it is routed.

    Args:
        name: What the names of the resources begin with.
        ns: Namespace of the site.
        service_name: Its Service.
        options: Its options.
        args: What it is reached by.
        child: Pulumi's options of the resources, with their parent.
        canary: The Service that gets the part of the requests that is for a new version, if there is one.

    Raises:
        pulumi.RunError: The ingress controller can't ask for a password, or none is known to.
        ValueError: The options ask for ACME, and there is no issuer; or for what the Gateway can't do.
    """
    controller = args["ingress"]
    certificate = _certificate(name, ns, options, args, child)
    ports = controller.options
    site_url = (
        url("http", options.host, ports.http_port, options.path)
        if certificate is None
        else url("https", options.host, ports.https_port, options.path)
    )
    if controller.gateway:
        from components.site import http_routes

        backends = [http_routes.backend(service_name)]
        if canary is not None and options.canary:
            part = options.canary
            backends = [http_routes.backend(service_name, 100 - part), http_routes.backend(canary, part)]
        made: pulumi.CustomResource | None = http_routes.declare(
            name, ns, backends, options, certificate, controller.gateway, ports, child
        )
    else:
        made = _by_ingress(name, ns, service_name, options, certificate, controller, child)
    # In a preview it is known before there is a route.
    if made is None or pulumi.runtime.is_dry_run():
        return pulumi.Output.from_input(site_url)
    return made.id.apply(lambda _: site_url)


def _by_ingress(
    name: str,
    ns: pulumi.Input[str],
    service_name: pulumi.Input[str],
    options: SiteOptions,
    certificate: pulumi.Input[str] | None,
    controller: IngressArgs,
    child: pulumi.ResourceOptions,
) -> pulumi.CustomResource | None:
    """Declare the Ingresses, and return the site's; ``None``: it depends on what the controller is."""
    before = [redirect(name, ns, options.redirects, certificate, controller, child)] if options.redirects else []

    def declare_ingress(annotations: Annotations) -> Ingress:
        described = ingress(name, ns, service_name, certificate, controller.class_name, options, annotations)
        after = pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=before))
        return Ingress(f"{name}-ingress", **described, opts=after)

    if options.basic_auth:
        protect(name, ns, options.basic_auth, controller, declare_ingress, child)
        return None
    return declare_ingress({})


def _certificate(
    name: str, ns: pulumi.Input[str], options: SiteOptions, args: RouteArgs, child: pulumi.ResourceOptions
) -> pulumi.Output[str] | None:
    """Have a certificate issued for all hosts of the site, and return the name of its Secret; ``None``: plain HTTP."""
    hosts = options.reached_by
    if options.tls == "acme":
        issuer = args.get("issuer")
        if issuer is None:
            raise ValueError(f"the site {name} needs an issuer")
        return issue(name, ns, hosts, issuer, args.get("ask"), child)
    if options.tls and (authority := args.get("authority")):
        return authority.issue(
            f"{name}-tls",
            {"hosts": hosts, "secret_name": f"{name}-tls", "namespace": ns, "component": "site"},
            child,
        ).secret
    return None


def ingress(
    name: str,
    ns: pulumi.Input[str],
    service_name: pulumi.Input[str],
    certificate: pulumi.Input[str] | None,
    class_name: pulumi.Input[str],
    options: SiteOptions,
    annotations: Annotations | None = None,
) -> Manifest:
    """Return the Ingress that routes the site's hosts and path to its Service.

    Args:
        name: Name of the site.
        ns: Its namespace.
        service_name: Its Service.
        certificate: The Secret for HTTPS; ``None``: plain HTTP.
        class_name: IngressClass.
        options: The options of the site.
        annotations: What it says besides to the controller.
    """
    backend = {"service": {"name": service_name, "port": {"name": "http"}}}
    paths = [{"path": options.path, "pathType": "Prefix", "backend": backend}]
    hosts: Sequence[str] = options.all_hosts
    spec: Manifest = {
        "ingressClassName": class_name,
        "rules": [{"host": host, "http": {"paths": paths}} for host in hosts],
    }
    if certificate is not None:
        # Controllers redirect plain HTTP for these hosts by default; Traefik's own class is told so at its entry point.
        spec["tls"] = [{"hosts": list(hosts), "secretName": certificate}]
    told = {**INGRESS_TIMEOUT, **(annotations or {})}
    return {"metadata": {**metadata(name, ns, "site"), "annotations": told}, "spec": spec}
