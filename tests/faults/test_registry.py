"""An image that is gone from the registry: whoever needs it says so, and it comes back."""

from __future__ import annotations

import json
import re

import httpx

from tests.checkout import Checkout
from tests.faults.conftest import assert_complete, configure_sites, write_page
from tests.waiting import eventually


def pods_ready(checkout: Checkout, namespace: str) -> list[bool]:
    listed = json.loads(checkout.kubectl("get", "pods", "-n", namespace, "-o", "json"))
    return [
        any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))
        for pod in listed["items"]
    ]


def forget_on_the_node(checkout: Checkout, repository: str) -> None:
    """Have the node lose its copies of a repository's images, as its garbage collection does."""
    ctr = ("ctr", "--address", str(checkout.state / "containerd.sock"), "--namespace", "k8s.io", "images")
    names = checkout.run(*ctr, "list", "--quiet", environment=checkout.environment()).stdout.split()
    for name in names:
        if name.startswith(repository):
            gone = checkout.run(*ctr, "remove", "--sync", name, environment=checkout.environment())
            assert gone.returncode == 0, gone.stderr


def test_an_image_that_was_deleted_is_named_and_comes_back(undone: Checkout) -> None:
    write_page(undone, "gone", "still there")
    configure_sites(undone, {"name": "gone", "source": "gone"})
    undone.up()
    image = undone.outputs()["images"]["gone"]
    repository, _, digest = image.partition("@")
    manifest = f"http://127.0.0.1:32000/v2/gone/manifests/{digest}"
    deleted = httpx.delete(manifest, headers={"Host": "localhost:32000"}, timeout=30)
    assert deleted.status_code == httpx.codes.ACCEPTED
    forget_on_the_node(undone, repository)
    pod = undone.kubectl("get", "pods", "-n", "gone", "-o", "jsonpath={.items[0].metadata.name}")
    undone.kubectl("delete", "pod", pod, "-n", "gone")

    def told() -> str:
        return " ".join(undone.run("script/up", "--status").stdout.split())

    assert eventually(lambda: "Deployment gone/gone isn't ready: 1 of 2 pods are available" in told()), told()
    assert eventually(lambda: f"{image}: not found" in told()), told()
    # The kubelet goes from the one to the other and back.
    refused = re.compile("container site: (ErrImagePull|ImagePullBackOff): ")
    assert eventually(lambda: refused.search(told()) is not None), told()

    done = undone.pulumi("up", "--refresh", "--yes", "--skip-preview")

    assert done.returncode == 0, done.stdout + done.stderr
    assert eventually(lambda: pods_ready(undone, "gone") == [True, True])
    assert_complete(undone)
