"""The stack, top to bottom in the order of its dependency graph.

Cluster ─► Dns
Cluster ─► Storage ─► Registry ─► SiteImage ─► Site
Cluster ─► IngressController ─► Site
CertificateAuthority ─► Dashboard ─► TlsPassthroughIngress
Cluster ─► IngressController ─► Dashboard

What is optional follows, in the order of the list of addons; what is off isn't even imported.
"""

from typing import Any

import pulumi
import pulumi_docker

from components.addons import ADDONS
from components.addons.addon import Context
from components.addons.dashboard import DASHBOARD
from components.addons.dashboard.component import Dashboard
from components.addons.dns import DNS
from components.addons.dns.component import Dns
from components.addons.ingress import INGRESS
from components.addons.ingress.component import IngressController
from components.addons.jaeger import JAEGER, OTLP_ENDPOINT
from components.addons.registry import REGISTRY
from components.addons.registry.component import Registry
from components.addons.storage import STORAGE
from components.addons.storage.component import Storage
from components.certificate_authority import CertificateAuthority
from components.chart import ChartAddon
from components.cluster import Cluster
from components.ingress import IngressArgs
from components.site import Site, SiteArgs
from components.site_image import SiteImage, SiteImageArgs
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

if dns := addons.of(DNS):
    Dns("dns", dns, in_cluster)

storage: list[pulumi.Resource] = []
storage_class: pulumi.Input[str] | None = None
if volumes := addons.of(STORAGE):
    storage.append(local := Storage("storage", volumes, in_cluster))
    storage_class = local.class_name

registry_address: pulumi.Input[str] = settings.registry.address
if registry := addons.of(REGISTRY):
    registry_address = Registry("registry", registry, settings.registry, storage_class, in_cluster).address

ingress = IngressArgs(settings.ingress.class_name, options=settings.ingress)
if controller := addons.of(INGRESS):
    traces_to = OTLP_ENDPOINT if addons.of(JAEGER) else None
    traefik = IngressController("ingress", controller, settings.ingress, traces_to, in_cluster)
    ingress = IngressArgs(traefik.class_name, traefik.namespace, traefik.controller, settings.ingress)

authority = CertificateAuthority("ca", settings.certificate_authority)

with_engine = None
if settings.builds_images:
    with_engine = pulumi.ResourceOptions(providers=[pulumi_docker.Provider("docker")])

images: dict[str, pulumi.Input[str]] = {}
sites: dict[str, Site] = {}
for site in settings.sites:
    if site.image:
        images[site.name] = site.image
    else:
        built: SiteImageArgs = {"repository": site.name, "registry": registry_address, "source": site.source}
        images[site.name] = SiteImage(site.name, built, with_engine).image
    reached: SiteArgs = {"image": images[site.name], "ingress": ingress, "authority": authority}
    sites[site.name] = Site(site.name, site, reached, in_cluster)

context = Context(
    authority=authority,
    ingress=ingress,
    storage_class=storage_class,
    registry=settings.registry.address,
    sites={name: site.namespace for name, site in sites.items()},
    addons=frozenset(addons.deployed),
    located=located,
)
deployed: dict[str, Any] = {}
if dashboard := addons.of(DASHBOARD):
    deployed["dashboard"] = Dashboard("dashboard", dashboard, context, in_cluster)
for addon in ADDONS:
    if addon.optional and (options := addons.of(addon)):
        deployed[addon.name] = addon.deploy(options, context, in_cluster)

for chart in settings.charts:
    values = settings.guarded("charts", chart.values)
    ChartAddon(chart.name, chart, values, storage, in_cluster)

pulumi.export("site_urls", {name: site.url for name, site in sites.items()})
pulumi.export("images", images)
pulumi.export("registry", registry_address)
pulumi.export("ca_certificate", authority.certificate)
pulumi.export("hosts_entry", settings.hosts_entry)
pulumi.export("addon_urls", {name: deployed[name].url for name in addons.hosts})
for addon in ADDONS:
    if addon.name in deployed:
        for output, attribute in addon.outputs.items():
            pulumi.export(output, getattr(deployed[addon.name], attribute))
