"""Which charts are taken from this machine instead of upstream's registries."""

from dataclasses import replace
from pathlib import Path

import pytest

from components.chart import Product, Release
from settings import SettingsError
from settings.charts import located, published
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


def test_a_manifest_on_this_machine_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "github.example.test/releases/v1/install.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("kind: List\n")
    variables = {"INSPIRATION_CHARTS": f"{tmp_path / 'none'}:{tmp_path}"}
    assert published("https://github.example.test/releases/v1/install.yaml", variables) == "kind: List\n"


def test_a_manifest_that_cant_be_had_is_an_error_with_the_way_out() -> None:
    with pytest.raises(SettingsError) as caught:
        published("http://127.0.0.1:1/install.yaml", {})
    key = "inspiration:addons.ingress.gatewayAPI"
    assert str(caught.value).startswith(f"{key}: http://127.0.0.1:1/install.yaml can't be read: ")
    assert str(caught.value).endswith(
        "; run script/up if this is the embedded cluster, check the network, or set it to false where the cluster has "
        "the definitions"
    )
