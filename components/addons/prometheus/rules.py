"""What Prometheus computes and alerts about. There is no Alertmanager: its own page shows what fires."""

from collections.abc import Sequence

from components.addons.prometheus.config import Section

DAYS_LEFT = 14
"""Of a certificate; ``pulumi up`` renews those of the stack when 90 are left. So it fires where nobody runs that."""

REQUEST_RATE = "site:traefik_service_requests:rate5m"
"""Requests per second of a site, by ``site`` and by the ``code`` of the answers."""


def rules(sites: Sequence[str]) -> Section:
    """Return ``rules.yml`` for the sites of these names.

    Source: https://prometheus.io/docs/prometheus/latest/configuration/recording_rules/
    """
    return {
        "groups": [
            {"name": "sites", "rules": [rule(site) for rule in (request_rate, site_down) for site in sites]},
            {"name": "certificates", "rules": [certificate_expires()]},
            {"name": "targets", "rules": [target_down()]},
        ]
    }


def request_rate(site: str) -> Section:
    """Return the rule that gives the requests of a site the site's name, whichever provider of Traefik routes them."""
    # Namespace, Ingress and Service have the site's name; the provider of plain Ingresses doesn't name the Ingress. How
    # often a name is there must be exact: three times b-b is twice b-b-b.
    service = f"({site}-){{2}}(http|80)@kubernetes|({site}-){{3}}(http|80)@kubernetesingressnginx"
    return {
        "record": REQUEST_RATE,
        "expr": f'sum by (code) (rate(traefik_service_requests_total{{service=~"{service}"}}[5m]))',
        "labels": {"site": site},
    }


def site_down(site: str) -> Section:
    """Return the alert that no pod of a site answers.

    The kubelets ask each pod for its health path anyway, and count the answers. A site without pods has no count.
    """
    counted = f'prober_probe_total{{namespace="{site}",container="site",probe_type="Readiness",result="successful"}}'
    return {
        "alert": "SiteDown",
        # Without kubelets to ask, nothing is known of sites: that is another alert.
        "expr": f'(sum(rate({counted}[1m])) or vector(0)) == 0 and on () max(up{{job="probes"}}) == 1',
        "for": "1m",
        "labels": {"severity": "critical", "site": site},
        "annotations": {
            "summary": f"No pod of the site {site} answers.",
            "description": f"See kubectl get events --namespace {site}",
        },
    }


def certificate_expires() -> Section:
    """Return the alert that a certificate which Traefik serves ends soon."""
    # Traefik goes on to tell of those that were replaced (https://github.com/traefik/traefik/issues/8606): of the same
    # names the latest end counts. Its default certificate it makes itself.
    ends = 'max by (sans) (traefik_tls_certs_not_after{cn!="TRAEFIK DEFAULT CERT"})'
    return {
        "alert": "CertificateExpires",
        "expr": f"{ends} - time() < {DAYS_LEFT} * 24 * 3600",
        "labels": {"severity": "warning"},
        "annotations": {
            "summary": "The certificate for {{ $labels.sans }} ends in {{ $value | humanizeDuration }}.",
            "description": "Run pulumi up, which renews it. Of a host that is gone Traefik tells until it restarts.",
        },
    }


def target_down() -> Section:
    """Return the alert that something can't be measured."""
    return {
        "alert": "TargetDown",
        "expr": "up == 0",
        "for": "5m",
        "labels": {"severity": "warning"},
        "annotations": {
            "summary": "{{ $labels.job }} at {{ $labels.instance }} doesn't answer.",
            "description": "The page Status, Targets says why.",
        },
    }
