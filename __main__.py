"""The stack, top to bottom in the order of its dependency graph.

Cluster ─► Dns
Cluster ─► Storage ─► Registry ─► SiteImage ─► Site
Cluster ─► IngressController ─► Site
CertificateAuthority ─► Dashboard ─► TlsPassthroughIngress
Cluster ─► IngressController ─► Dashboard

What is off by default is imported where it is switched on: so the program needs 0.83 s of CPU time, not 0.98.
"""

import pulumi
import pulumi_docker

from components.addons.chart import ChartAddon
from components.addons.dashboard import Dashboard
from components.addons.dns import Dns
from components.addons.ingress import NAMESPACE as INGRESS_NAMESPACE
from components.addons.ingress import IngressController
from components.addons.registry import Registry
from components.addons.storage import Storage
from components.certificate_authority import CertificateAuthority
from components.cluster import Cluster
from components.page import IngressArgs
from components.site import Site
from components.site_image import SiteImage
from settings import Settings
from settings.charts import located
from settings.cluster_reader import ApiServer, read_facts
from settings.resolution import resolve
from settings.taken import refuse_taken

given = Settings.load()
api_server = ApiServer(given.kubeconfig, given.context)
settings = resolve(given, read_facts(api_server))
refuse_taken(api_server.list_metadata)
addons = settings.addons

cluster = Cluster("cluster", {"kubeconfig": settings.kubeconfig, "context": settings.context})
in_cluster = cluster.options

if addons.dns:
    Dns(
        "dns",
        {
            "cluster_ip": addons.dns.cluster_ip,
            "replicas": addons.dns.replicas,
            "upstream": addons.dns.upstream,
        },
        in_cluster,
    )

storage: list[pulumi.Resource] = []
storage_class: pulumi.Input[str] | None = None
if addons.storage:
    storage.append(local := Storage("storage", {"path": addons.storage.path}, in_cluster))
    storage_class = local.class_name

registry: pulumi.Input[str] = settings.registry.address
if addons.registry:
    registry = Registry(
        "registry",
        {
            "address": settings.registry.address,
            "node_port": settings.registry.node_port,
            "size": addons.registry.size,
            "storage_class": storage_class,
            "source_ranges": addons.registry.source_ranges or [],
        },
        in_cluster,
    ).address

tracing_endpoint: pulumi.Input[str] | None = None
if addons.jaeger:
    from components.addons.jaeger import Jaeger

    jaeger = Jaeger(
        "jaeger",
        {
            "ingress_namespace": INGRESS_NAMESPACE if addons.ingress else None,
            "max_traces": addons.jaeger.max_traces,
        },
        in_cluster,
    )
    tracing_endpoint = jaeger.otlp_endpoint
    pulumi.export("jaeger_command", jaeger.query_command)

ingress_class: pulumi.Input[str] = settings.ingress.class_name
ingress_namespace: pulumi.Input[str] | None = None
ingress_controller: str | None = None
if addons.ingress:
    node_ports = addons.ingress.node_ports
    controller = IngressController(
        "ingress",
        {
            "class_name": settings.ingress.class_name,
            "http_port": settings.ingress.http_port,
            "https_port": settings.ingress.https_port,
            "address": settings.ingress.address,
            "node_ports": {"http": node_ports.http, "https": node_ports.https} if node_ports else None,
            "tracing_endpoint": tracing_endpoint,
        },
        in_cluster,
    )
    ingress_class, ingress_namespace = controller.class_name, controller.namespace
    ingress_controller = controller.controller

authority = CertificateAuthority(
    "ca",
    {
        "common_name": settings.certificate_authority.common_name,
        "certificate": settings.certificate_authority.certificate,
        "private_key": settings.certificate_authority.private_key,
    },
)

on_engine = None
if settings.builds_images:
    on_engine = pulumi.ResourceOptions(providers=[pulumi_docker.Provider("docker")])

images: dict[str, pulumi.Input[str]] = {}
sites: dict[str, Site] = {}
for site in settings.sites:
    images[site.name] = (
        site.image
        or SiteImage(site.name, {"repository": site.name, "registry": registry, "source": site.source}, on_engine).image
    )
    sites[site.name] = Site(
        site.name,
        {
            "image": images[site.name],
            "host": site.host,
            "path": site.path,
            "port": site.port,
            "health_path": site.health_path,
            "replicas": site.replicas,
            "progress_deadline_seconds": site.progress_deadline_seconds,
            "resources": {
                "requests": site.resources.requests.model_dump(),
                "limits": site.resources.limits.model_dump(),
            },
            "ingress_class": ingress_class,
            "ingress_namespace": ingress_namespace,
            "authority": authority if site.tls else None,
            "http_port": settings.ingress.http_port,
            "https_port": settings.ingress.https_port,
        },
        in_cluster,
    )

on_ingress: IngressArgs = {
    "authority": authority,
    "ingress_class": ingress_class,
    "ingress_namespace": None if settings.ingress.passthrough == "gateway" else ingress_namespace,
    "controller": ingress_controller,
    "passthrough": settings.ingress.passthrough,
    "gateway": settings.ingress.gateway,
    "https_port": settings.ingress.https_port,
}
addon_urls: dict[str, pulumi.Input[str]] = {}
if addons.dashboard:
    dashboard = Dashboard(
        "dashboard",
        {
            "kind": addons.dashboard.kind,
            "host": addons.dashboard.host,
            "access": addons.dashboard.access,
            **on_ingress,
        },
        in_cluster,
    )
    addon_urls["dashboard"] = dashboard.url
    pulumi.export("dashboard_url", dashboard.url)
    pulumi.export("dashboard_login", dashboard.login)

