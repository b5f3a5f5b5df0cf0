"""The addon registry: images are pushed, pulled by digest, deleted and cleaned away, as ``docs/addons.md`` tells."""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import psutil
import pytest
import yaml

from tests.checkout import Checkout
from tests.pages import script_with
from tests.waiting import eventually

ADDRESS = "localhost:32000"
URL = "http://127.0.0.1:32000/v2"
REPOSITORY = "registry-test"
TAG = "1"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
PATIENT = 60
"""Seconds: the relay holds a connection for half of that while there is no pod."""


@pytest.fixture
def pushed(site: Checkout, tmp_path: Path) -> Iterator[str]:
    """The digest reference of an image that nobody else has, which has been pushed and is nowhere else."""
    content = tmp_path / "content"
    content.write_text(str(uuid4()))
    with tarfile.open(tmp_path / "layer.tar", "w") as layer:
        layer.add(content, "content")
    name = f"{ADDRESS}/{REPOSITORY}:{TAG}"
    docker(site, "import", str(tmp_path / "layer.tar"), name)
    try:
        digest = re.search(r"digest: (sha256:[0-9a-f]{64})", docker(site, "push", name))
    finally:
        docker(site, "rmi", name)
    assert digest
    yield f"{ADDRESS}/{REPOSITORY}@{digest[1]}"


def docker(checkout: Checkout, *arguments: str) -> str:
    done = checkout.run("docker", *arguments, environment=checkout.environment())
    assert done.returncode == 0, done.stderr
    return done.stdout


def from_page(repository: str, tag: str) -> tuple[str, str]:
    """How the page tells to delete an image, here that of the test, and then to free the disk."""
    delete, execute, collect = script_with("docs/addons.md", "garbage-collect").partition("kubectl exec ")
    return delete.replace("/inspiration/", f"/{repository}/").replace("/TAG", f"/{tag}"), execute + collect


def shell(checkout: Checkout, script: str) -> str:
    done = checkout.run("sh", "-euc", script, environment=checkout.environment())
    assert done.returncode == 0, done.stderr
    return done.stdout


def manifest(reference: str) -> httpx.Response:
    digest = reference.partition("@")[2]
    accept = {"Accept": f"application/vnd.oci.image.manifest.v1+json, {DOCKER_MANIFEST}"}
    return httpx.get(f"{URL}/{REPOSITORY}/manifests/{digest}", headers=accept, timeout=PATIENT)


def is_there(reference: str) -> bool:
    try:
        return manifest(reference).is_success
    except httpx.TransportError:  # the relay has waited for the pod long enough
        return False


def blobs(cluster: Checkout, digests: set[str]) -> set[str]:
    """Which of these are on a disk."""
    found = (path for volume in cluster.volumes() for path in volume.glob("**/blobs/sha256/*/*/data"))
    return {path.parent.name for path in found} & digests


def test_an_image_is_pulled_by_digest_deleted_and_cleaned_away(site: Checkout, pushed: str) -> None:
    docker(site, "pull", pushed)
    docker(site, "rmi", pushed)
    document = manifest(pushed).json()
    layers = [document["config"], *document["layers"]]
    digests = {each["digest"].removeprefix("sha256:") for each in layers} | {pushed.rpartition(":")[2]}
    assert blobs(site, digests) == digests

    delete, collect = from_page(REPOSITORY, TAG)
    assert json.loads(shell(site, delete).splitlines()[0])["tags"] == [TAG]
    assert manifest(pushed).status_code == httpx.codes.NOT_FOUND
    assert blobs(site, digests)  # the layers are still there

    shell(site, collect)
    assert blobs(site, digests) == set()
    collected = httpx.get(f"{URL}/{REPOSITORY}/blobs/{layers[-1]['digest']}", timeout=PATIENT)
    assert collected.status_code == httpx.codes.NOT_FOUND
    # What is in use is left alone.
    image = site.outputs()["images"]["inspiration"]
    docker(site, "pull", image)


def test_images_outlive_the_registry_s_pod(site: Checkout, pushed: str) -> None:
    selected = ("-n", "container-registry", "-l", "app.kubernetes.io/name=registry")

    def pods() -> set[str]:
        return set(site.kubectl("get", "pods", *selected, "-o", "name").split())

    before = pods()
    site.kubectl("delete", "pod", *selected)
    assert eventually(lambda: pods().isdisjoint(before))
    assert eventually(lambda: is_there(pushed))


def test_the_machine_has_it_on_loopback_only(site: Checkout) -> None:
    sockets = [each.laddr for each in psutil.net_connections("tcp") if each.status == psutil.CONN_LISTEN]
    listeners = {address.ip for address in sockets if address and address.port == 32000}
    assert listeners == {"127.0.0.1"}
    assert site.outputs()["registry"] == ADDRESS


def test_tools_find_it_in_the_cluster(site: Checkout) -> None:
    """KEP-1755: what Tilt, Skaffold and others look for."""
    found = json.loads(site.kubectl("get", "configmap", "local-registry-hosting", "-n", "kube-public", "-o", "json"))
    assert yaml.safe_load(found["data"]["localRegistryHosting.v1"])["host"] == ADDRESS
