"""Which charts are taken from this machine instead of upstream's registries."""

from dataclasses import replace
from pathlib import Path

import pytest

from components.chart import Product, Release
from settings.charts import located
from tests.charts import write_chart

OCI = Release("web", "oci://registry.example.test/charts/toy", "v1.2.3", crds=False)
HTTPS = Release("web", "toy", "v1.2.3", "https://registry.example.test/charts")


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """The only chart, in the second folder."""
    return write_chart(tmp_path / "charts/registry.example.test/charts/toy", {}, version="v1.2.3")


def found(release: Release, folder: Path) -> Release:
    variables = {"INSPIRATION_CHARTS": f"{folder / 'none'}:{folder / 'charts'}"}
    [release] = located(Product("web", "baseline", {"chart": release}), variables).releases.values()
    return release


@pytest.mark.parametrize("release", [OCI, HTTPS, replace(HTTPS, repository="https://registry.example.test/charts/")])
def test_what_upstream_publishes_is_found_by_its_name_and_version(toy: Path, tmp_path: Path, release: Release) -> None:
    assert found(release, tmp_path) == replace(release, chart=str(toy), repository=None)


@pytest.mark.parametrize(
    "release",
    [
        replace(OCI, version="v1.2.4"),
        replace(OCI, chart="oci://other.example.test/charts/toy"),
        replace(OCI, chart="registry.example.test/charts/toy"),
        replace(HTTPS, repository="https://registry.example.test"),
    ],
)
@pytest.mark.usefixtures("toy")
def test_everything_else_is_upstreams(tmp_path: Path, release: Release) -> None:
    assert found(release, tmp_path) == release


def test_without_charts_nothing_is_looked_for() -> None:
    product = Product("web", "baseline", {"chart": OCI})
    assert located(product, {}) == product
