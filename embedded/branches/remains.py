"""What a branch's stack may leave that isn't in its state: namespaces, and images in the registry and the engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from http import HTTPStatus

import urllib3

from embedded.health.api import NAMESPACE, Api, RefusedError
from settings.releases import MANIFESTS, SECONDS, api_of

PAGE = 100
"""Names of images that a registry is asked for at a time."""
PATIENCE = 120
"""Seconds that a namespace has to end."""


def remove_namespaces(api: Api, instance: str, prefix: str) -> None:
    """Remove the namespaces that a stack has made and, since ``pulumi`` was killed just then, doesn't know.

    Raises:
        ApiError: They can't be removed.
    """
    end = time.monotonic() + PATIENCE
    asked: set[str] = set()
    selector = f"app.kubernetes.io/part-of=inspiration,app.kubernetes.io/instance={instance}"
    while time.monotonic() < end:
        listed = [each["metadata"]["name"] for each in api.objects(NAMESPACE, None, labelSelector=selector)]
        names = [name for name in listed if name.startswith(f"{prefix}-")]
        if not names:
            return
        for name in set(names) - asked:
            try:
                api.change("DELETE", NAMESPACE, "", name)
            except RefusedError as refused:
                if refused.status not in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
                    raise
            asked.add(name)
        time.sleep(0.5)


def remove_images(registry: str, prefix: str) -> str | None:
    """Remove all images whose names begin with ``prefix/`` from a registry, and return what has stayed, in words."""
    server, _, path = registry.partition("/")
    below = "/".join(filter(None, (path, prefix))) + "/"
    with urllib3.PoolManager(retries=False, timeout=SECONDS) as http:

        def ask(method: str, where: str) -> urllib3.BaseHTTPResponse:
            return http.request(method, f"{api_of(server)}/{where}", headers={"Accept": MANIFESTS})

        try:
            listed: list[str] = []
            # The registry lists them a page at a time, in order.
            while (
                page := ask("GET", f"_catalog?n={PAGE}&last={listed[-1] if listed else ''}")
            ).status == HTTPStatus.OK:
                there = page.json()["repositories"] or []
                listed += there
                if len(there) < PAGE:
                    break
            else:
                return f"the images {registry}/{prefix}/… stay: the registry answered HTTP {page.status}"
            for repository in filter(lambda name: name.startswith(below), listed):
                for digest in list(_digests(ask, repository)):
                    status = ask("DELETE", f"{repository}/manifests/{digest}").status
                    if status not in (HTTPStatus.ACCEPTED, HTTPStatus.NOT_FOUND):
                        return f"the image {server}/{repository}@{digest} stays: the registry answered HTTP {status}"
        except urllib3.exceptions.HTTPError:
            return f"the images {registry}/{prefix}/… stay, if there are any: the registry doesn't answer"
    return None


def _digests(ask: Callable[[str, str], urllib3.BaseHTTPResponse], repository: str) -> Iterator[str]:
    answer = ask("GET", f"{repository}/tags/list")
    tags = answer.json().get("tags") if answer.status == HTTPStatus.OK else None
    for tag in tags or []:
        if digest := ask("HEAD", f"{repository}/manifests/{tag}").headers.get("Docker-Content-Digest"):
            yield digest


def remove_built(registry: str, prefix: str) -> None:
    """Remove the same images from the Docker Engine that has built them, if there is one."""
    # Imported where it is used: it takes a while.
    import docker
    from docker.errors import DockerException

    with suppress(DockerException), closing(docker.from_env()) as engine:
        for image in engine.images.list():
            for tag in image.tags:
                if tag.startswith(f"{registry}/{prefix}/"):
                    engine.images.remove(tag)
