"""Questions to programs in pods, by connections that the API server forwards as ``kubectl port-forward`` has them."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING

from embedded.health.deployed import Json
from settings.cluster_reader import READ_SECONDS

if TYPE_CHECKING:
    from websocket import WebSocket


def get(websocket: WebSocket, port: int, path: str) -> tuple[int, bytes]:
    """Return the status and the body of what a pod answers to a GET.

    Args:
        websocket: The connection to the API server, which forwards to ``port`` and is closed at the end.
        port: Of the pod.
        path: With the query.

    Raises:
        OSError: There is no answer.
    """
    from kubernetes.stream.ws_client import PortForward

    forward = PortForward(websocket, [port])
    connection = HTTPConnection("127.0.0.1", port)
    connection.sock = forward.socket(port)
    connection.sock.settimeout(READ_SECONDS)
    try:
        connection.request("GET", path, headers={"Accept": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    except HTTPException as error:
        raise OSError(forward.error(port) or str(error) or type(error).__name__) from None
    finally:
        forward.close()


def target(service: Json, port: int, pods: list[Json]) -> tuple[str, int] | None:
    """Return the name of a pod behind a Service, and its port that is the Service's ``port``; ``None``: none is ready.

    Args:
        service: The Service.
        port: One of its ports.
        pods: Those that it selects.
    """
    wanted = next((each.get("targetPort", port) for each in service["spec"]["ports"] if each["port"] == port), port)
    for pod in pods:
        if ("Ready", "True") in [(each["type"], each["status"]) for each in pod["status"].get("conditions") or ()]:
            named = {
                each.get("name"): each["containerPort"]
                for container in pod["spec"]["containers"]
                for each in container.get("ports") or ()
            }
            return pod["metadata"]["name"], named.get(wanted, wanted)
    return None
