"""Which charts are taken from this machine instead of upstream's registries."""

from pathlib import Path

import pytest

from embedded.plugins.kubernetes import helm, provided
from tests.plugins.kubernetes.charts import write_chart

OCI = "oci://registry.example.test/charts/toy"


def located(reference: str, version: str | None = "1.2.3", repository: str | None = None) -> helm.Chart:
    return provided.located(helm.Chart(reference, "web", "blog", version, repository, values={"a": 1}))


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only chart, in the second folder."""
    monkeypatch.setenv("INSPIRATION_CHARTS", f"{tmp_path / 'none'}:{tmp_path / 'charts'}")
    return write_chart(tmp_path / "charts/registry.example.test/charts/toy", {}, version="v1.2.3")


@pytest.mark.parametrize(
    ("reference", "repository"),
    [
        (OCI, None),
        ("toy", "https://registry.example.test/charts"),
        ("toy", "https://registry.example.test/charts/"),
        ("toy", "oci://registry.example.test/charts"),
    ],
)
@pytest.mark.parametrize("version", ["1.2.3", "v1.2.3"])
def test_what_upstream_publishes_is_found_by_its_name_and_version(
    toy: Path, reference: str, repository: str | None, version: str
) -> None:
    assert located(reference, version, repository) == helm.Chart(str(toy), "web", "blog", values={"a": 1})


@pytest.mark.parametrize(
    ("reference", "version", "repository"),
    [
        (OCI, "1.2.4", None),
        (OCI, ">=1.2.3", None),
        (OCI, None, None),
        ("oci://other.example.test/charts/toy", "1.2.3", None),
        ("registry.example.test/charts/toy", "1.2.3", None),
        ("file://registry.example.test/charts/toy", "1.2.3", None),
        ("toy", "1.2.3", "https://registry.example.test"),
    ],
)
@pytest.mark.usefixtures("toy")
def test_everything_else_is_for_helm_to_find(reference: str, version: str | None, repository: str | None) -> None:
    assert located(reference, version, repository) == helm.Chart(
        reference, "web", "blog", version, repository, values={"a": 1}
    )


def test_without_charts_nothing_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INSPIRATION_CHARTS", raising=False)
    assert located(OCI).reference == OCI
