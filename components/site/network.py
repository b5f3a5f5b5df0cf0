"""Who may connect to the pods of a site, and what they may connect to."""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import pulumi

from components.addons.dns import asked_at
from components.manifests import COMPONENT, Manifest, allow_from, in_namespace, labels, metadata, selector
from components.site.egress import DATABASE, DNS, INTERNET, address_range, peer
from components.site.options import SiteOptions

JOB = "job"
"""Value of the label `COMPONENT` of jobs' pods: they serve nobody, and have the rights of the site's else."""
POSTGRES_PORT = 5432
NODE_LOCAL_DNS = "169.254.20.10/32"
"""Where a node's own DNS cache listens. Source: https://kubernetes.io/docs/tasks/administer-cluster/nodelocaldns/"""
_PUBLIC = (
    {
        "cidr": "0.0.0.0/0",
        # RFC 6890. The metadata of a cloud's machine, credentials among them, is at 169.254.169.254.
        "except": ["10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"],
    },
    {"cidr": "::/0", "except": ["::1/128", "fc00::/7", "fe80::/10"]},
)


def network_policy(
    name: str,
    ns: pulumi.Input[str],
    options: SiteOptions,
    ingress: pulumi.Input[str] | None,
    callers: Sequence[str] = (),
    database: pulumi.Input[str] | None = None,
    peers: Mapping[str, str] = MappingProxyType({}),
) -> Manifest:
    """Return the NetworkPolicy of the pods that serve the site ``name``.

    Args:
        name: Name of the site.
        ns: Its namespace.
        options: Its options.
        ingress: Namespace of the ingress controller; ``None``: anybody may connect.
        callers: Namespaces of the sites that may connect as well.
        database: Namespace of its database, if it has one.
        peers: Namespaces of other sites by name; those that aren't here are called as the site.
    """
    return {
        "metadata": metadata(name, ns, "site"),
        "spec": {
            "podSelector": {"matchLabels": selector(name)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [allow_from(each, options.port) for each in (ingress, *callers)],
            "egress": list(_egress(options, database, peers)),
        },
    }


def job_policy(
    name: str,
    ns: pulumi.Input[str],
    options: SiteOptions,
    database: pulumi.Input[str] | None = None,
    peers: Mapping[str, str] = MappingProxyType({}),
) -> Manifest:
    """Return the NetworkPolicy of the site's jobs, which may connect to what the site may connect to."""
    return {
        "metadata": metadata(f"{name}-jobs", ns, "site", name),
        "spec": {
            "podSelector": {"matchLabels": {COMPONENT: JOB}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [],
            "egress": list(_egress(options, database, peers)),
        },
    }


def _egress(options: SiteOptions, database: pulumi.Input[str] | None, peers: Mapping[str, str]) -> Iterator[Manifest]:
    named = set(options.egress)
    sites = sorted(filter(None, map(peer, named)))
    if named & {DNS, INTERNET} or options.database or sites:
        yield {
            "to": [{"namespaceSelector": {}}, {"ipBlock": {"cidr": NODE_LOCAL_DNS}}],
            "ports": asked_at(),
        }
    if INTERNET in named:
        yield {"to": [{"ipBlock": dict(block)} for block in _PUBLIC]}
    if options.database and database is not None:
        yield {"to": [in_namespace(database)], "ports": [{"port": POSTGRES_PORT, "protocol": "TCP"}]}
    for site in sites:
        yield {"to": [{**in_namespace(peers.get(site, site)), "podSelector": {"matchLabels": selector(site)}}]}
    for text in options.egress:
        if text not in (DNS, INTERNET, DATABASE) and peer(text) is None:
            allowed = address_range(text)
            ports = [{"port": port, "protocol": "TCP"} for port in allowed.ports]
            yield {"to": [{"ipBlock": {"cidr": allowed.cidr}}], **({"ports": ports} if ports else {})}


def job_labels(site: str, job: str) -> dict[str, str]:
    """Return the labels of a job's pods: others than the site's, whose Service they mustn't be behind."""
    return labels(f"{site}-{job}", JOB)
