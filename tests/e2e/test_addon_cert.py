"""The addon cert: who asks cert-manager gets a certificate of the stack's authority, which Traefik serves."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import httpx
import pytest

from policy.exemptions import OF_CHARTS
from policy.objects import KubernetesObject
from policy.rules import RULES
from tests.checkout import Checkout
from tests.e2e.previews import changes
from tests.tls import fingerprint, fingerprint_of, get
from tests.waiting import eventually

pytestmark = pytest.mark.heavy

SITE = "inspiration"
"""Its name, and that of its namespace and its Service."""
HOST = "certified.localhost"
INGRESS = f"""
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: certified
  namespace: {SITE}
  annotations: {{cert-manager.io/cluster-issuer: inspiration-ca}}
spec:
  ingressClassName: nginx
  tls: [{{hosts: [{HOST}], secretName: certified-tls}}]
  rules:
  - host: {HOST}
    http:
      paths: [{{path: /, pathType: Prefix, backend: {{service: {{name: {SITE}, port: {{name: http}}}}}}}}]
"""
KINDS = (
    "customresourcedefinitions,clusterroles,clusterrolebindings,validatingwebhookconfigurations,"
    "mutatingwebhookconfigurations,namespaces"
)


@pytest.fixture
def certified(site: Checkout) -> Iterator[Checkout]:
    """The stack with the addon."""
    with site.addon("cert"):
        yield site


def test_a_certificate_is_issued_and_served_and_the_addon_leaves_without_a_trace(certified: Checkout) -> None:
    assert certified.outputs()["cert_issuers"] == ["inspiration-ca"]
    for arguments in ([], ["--policy-pack", "policy"]):
        assert changes(certified, *arguments) == {}
    check_exemptions(certified)

    applied = certified.run("sh", "-c", f"kubectl apply -f - <<END{INGRESS}END", environment=certified.environment())
    assert applied.returncode == 0, applied.stderr
    try:
        check_served(certified)
        check_removed(certified)
    finally:
        certified.kubectl("delete", "ingress", "certified", "-n", SITE, "--ignore-not-found")


def check_served(cluster: Checkout) -> None:
    """cert-manager makes a Certificate of the Ingress, and its Secret; Traefik serves that."""

    def condition() -> str:
        found = cluster.kubectl("get", "certificates.cert-manager.io", "-n", SITE, "-o", "json")
        known = [each for item in json.loads(found)["items"] for each in item.get("status", {}).get("conditions", [])]
        return next((each["status"] for each in known if each["type"] == "Ready"), "none yet")

    assert eventually(lambda: condition() == "True"), cluster.kubectl("describe", "certificates", "-n", SITE)
    authority = cluster.outputs()["ca_certificate"]
    issued = secret(cluster)
    certificate = base64.b64decode(issued["data"]["tls.crt"]).decode()
    assert base64.b64decode(issued["data"]["ca.crt"]).decode().strip() == authority.strip()
    leaf = fingerprint_of(ssl.PEM_cert_to_DER_cert(certificate[: certificate.index("-----END")] + ssl.PEM_FOOTER))

    assert eventually(lambda: fingerprint(HOST) == leaf)
    assert fingerprint(HOST, trusted=authority) == leaf

    def fetched() -> bool:
        status, _, text = get(HOST, "/", authority)
        return status == httpx.codes.OK and "<html" in text

    assert eventually(fetched)


def secret(cluster: Checkout) -> dict[str, Any]:
    return json.loads(cluster.kubectl("get", "secret", "certified-tls", "-n", SITE, "-o", "json"))  # type: ignore[no-any-return]


def check_exemptions(cluster: Checkout) -> None:
    """What the rules of the policy pack let pass of the chart is there, and wouldn't pass without."""
    exported = cluster.pulumi("stack", "export")
    assert exported.returncode == 0, exported.stderr
    resources = json.loads(exported.stdout)["deployment"]["resources"]
    found = [KubernetesObject.of(each["type"], each.get("inputs", {})) for each in resources]
    needed = {
        (rule.name, subject.subject)
        for subject in found
        if subject and "cert-manager" in subject.subject
        for rule in RULES
        if any(True for _ in rule.check(subject))
    }
    listed = {(rule, subject) for rule, subjects in OF_CHARTS.items() for subject in subjects}
    assert {each for each in listed if "cert-manager" in each[1]} == {
        (rule, pattern)
        for rule, pattern in listed
        if any(rule == name and fnmatchcase(subject, pattern) for name, subject in needed)
    }


def check_removed(cluster: Checkout) -> None:
    """The preview with the addon toggled has that addon only; then nothing of it is there, nor what it has made."""
    done = cluster.pulumi("config", "rm", "--path", "addons.cert")
    assert done.returncode == 0, done.stderr
    of_cert = changes(cluster)
    assert set(of_cert.values()) == {"delete"}
    assert {name.partition("-")[0].partition(":")[0] for name in of_cert} == {"cert"}
    cluster.up()

    assert left(cluster) == []
    assert "cert_issuers" not in cluster.outputs()
    # The Secret of a Certificate goes with it, but by the garbage collector.
    secrets = ("get", "secrets", "-n", SITE, "-o", "name")
    assert eventually(lambda: "secret/certified-tls" not in cluster.kubectl(*secrets).split())


def left(cluster: Checkout) -> list[str]:
    """Everything that is named after cert-manager, and what it keeps in namespaces of others."""
    cluster_wide = cluster.kubectl("get", KINDS, "-o", "name")
    in_namespaces = cluster.kubectl("get", "roles,rolebindings,leases,services,configmaps", "-A", "-o", "name")
    return [name for name in (cluster_wide + in_namespaces).split() if "cert-manager" in name]
