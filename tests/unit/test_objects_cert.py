"""The addon cert's objects, as data."""

import pulumi
import pytest

from components.addons import cert
from components.addons.chart import unpinned
from tests.unit.test_settings import load
from tests.unit.test_settings import project as project

ACME: cert.AcmeArgs = {"server": "https://ca.example.com/directory", "email": "me@example.com"}


def test_the_chart_is_pinned_in_a_restricted_namespace() -> None:
    [release] = cert.PRODUCT.releases.values()
    assert unpinned(release.chart, release.version, release.repository) is None
    assert release.version == cert.VERSION
    assert cert.PRODUCT.pod_security == "restricted"


def test_nothing_of_the_chart_stays_when_it_is_removed() -> None:
    values = cert.values()
    assert values["crds"] == {"enabled": True, "keep": False}
    assert values["enableCertificateOwnerRef"] is True
    assert (
        values["global"]["leaderElection"]["namespace"] == cert.PRODUCT.namespace
    )  # else the Leases are in kube-system


def test_the_check_of_the_api_is_no_hook() -> None:
    """Helm takes a default of the chart away for null."""
    check = cert.values()["startupapicheck"]
    hooks = [check["jobAnnotations"], check["rbac"]["annotations"], check["serviceAccount"]["annotations"]]
    assert hooks == [None, None, None]


@pytest.mark.parametrize("part", [None, "webhook", "cainjector", "startupapicheck"])
def test_every_pod_asks_for_its_token_and_has_a_limit(part: str | None) -> None:
    values = cert.values()[part] if part else cert.values()
    assert values["automountServiceAccountToken"] is True
    assert values["serviceAccount"]["automountServiceAccountToken"] is False
    assert values["resources"]["limits"].keys() == {"memory"}
    assert values["resources"]["requests"].keys() == {"cpu", "memory"}


def test_the_issuer_of_the_stack_signs_with_the_key_in_a_secret() -> None:
    issuer = cert.ca_issuer("key")
    assert (issuer["api_version"], issuer["kind"]) == ("cert-manager.io/v1", "ClusterIssuer")
    assert issuer["metadata"]["name"] == "inspiration-ca"
    assert "namespace" not in issuer["metadata"]
    assert issuer["spec"] == {"ca": {"secretName": "key"}}


def test_an_issuer_on_the_internet_asks_by_an_ingress() -> None:
    issuer = cert.acme_issuer(ACME, "nginx")
    assert issuer["metadata"]["name"] == "inspiration-acme"
    assert issuer["spec"] == {
        "acme": {
            **ACME,
            "privateKeySecretRef": {"name": "inspiration-acme-account"},
            "solvers": [{"http01": {"ingress": {"ingressClassName": "nginx"}}}],
        }
    }


@pytest.mark.usefixtures("project")
def test_the_authority_on_the_internet_is_lets_encrypt_by_default() -> None:
    assert load({}).addons.cert is None
    bare = load({"addons": {"cert": True}}).addons.cert
    assert bare is not None
    assert bare.acme is None
    named = load({"addons": {"cert": {"acme": {"email": "me@example.com"}}}}).addons.cert
    assert named is not None
    assert named.acme is not None
    assert named.acme.server == "https://acme-v02.api.letsencrypt.org/directory"


def test_values_hold_no_outputs() -> None:
    """So that a preview shows the objects of the chart: an unknown value would leave them out."""

    def plain(value: object) -> bool:
        if isinstance(value, dict):
            return all(map(plain, value.values()))
        return not isinstance(value, pulumi.Output)

    assert plain(cert.values())
