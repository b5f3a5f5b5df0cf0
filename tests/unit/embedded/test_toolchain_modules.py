"""What the real go.mod files come to, and what makes a cache key change."""

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from bench.tools import HELM
from components.addons.cert import component as cert
from components.addons.ingress import DEFINITIONS
from embedded import addons
from embedded.addons.cert import CERT_MANAGER
from embedded.addons.metrics_server import METRICS_SERVER
from embedded.addons.prometheus import PROMETHEUS
from embedded.plugins.install import wanted_version
from embedded.toolchain import gomod
from embedded.toolchain.gomod import CLUSTER, GATEWAY_API, KUBE_ROUTER, PULUMI, PULUMI_KUBERNETES, Module

MODULES = [CLUSTER, KUBE_ROUTER, PULUMI, PULUMI_KUBERNETES, *addons.modules()]


@pytest.mark.parametrize("module", [*MODULES, HELM], ids=lambda module: module.name)
def test_what_is_built_says_the_version_that_its_users_know(module: Module) -> None:
    version = module.title.removeprefix(f"{module.product} ")
    assert re.search(rf"-X \S+=v?{re.escape(version)}( |$)", module.flags[-1])


def test_the_kubernetes_provider_is_the_release_that_the_sdk_asks_for() -> None:
    assert PULUMI_KUBERNETES.release == wanted_version("kubernetes", Path(sys.executable))


def test_the_release_of_prometheus_is_that_of_its_module() -> None:
    """Version 3.16.0 is the module's v0.316.0: a module of version 3 would need another path."""
    _, minor, patch = PROMETHEUS.version.split(".")
    assert PROMETHEUS.release == f"3.{int(minor) - 300}.{patch}"


def test_the_chart_of_an_addon_is_provided_as_its_component_names_it() -> None:
    [release] = cert.PRODUCT.releases.values()
    assert [f"oci://{place}" for place in CERT_MANAGER.charts] == [release.chart]
    assert CERT_MANAGER.version == release.version


def test_the_definitions_of_the_gateway_api_are_those_that_upstream_publishes_in_that_version() -> None:
    assert [f"https://{place}" for place in GATEWAY_API.manifests] == [DEFINITIONS]
    assert f"/{GATEWAY_API.version}/" in DEFINITIONS


def test_every_folder_with_a_go_mod_is_a_module_of_the_toolchain() -> None:
    folders = {path.parent for path in Path(gomod.__file__).parent.glob("*/go.mod")}
    assert folders == {module.folder for module in (*MODULES, GATEWAY_API)}


@pytest.mark.parametrize("module", [KUBE_ROUTER, METRICS_SERVER, HELM, CERT_MANAGER], ids=lambda module: module.name)
def test_what_is_built_after_the_cluster_has_its_libraries_as_they_are_there(module: Module) -> None:
    """Another version of one of them, and most of Kubernetes' libraries would be compiled again."""
    assert module.after == CLUSTER
    libraries = ("golang.org/x/net", "golang.org/x/text", "google.golang.org/protobuf", "k8s.io/apimachinery")
    for name in (*libraries, "k8s.io/api", "k8s.io/client-go", "k8s.io/kube-openapi"):
        assert module.versions[name] == CLUSTER.versions[name], name


def test_go_mod_is_read_block_by_block(tmp_path: Path) -> None:
    folder = tmp_path / "toy"
    folder.mkdir()
    (folder / "go.mod").write_text(
        """\
module toy

go 1.26.6

tool example.test/one

tool (
	example.test/two
	example.test/three
)

require example.test/main v1.2.3

require (
	example.test/library v1.0.0 // indirect
)

// Too new.
exclude (
	example.test/library v1.1.0
)

replace example.test/main => example.test/fork v1.2.4
"""
    )
    module = Module(folder, "Toy", "example.test/main", stamps={})
    assert module.versions == {"example.test/main": "v1.2.3", "example.test/library": "v1.0.0"}
    assert module.builds == [["example.test/one", "example.test/two", "example.test/three"]]
    assert module.go == "1.26.6"


@pytest.fixture
def module(tmp_path: Path) -> Module:
    """A module of two files."""
    folder = tmp_path / "one" / "toy"
    (folder / "cmd/hello").mkdir(parents=True)
    (folder / "go.mod").write_text(
        "module toy\n\ngo 1.26\n\ntool example.test/tool\n\nrequire example.test/main v1.2.3\n"
    )
    (folder / "cmd/hello/main.go").write_text("package main\n")
    return Module(folder, "Toy", "example.test/main", stamps={})


def copied(module: Module, to: Path) -> Module:
    """The module elsewhere, with other times and permissions."""
    folder = Path(shutil.copytree(module.folder, to / module.name))
    for path in folder.rglob("*"):
        os.utime(path, (0, 0))
        path.chmod(0o700)
    return Module(folder, module.product, module.main, module.stamps)


def test_the_key_depends_on_nothing_but_content(module: Module, tmp_path: Path) -> None:
    assert copied(module, tmp_path / "two").key("1.26.8") == module.key("1.26.8")


def test_the_key_changes_with_the_compiler(module: Module) -> None:
    assert module.key("1.26.8") != module.key("1.26.9")


@pytest.mark.parametrize("name", ["go.mod", "go.sum", "cmd/hello/main.go", "cmd/hello/other.go"])
def test_the_key_changes_with_each_file(module: Module, tmp_path: Path, name: str) -> None:
    changed = copied(module, tmp_path / "two")
    with (changed.folder / name).open("a") as file:
        file.write("// more\n")
    assert changed.key("1.26.8") != module.key("1.26.8")


def test_the_key_changes_with_flags_and_links(module: Module) -> None:
    def other(**values: object) -> Module:
        return Module(module.folder, "Toy", "example.test/main", **{"stamps": {}, **values})  # type: ignore[arg-type]

    variants = [
        module,
        other(tags=("extra",)),
        other(links={"greet": "hello"}),
        other(alone=frozenset({"example.test/tool"})),
        other(stamps={"main.version": "example.test/main"}),
        other(stamps={"main.version": "release"}, release="1.2"),
        other(sources={"ui": "web/ui"}),
        other(charts={"charts.example.test/ui": "web/ui"}),
        other(embeds=("cmd/hello/text.txt",)),
        other(amended={"example.test/main": "amended"}),
        other(edits=[("amended/words.go", "theirs", "ours")]),
    ]
    assert len({variant.key("1.26.8") for variant in variants}) == len(variants)