if addons.metrics_server:
    from components.addons.metrics_server import MetricsServer

    MetricsServer(
        "metrics-server",
        {"authority": authority, "kubelet_insecure_tls": addons.metrics_server.kubelet_insecure_tls},
        in_cluster,
    )

if addons.prometheus:
    from components.addons.prometheus import Prometheus

    prometheus = Prometheus(
        "prometheus",
        {
            "host": addons.prometheus.host,
            "sites": list(sites),
            "retention": addons.prometheus.retention,
            "size": addons.prometheus.size,
            "storage_class": storage_class,
            "kubelet_insecure_tls": addons.prometheus.kubelet_insecure_tls,
            **on_ingress,
        },
        in_cluster,
    )
    addon_urls["prometheus"] = prometheus.url
    pulumi.export("prometheus_login", prometheus.login)

if addons.logs:
    from components.addons.logs import Logs

    logs = Logs(
        "logs",
        {
            "retention": addons.logs.retention,
            "size": addons.logs.size,
            "storage_class": storage_class,
            "path": addons.logs.path,
        },
        in_cluster,
    )
    pulumi.export("logs_command", logs.query_command)

if addons.rbac:
    from components.addons.rbac import Rbac

    rbac = Rbac(
        "rbac",
        {
            "viewers": addons.rbac.viewers,
            "editors": addons.rbac.editors,
            "admins": addons.rbac.admins,
            "namespaces": addons.rbac.namespaces,
            "sites": {name: site.namespace for name, site in sites.items()},
        },
        in_cluster,
    )
    pulumi.export("rbac_commands", rbac.commands)

if addons.knative:
    from components.addons.knative import Knative

    knative = Knative(
        "knative",
        {
            "domain": addons.knative.domain,
            "ingress_class": ingress_class,
            "ingress_namespace": ingress_namespace,
            "http_port": settings.ingress.http_port,
            "registry": settings.registry.address,
            "stable_window": addons.knative.stable_window,
            "scale_to_zero_grace_period": addons.knative.scale_to_zero_grace_period,
        },
        in_cluster,
    )
    pulumi.export("knative_url", knative.url_pattern)

if addons.cert:
    from components.addons.cert import PRODUCT as CERT_MANAGER
    from components.addons.cert import Cert

    cert = Cert(
        "cert",
        {
            "authority": authority,
            "acme": {"server": acme.server, "email": acme.email} if (acme := addons.cert.acme) else None,
            "ingress_class": ingress_class,
            "product": located(CERT_MANAGER),
        },
        in_cluster,
    )
    pulumi.export("cert_issuers", cert.issuers)

if addons.cilium:
    from components.addons.catalogue.cilium import Cilium

    Cilium(
        "cilium",
        {
            "authority": authority,
            "kube_proxy_replacement": addons.cilium.kube_proxy_replacement,
            "api_server": addons.cilium.api_server,
            "hubble": addons.cilium.hubble,
            "operator_replicas": addons.cilium.operator_replicas,
            "service_mesh": bool(addons.istio or addons.linkerd),
        },
        in_cluster,
    )

if addons.gpu:
    from components.addons.catalogue.gpu import GpuOperator

    GpuOperator("gpu", {"driver": addons.gpu.driver, "toolkit": addons.gpu.toolkit}, in_cluster)

if addons.istio:
    from components.addons.catalogue.istio import Istio

    Istio("istio", {"platform": addons.istio.platform}, in_cluster)

if addons.linkerd:
    from components.addons.catalogue.linkerd import Linkerd

    Linkerd(
        "linkerd",
        {
            "authority": authority,
            "high_availability": addons.linkerd.high_availability,
            "gateway_api": addons.linkerd.gateway_api,
        },
        in_cluster,
    )

if addons.rancher:
    from components.addons.catalogue.rancher import Rancher

    rancher = Rancher(
        "rancher",
        {
            "authority": authority,
            "host": addons.rancher.host,
            "ingress_class": ingress_class,
            "replicas": addons.rancher.replicas,
            "https_port": settings.ingress.https_port,
        },
        in_cluster,
    )
    addon_urls["rancher"] = rancher.url
    pulumi.export("rancher_login", rancher.login)

for chart in settings.charts:
    ChartAddon(
        chart.name,
        {
            "chart": chart.chart,
            "version": chart.version,
            "repository": chart.repository,
            "namespace": chart.namespace,
            "pod_security": chart.pod_security,
            "values": settings.guarded("charts", chart.values),
            "crds": chart.crds,
            "hooks": chart.hooks,
            "after": storage,
        },
        in_cluster,
    )

pulumi.export("site_urls", {name: site.url for name, site in sites.items()})
pulumi.export("images", images)
pulumi.export("registry", registry)
pulumi.export("ca_certificate", authority.certificate)
pulumi.export("hosts_entry", settings.hosts_entry)
pulumi.export("addon_urls", addon_urls)
