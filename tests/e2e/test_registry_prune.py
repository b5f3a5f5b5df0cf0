"""Old releases are deleted from the registry, by a job in the cluster, and what is in use or kept still comes back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import httpx
import pytest

from tests.checkout import Checkout
from tests.waiting import eventually

URL = "http://127.0.0.1:32000/v2"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
PATIENT = 60
"""Seconds: the relay holds a connection for half of that while there is no pod."""
SITE = "tidied"
BASE, PAGE = 2**22, 2**21
"""Bytes of what all releases of a site have in common, and of what each has of its own."""


def push(repository: str, number: int) -> str:
    """Push an image as a release of a site would be, and return its digest."""
    with httpx.Client(timeout=PATIENT, base_url=f"{URL}/{repository}/") as client:

        def blob(content: bytes) -> dict[str, object]:
            digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
            if not client.head(f"blobs/{digest}").is_success:
                begun = client.post("blobs/uploads/").raise_for_status()
                client.put(f"{begun.headers['location']}&digest={digest}", content=content).raise_for_status()
            return {"digest": digest, "size": len(content), "mediaType": "application/vnd.oci.image.layer.v1.tar"}

        layers = [blob(b"0" * BASE), blob(f"{repository} {number} ".encode().ljust(PAGE, b"1"))]
        config = {**blob(json.dumps({"n": number}).encode()), "mediaType": "application/vnd.oci.image.config.v1+json"}
        document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
        headers = {"Content-Type": MANIFEST}
        done = client.put(f"manifests/{number:016x}", content=json.dumps(document), headers=headers)
        return str(done.raise_for_status().headers["docker-content-digest"])


def is_whole(repository: str, digest: str) -> bool:
    """Whether an image can be had by its digest, all of it."""
    with httpx.Client(timeout=PATIENT, base_url=f"{URL}/{repository}/") as client:
        found = client.get(f"manifests/{digest}", headers={"Accept": MANIFEST})
        if not found.is_success:
            return False
        parts = [found.json()["config"], *found.json()["layers"]]
        bodies = [client.get(f"blobs/{each['digest']}").raise_for_status().content for each in parts]
    digests = [f"sha256:{hashlib.sha256(body).hexdigest()}" for body in bodies]
    return digests == [each["digest"] for each in parts]


def disk(cluster: Checkout) -> int:
    """Bytes that the registry's volume takes."""
    [volume] = (each for each in cluster.volumes() if each.name.endswith("_container-registry_registry"))
    return sum(path.lstat().st_blocks * 512 for path in volume.rglob("*"))


def pruned(checkout: Checkout) -> list[str]:
    done = checkout.run("script/releases", "--prune")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def pull(checkout: Checkout, image: str) -> None:
    done = checkout.run("docker", "pull", image, environment=checkout.environment())
    assert done.returncode == 0, done.stderr


def page() -> str:
    return httpx.get("http://127.0.0.1/", headers={"Host": f"{SITE}.localhost"}, timeout=10).text


@pytest.fixture(scope="module")
def tidied(site: Checkout) -> Iterator[Checkout]:
    """The stack with a registry that keeps one release of each site, and with a site."""
    (site.path / SITE).mkdir()
    try:
        site.configure({"addons.registry.keep": 1, **{f"sites[1].{key}": SITE for key in ("name", "source")}})
        deploy(site, "one")
        yield site
    finally:
        site.restore()


def deploy(checkout: Checkout, text: str) -> str:
    """Deploy the site with a page, and return its image."""
    (checkout.path / SITE / "index.html").write_text(f"<p>{SITE} {text}</p>")
    checkout.up()
    return str(checkout.outputs()["images"][SITE])


def test_old_releases_are_deleted_and_their_space_is_given_back(tidied: Checkout) -> None:
    mine, others = "prune-test", "prune-test-of-others"
    before = disk(tidied)
    images, theirs = [push(mine, number) for number in range(30)], [push(others, number) for number in range(7)]
    tidied.kubectl("create", "namespace", others)
    try:
        # Another stack's, which doesn't even run at the moment.
        image = f"registry.example/{others}@{theirs[0]}"
        tidied.kubectl("create", "deployment", "-n", others, "theirs", "--replicas=0", f"--image={image}")
        said = pruned(tidied)
    finally:
        tidied.kubectl("delete", "namespace", others, "--wait=false")
    assert {f"{mine}: 29 releases deleted, 1 kept", f"{others}: 5 releases deleted, 2 kept"} <= set(said)
    assert [is_whole(mine, each) for each in images] == [False] * 29 + [True]
    assert [is_whole(others, each) for each in theirs] == [True, *[False] * 5, True]
    # What they have in common, and what each of the three has of its own.
    assert disk(tidied) - before <= 1.2 * (BASE + 3 * PAGE)
    for image in tidied.outputs()["images"].values():
        pull(tidied, image)
    # What was deleted can be pushed again.
    assert push(mine, 3) == images[3]
    assert is_whole(mine, images[3])


def test_a_site_goes_back_to_what_was_deleted(tidied: Checkout) -> None:
    first = tidied.outputs()["images"][SITE]
    deploy(tidied, "two")
    gone = first.partition("@sha256:")[2][:12]
    # The pods of the first release may not have ended yet.
    assert eventually(lambda: f"{SITE}: 1 release deleted, 1 kept" in pruned(tidied))
    assert f"{gone} -" in tidied.run("script/releases", SITE).stdout
    done = tidied.run("script/rollback", SITE, gone)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: the image of {SITE}'s release {gone} has been deleted from the registry")

    assert deploy(tidied, "one") == first
    assert f"{SITE} one" in page()
    pull(tidied, first)
    done = tidied.pulumi("preview", "--expect-no-changes")
    assert done.returncode == 0, done.stdout
