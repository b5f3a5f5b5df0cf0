"""What valid settings take from each other: names, hosts with paths, namespaces, ports."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TypeVar

from components.addons.ingress import INGRESS
from components.addons.knative import KNATIVE
from components.addons.registry import REGISTRY
from components.chart_options import ChartOptions
from components.ingress import IngressOptions
from components.registry import RegistryOptions
from components.site.options import SiteOptions
from settings.addons import AddonSettings
from settings.problems import MASK, qualified

T = TypeVar("T")


class Clashes:
    """Finds clashes, one line each.

    Args:
        secrets: Top-level keys whose values are not shown.
    """

    def __init__(self, secrets: Collection[str]) -> None:
        self._secrets = secrets

    def of_sites(self, sites: Iterable[tuple[int, SiteOptions]], pages: Mapping[str, str]) -> Iterator[str]:
        """Yield what the sites, by their index, take from each other and from the hosts of addons' ``pages``."""
        hosts: dict[str, str] = {}
        for addon, host in pages.items():
            if (first_addon := hosts.setdefault(host, addon)) != addon:
                yield self._taken(f"addons.{addon}.host", host, f"addons.{first_addon}", "another host")
        names: dict[str, int] = {}
        urls: dict[tuple[str, str], int] = {}
        for index, site in sites:
            if (first := names.setdefault(site.name, index)) != index:
                yield self._taken(f"sites[{index}].name", site.name, f"sites[{first}]", "another name")
            # Paths that are below each other are fine: the longer one wins.
            for key, host, path in _addresses(index, site):
                if (first := urls.setdefault((host, path.rstrip("/")), index)) != index:
                    url = f"{host} with path {path}"
                    yield self._taken(key, url, f"sites[{first}]", "another host or path")
                if host in hosts:
                    # All TLS for its host is the addon's, whatever the path.
                    yield self._taken(key, host, f"addons.{hosts[host]}", "another host")

    def of_knative(self, sites: Iterable[SiteOptions], addons: AddonSettings) -> Iterator[str]:
        """Yield which hosts are among those of the domain of Knative Services."""
        if knative := addons.of(KNATIVE):
            hosts = {f"addons.{addon}.host": host for addon, host in addons.hosts.items()}
            hosts |= {key: host for index, site in enumerate(sites) for key, host, _ in _addresses(index, site)}
            for key, host in hosts.items():
                if host.partition(".")[2] == knative.domain:
                    yield self._taken(key, host, "addons.knative.domain", "another domain")

    def of_charts(self, charts: Iterable[ChartOptions], sites: Mapping[str, str]) -> Iterator[str]:
        """Yield what the charts take from each other and from the sites, which are given by namespace."""
        namespaces = dict(sites)
        names: dict[str, int] = {}
        for index, chart in enumerate(charts):
            if (first := names.setdefault(chart.name, index)) != index:
                yield self._taken(f"charts[{index}].name", chart.name, f"charts[{first}]", "another name")
            elif (owner := namespaces.setdefault(chart.namespace, f"charts[{index}]")) != f"charts[{index}]":
                yield self._taken(f"charts[{index}].namespace", chart.namespace, owner, "another one")

    def of_ports(self, ingress: IngressOptions, registry: RegistryOptions, addons: AddonSettings) -> Iterator[str]:
        """Yield which port of each node the ingress controller and the registry would both have."""
        ports = {"ingress.httpPort": ingress.http_port, "ingress.httpsPort": ingress.https_port}
        controller = addons.of(INGRESS)
        if controller and (on_nodes := controller.node_ports):
            ports |= {"addons.ingress.nodePorts.http": on_nodes.http, "addons.ingress.nodePorts.https": on_nodes.https}
        for key, port in ports.items():
            if controller and addons.of(REGISTRY) and port == registry.node_port:
                yield self._taken(key, str(port), "registry.nodePort", "another port")

    def _taken(self, key: str, value: str, owner: str, other: str) -> str:
        tops = {part.partition(".")[0].partition("[")[0] for part in (key, owner)}
        shown = MASK if tops.intersection(self._secrets) else value
        return f"{qualified(key)}: {shown} is taken by {qualified(owner)}; give one of them {other}"


def _addresses(index: int, site: SiteOptions) -> Iterator[tuple[str, str, str]]:
    """Yield the key, the host and the path of all that leads to a site."""
    yield f"sites[{index}].host", site.host, site.path
    for number, host in enumerate(site.hosts):
        yield f"sites[{index}].hosts[{number}]", host, site.path
    for number, redirect in enumerate(site.redirects):
        # All of its host is redirected.
        yield f"sites[{index}].redirects[{number}].from", redirect.from_, "/"
