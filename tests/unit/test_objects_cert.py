"""The addon cert's objects, as data."""

from components.addons.cert import NAMESPACE, AcmeOptions
from components.addons.cert import component as cert


def test_nothing_of_the_chart_stays_when_it_is_removed() -> None:
    values = cert.values()
    assert values["crds"] == {"enabled": True, "keep": False}
    assert values["enableCertificateOwnerRef"] is True
    assert values["global"]["leaderElection"]["namespace"] == NAMESPACE  # else the Leases are in kube-system


def test_the_check_of_the_api_is_no_hook() -> None:
    """Helm takes a default of the chart away for null."""
    check = cert.values()["startupapicheck"]
    hooks = [check["jobAnnotations"], check["rbac"]["annotations"], check["serviceAccount"]["annotations"]]
    assert hooks == [None, None, None]


def test_an_issuer_on_the_internet_asks_by_an_ingress() -> None:
    options = AcmeOptions(server="https://ca.example.com/directory", email="me@example.com")
    spec = cert.acme_issuer(options, "nginx")["spec"]["acme"]
    assert (spec["server"], spec["email"]) == ("https://ca.example.com/directory", "me@example.com")
    assert spec["solvers"] == [{"http01": {"ingress": {"ingressClassName": "nginx"}}}]
    assert "caBundle" not in spec


def test_an_issuer_of_ones_own_is_asked_by_its_own_certificate() -> None:
    options = AcmeOptions.model_construct(
        server="https://ca.internal/directory", email="me@example.com", ca_bundle="PEM"
    )
    assert cert.acme_issuer(options, "nginx")["spec"]["acme"]["caBundle"] == "UEVN"
