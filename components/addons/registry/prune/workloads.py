"""Which images the cluster uses, as its API server says."""

import json
import os
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .errors import PruneError
from .store import DIGEST

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
WORKLOADS = (
    "/api/v1/pods",
    "/api/v1/replicationcontrollers",
    "/apis/apps/v1/daemonsets",
    "/apis/apps/v1/deployments",
    "/apis/apps/v1/replicasets",
    "/apis/apps/v1/statefulsets",
    "/apis/batch/v1/cronjobs",
    "/apis/batch/v1/jobs",
)
"""What may name an image."""
PAGE = 500
"""Objects that are asked for at a time."""
CONNECT_SECONDS = 30
"""How long the API server may be out of reach: a NetworkPolicy may not know a new pod yet."""

TAG = re.compile(r":([0-9a-f]{16})(?![0-9A-Za-z_.-])")
LONGEST_NAME = 255
REVISION = "deployment.kubernetes.io/revision"

Used = Callable[[str, str, Iterable[str]], bool]
"""Whether the cluster names an image: by its repository, its digest and its tags."""


def used(list_objects: Callable[[str], Iterable[Mapping[str, Any]]], keep: int) -> Used:
    """Return what tells whether the cluster names an image: a pod or what makes pods, in any namespace.

    Args:
        list_objects: Returns the objects at a path of `WORKLOADS`.
        keep: How many ReplicaSets of a Deployment count, the newest ones; those that have pods do in any case.
    """
    digests: set[str] = set()
    tagged: set[tuple[str, str]] = set()
    for path in WORKLOADS:
        objects = list(list_objects(path))
        if path.endswith("/replicasets"):
            objects = list(_newest(objects, keep))
        for each in objects:
            # Wherever it stands: in a container, an image volume or a variable.
            text = json.dumps(each)
            digests.update(DIGEST.findall(text))
            for tag in TAG.finditer(text):
                before = text[max(0, tag.start() - LONGEST_NAME) : tag.start()]
                tagged.add((re.split(r'["\s@]', before)[-1], tag[1]))

    def is_used(repository: str, digest: str, tags: Iterable[str]) -> bool:
        # Whatever the registry is called there.
        return digest in digests or any(tag in tags and f"/{name}".endswith(f"/{repository}") for name, tag in tagged)

    return is_used


def _newest(replica_sets: Iterable[Mapping[str, Any]], keep: int) -> Iterator[Mapping[str, Any]]:
    """Yield the newest ReplicaSets of each Deployment, and all that have pods or no Deployment."""

    def age(each: Mapping[str, Any]) -> tuple[int, str]:
        metadata = each["metadata"]
        return int((metadata.get("annotations") or {}).get(REVISION, 0)), metadata.get("creationTimestamp") or ""

    owned: dict[str, list[Mapping[str, Any]]] = {}
    for each in replica_sets:
        if owners := each["metadata"].get("ownerReferences") or []:
            owned.setdefault(owners[0]["uid"], []).append(each)
        else:
            yield each
    for sets in owned.values():
        for position, each in enumerate(sorted(sets, key=age, reverse=True)):
            if position < keep or (each.get("spec") or {}).get("replicas"):
                yield each


def list_objects(path: str) -> Iterator[Mapping[str, Any]]:
    """Yield the objects at a path of the API server.

    Raises:
        PruneError: It doesn't say.
    """
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    # Certificates of clusters often lack what Python 3.13 asks for: https://github.com/python/cpython/issues/128142
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    more = ""
    while True:
        token = (ACCOUNT / "token").read_text()
        request = urllib.request.Request(  # noqa: S310 - https
            f"{server}{path}?limit={PAGE}&continue={more}",
            headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
        )
        answer = _answer(request, context)
        yield from answer.get("items") or []
        more = (answer.get("metadata") or {}).get("continue") or ""
        if not more:
            return


def _answer(request: urllib.request.Request, context: ssl.SSLContext) -> dict[str, Any]:
    end = time.monotonic() + CONNECT_SECONDS
    while True:
        try:
            # Past any proxy.
            opener = urllib.request.build_opener(
                urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
            )
            with opener.open(request, timeout=CONNECT_SECONDS) as response:
                document: dict[str, Any] = json.load(response)
                return document
        except urllib.error.HTTPError as error:
            why = f"answered HTTP {error.code} to GET {request.selector.partition('?')[0]}"
            raise PruneError(f"the API server {why}; nothing was deleted") from None
        except (OSError, ValueError) as error:
            if time.monotonic() > end:
                reason = getattr(error, "reason", None) or error
                raise PruneError(f"the API server doesn't answer: {reason}; nothing was deleted") from None
        time.sleep(1)
