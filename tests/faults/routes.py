"""Whether the ingress controller has heard of what has changed in the cluster."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

from tests.checkout import Checkout
from tests.waiting import eventually

HOST = "news.localhost"


def assert_routes_follow(checkout: Checkout, folder: Path) -> None:
    """Wait until the ingress controller acts on new Services, EndpointSlices and Ingresses.

    A client that finds no API server asks again after a pause, which doubles up to half a minute, by chance a whole one
    (client-go's reflectors). Meanwhile it goes on with the pods that it knows. So after restarts of the API server, a
    route to the site of another name, by hand, tells that all three are watched again.

    Args:
        checkout: Whose cluster; the site inspiration is on it.
        folder: Where to write the objects.

    Raises:
        AssertionError: It takes two minutes.
    """
    path = folder / "news.json"
    pod = checkout.kubectl("get", "pods", "-n", "inspiration", "-o", "jsonpath={.items[0].status.podIP}")
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": _route(pod)}))
    checkout.kubectl("apply", "-f", str(path))
    try:
        assert eventually(_is_there), "the ingress controller doesn't hear of a new route"
    finally:
        checkout.kubectl("delete", "-f", str(path))


def _route(address: str) -> list[dict[str, object]]:
    metadata = {"name": "news", "namespace": "inspiration"}
    backend = {"service": {"name": "news", "port": {"name": "http"}}}
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"ports": [{"name": "http", "port": 80}]},
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {**metadata, "labels": {"kubernetes.io/service-name": "news"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
            "ports": [{"name": "http", "port": 8080}],
        },
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": metadata,
            "spec": {
                "ingressClassName": "nginx",
                "rules": [{"host": HOST, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}],
            },
        },
    ]


def _is_there() -> bool:
    try:
        return httpx.get("http://127.0.0.1/", headers={"Host": HOST}, timeout=5).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
