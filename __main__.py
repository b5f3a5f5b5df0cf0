"""The stack, top to bottom in the order of its dependency graph.

Cluster ─► Dns
Cluster ─► Storage ─► Registry ─► SiteImage ─► Site
Cluster ─► IngressController ─► Site
"""

import pulumi
import pulumi_docker

from components.addons.dns import Dns
from components.addons.ingress import IngressController
from components.addons.registry import Registry
from components.addons.storage import Storage
from components.cluster import Cluster
from components.site import Site
from components.site_image import SiteImage
from settings import Settings

settings = Settings.load()
addons = settings.addons

cluster = Cluster("cluster", {"kubeconfig": settings.kubeconfig, "context": settings.context})
in_cluster = pulumi.ResourceOptions(providers=[cluster.provider])

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

storage_class: pulumi.Input[str] | None = None
if addons.storage:
    storage_class = Storage("storage", {"path": addons.storage.path}, in_cluster).class_name

registry: pulumi.Input[str] = settings.registry.address
if addons.registry:
    registry = Registry(
        "registry",
        {
            "address": settings.registry.address,
            "node_port": settings.registry.node_port,
            "size": addons.registry.size,
            "storage_class": storage_class,
        },
        in_cluster,
    ).address

ingress_class: pulumi.Input[str] = settings.ingress.class_name
ingress_namespace: pulumi.Input[str] | None = None
if addons.ingress:
    controller = IngressController(
        "ingress",
        {
            "class_name": settings.ingress.class_name,
            "http_port": settings.ingress.http_port,
            "https_port": settings.ingress.https_port,
            "address": settings.ingress.address,
        },
        in_cluster,
    )
    ingress_class, ingress_namespace = controller.class_name, controller.namespace

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
            "resources": {
                "requests": site.resources.requests.model_dump(),
                "limits": site.resources.limits.model_dump(),
            },
            "ingress_class": ingress_class,
            "ingress_namespace": ingress_namespace,
            "http_port": settings.ingress.http_port,
        },
        in_cluster,
    )

pulumi.export("site_urls", {name: site.url for name, site in sites.items()})
pulumi.export("images", images)
pulumi.export("registry", registry)
pulumi.export("hosts_entry", settings.hosts_entry)
pulumi.export("addon_urls", {})
