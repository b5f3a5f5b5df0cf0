"""What confines pods, and what lets others in to them."""

import re
from collections.abc import Iterator

from policy.objects import KubernetesObject, Manifest, each, items, part
from policy.rule import Rule

LEVEL = "pod-security.kubernetes.io/enforce"
LEVELS = ("privileged", "baseline", "restricted")

GATEWAY_ROUTES = {f"gateway.networking.k8s.io/{kind}" for kind in ("HTTPRoute", "GRPCRoute", "TLSRoute")}
TRAEFIK_ROUTES = {"traefik.io/IngressRoute", "traefik.io/IngressRouteTCP"}
TRAEFIK_HOST = re.compile(r"(?<![!\w])Host(SNI)?\(`[^`*]+`\)")


def has_level(subject: KubernetesObject) -> Iterator[str]:
    """Namespaces say which pods they take."""
    if subject.group_kind == "core/Namespace" and subject.labels.get(LEVEL) not in LEVELS:
        yield f"it has no Pod Security level; add the label {LEVEL}: restricted"


def is_restricted(subject: KubernetesObject) -> Iterator[str]:
    """Namespaces take pods of the strictest level only."""
    level = subject.labels.get(LEVEL) if subject.group_kind == "core/Namespace" else None
    if level in LEVELS and level != "restricted":
        yield f"its pods may be {level}; set the label {LEVEL}: restricted"


def has_host(subject: KubernetesObject) -> Iterator[str]:
    """Ingresses, and what other controllers have in their place, take requests for their own hosts only."""
    spec = part(subject.manifest, "spec")
    if subject.group_kind == "networking.k8s.io/Ingress":
        yield from _ingress_hosts(spec)
    elif subject.group_kind in GATEWAY_ROUTES and not spec.get("hostnames"):
        yield "it takes the requests for all hosts; add its hostnames"
    elif subject.group_kind in TRAEFIK_ROUTES:
        yield from each(items(spec, "routes"), _traefik_hosts)


def _traefik_hosts(route: Manifest) -> Iterator[str]:
    match = str(route.get("match", "(none)"))
    # Of alternatives each has to name its host.
    if not all(TRAEFIK_HOST.search(way) for way in match.split("||")):
        yield f"its route {match} takes the requests for all hosts; match Host or, of TLS, HostSNI"


def _ingress_hosts(spec: Manifest) -> Iterator[str]:
    if spec.get("defaultBackend"):
        yield "its defaultBackend takes the requests for all hosts; remove it, and add rules with hosts"
    if not spec.get("rules") and not spec.get("defaultBackend"):
        yield "it has no rules; add one with a host"

    def hostless(rule: Manifest) -> Iterator[str]:
        if not rule.get("host"):
            yield "a rule without a host takes the requests for all hosts; add its host"

    yield from each(items(spec, "rules"), hostless)


def in_cluster(subject: KubernetesObject) -> Iterator[str]:
    """Services are for the cluster: others come through the ingress controller."""
    if subject.group_kind != "core/Service":
        return
    spec = part(subject.manifest, "spec")
    kind = spec.get("type", "ClusterIP")
    if kind in ("NodePort", "LoadBalancer"):
        yield f"its type {kind} opens ports outside the cluster; use ClusterIP and an Ingress"
    if spec.get("externalIPs"):
        yield "its externalIPs take traffic that is meant for others; remove them, and use an Ingress"


RULES = [
    Rule("pod-security", "Namespaces have a Pod Security level.", has_level),
    Rule("pod-security-restricted", "The Pod Security level is restricted unless listed.", is_restricted),
    Rule("ingress-host", "Ingresses and routes name their hosts.", has_host),
    Rule("service-type", "Services are reachable inside the cluster only unless listed.", in_cluster),
]
