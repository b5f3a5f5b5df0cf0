"""The stack, top to bottom in the order of its dependency graph.

Cluster ─► Dns
Cluster ─► Storage ─► Registry ─► SiteImage ─► Site
Cluster ─► IngressController ─► Site
CertificateAuthority ─► Dashboard ─► TlsPassthroughIngress
Cluster ─► IngressController ─► Dashboard

What is optional follows, in the order of the list of addons; what is off isn't even imported.
"""

from dataclasses import replace
from typing import Any

import pulumi
import pulumi_docker

from components.addons import ADDONS
from components.addons.addon import Context
from components.addons.cert import CERT
from components.addons.dashboard import DASHBOARD
from components.addons.dashboard.component import Dashboard
from components.addons.dns import DNS
from components.addons.dns.component import Dns
from components.addons.ingress import INGRESS
from components.addons.ingress.component import IngressController
from components.addons.jaeger import JAEGER, OTLP_ENDPOINT
from components.addons.postgres import POSTGRES
from components.addons.registry import REGISTRY
from components.addons.registry.component import Registry
from components.addons.storage import STORAGE
from components.addons.storage.component import Storage
from components.certificate_authority import CertificateAuthority
from components.chart import ChartAddon
from components.cluster import Cluster
from components.ingress import IngressArgs
from components.site.component import Release, Site, SiteArgs
from components.site.image import SiteImage
from settings import Settings
from settings.charts import located, published
from settings.cluster_reader import ApiServer, read_facts
from settings.releases import refuse_gone, released
from settings.resolution import resolve
from settings.taken import refuse_taken

given = Settings.load()
api_server = ApiServer(given.kubeconfig, given.context)
settings = resolve(given, facts := read_facts(api_server))
refuse_taken(api_server.list_metadata)
refuse_gone(settings)
addons = settings.addons

cluster = Cluster("cluster", {"kubeconfig": settings.kubeconfig, "context": settings.context})
in_cluster = cluster.options

if dns := addons.of(DNS):
    Dns("dns", dns, in_cluster)

storage = Storage("storage", volumes, in_cluster) if (volumes := addons.of(STORAGE)) else None
storage_class = storage.class_name if storage else None

registry_address: pulumi.Input[str] = settings.registry.address
if registry := addons.of(REGISTRY):
    registry_address = Registry("registry", registry, settings.registry, storage_class, in_cluster).address

ingress = IngressArgs(settings.ingress.class_name, options=settings.ingress)
if controller := addons.of(INGRESS):
    traces_to = OTLP_ENDPOINT if addons.of(JAEGER) else None
    traefik = IngressController("ingress", controller, settings.ingress, traces_to, published, in_cluster)
    ingress = IngressArgs(traefik.class_name, traefik.namespace, traefik.controller, settings.ingress, traefik.gateway)

authority = CertificateAuthority("ca", settings.certificate_authority)

with_engine = pulumi.ResourceOptions(providers=[pulumi_docker.Provider("docker")] if settings.builds_images else [])

context = Context(authority, ingress, storage_class, settings.registry.address, addons=addons.names, located=located)
deployed: dict[str, Any] = {}
for addon in ADDONS:
    if addon.before_sites and (options := addons.of(addon)):
        deployed[addon.name] = addon.deploy(options, context, in_cluster)

images: dict[str, pulumi.Input[str]] = {}
sites: dict[str, Site] = {}
for site in settings.sites:
    runs: Release = {"image": site.image or ""}
    if not site.image:
        built = SiteImage(site.name, site, settings.images_in(registry_address), with_engine)
        runs = released(site, built, settings, facts, api_server.ask)
    reached: SiteArgs = {
        **runs,
        "ingress": ingress,
        "authority": authority,
        "issuer": deployed[CERT.name].acme_issuer if CERT.name in deployed else None,
        "ask": api_server.ask,
        "databases": deployed.get(POSTGRES.name),
        "storage_class": storage_class,
        **settings.place(site),
    }
    images[site.name] = runs["image"]
    sites[site.name] = Site(site.name, site, reached, in_cluster)

context = replace(context, sites={name: site.namespace for name, site in sites.items()})
if dashboard := addons.of(DASHBOARD):
    deployed[DASHBOARD.name] = Dashboard("dashboard", dashboard, context, in_cluster)
for addon in ADDONS:
    if addon.optional and not addon.before_sites and (options := addons.of(addon)):
        deployed[addon.name] = addon.deploy(options, context, in_cluster)

for chart in settings.charts:
    ChartAddon(chart.name, chart, settings.guarded("charts", chart.values), [storage] if storage else [], in_cluster)

pulumi.export("site_urls", {name: site.url for name, site in sites.items()})
pulumi.export("images", images)
pulumi.export("registry", registry_address)
pulumi.export("ca_certificate", authority.certificate)
pulumi.export("hosts_entry", settings.hosts_entry)
pulumi.export("addon_urls", {name: deployed[name].url for name in addons.hosts})
for addon in (each for each in ADDONS if each.name in deployed):
    for output, attribute in addon.outputs.items():
        pulumi.export(output, getattr(deployed[addon.name], attribute))
