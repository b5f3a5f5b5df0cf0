"""The addon cert: what it registers, and that issuers wait for cert-manager."""

from collections.abc import Iterator
from pathlib import Path

import pulumi
import pytest
from pulumi.runtime import rpc

from tests.charts import write_chart
from tests.graph.recorder import DIGEST, Recording, Resource, run

READY = [{"name": "ready", "image": f"ghcr.io/me/ready@{DIGEST}"}]
ACME = {"server": "https://ca.example.com/directory", "email": "me@example.com"}


def certified(cert: object, preview: bool = False) -> Recording:
    return run({"sites": READY, "addons": {"cert": cert}}, preview=preview)


def new(preview: bool, cert: object) -> dict[str, Resource]:
    without = certified(False, preview).resources
    return {each.name: each for urn, each in certified(cert, preview).resources.items() if urn not in without}


def sources(recording: Recording, resource: Resource, field: str) -> set[str]:
    return {recording.resources[urn].name for urn in resource.property_dependencies[field]}


@pytest.mark.parametrize("preview", [False, True])
def test_it_adds_only_itself(preview: bool) -> None:
    bare = {"cert", "cert-namespace", "cert-authority", "cert-chart", "cert-issuer"}
    assert new(preview, True).keys() == bare
    assert new(preview, {"acme": ACME}).keys() == bare | {"cert-acme-issuer"}


@pytest.fixture(scope="module", autouse=True)
def _no_charts_here() -> Iterator[None]:
    """Whatever the embedded cluster of the machine has."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("INSPIRATION_CHARTS", raising=False)
        yield


@pytest.fixture(scope="module")
def recording() -> Recording:
    return certified({"acme": ACME})


def test_the_chart_is_upstreams(recording: Recording) -> None:
    chart = recording.find("Chart", "cert-chart")
    assert chart.inputs["chart"] == "oci://quay.io/jetstack/charts/cert-manager"
    assert chart.inputs["version"] == "v1.21.2"
    assert "repositoryOpts" not in chart.inputs
    assert sources(recording, chart, "namespace") == {"cert-namespace"}


def test_a_chart_on_this_machine_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = write_chart(tmp_path / "quay.io/jetstack/charts/cert-manager", {}, version="v1.21.2")
    monkeypatch.setenv("INSPIRATION_CHARTS", str(tmp_path))
    assert certified(True).find("Chart", "cert-chart").inputs["chart"] == str(folder)


def test_issuers_wait_for_the_chart_by_what_they_are_made_of(recording: Recording) -> None:
    for name, others in ("cert-issuer", {"cert-authority"}), ("cert-acme-issuer", {"ingress-class"}):
        issuer = recording.find("ClusterIssuer", name)
        assert sources(recording, issuer, "spec") >= {"cert-chart", *others}


def test_the_key_of_the_authority_is_a_secret_of_pulumi(recording: Recording) -> None:
    stored = recording.find("Secret", "cert-authority")
    assert rpc.is_rpc_secret(stored.inputs["data"])
    assert stored.inputs["metadata"]["namespace"] == "cert-manager"
    assert sources(recording, stored, "data") >= {"ca-key", "ca-certificate"}


def test_its_output_names_the_issuers(recording: Recording) -> None:
    assert recording.stack_outputs["cert_issuers"] == ["inspiration-ca", "inspiration-acme"]
    assert certified(True).stack_outputs["cert_issuers"] == ["inspiration-ca"]
    assert isinstance(certified(True, preview=True).stack_outputs["cert_issuers"], pulumi.output.Unknown)
    assert "cert_issuers" not in certified(False).stack_outputs
