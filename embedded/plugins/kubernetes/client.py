"""A small asynchronous client for the Kubernetes API.

The ``kubernetes`` package would need 0.3 s to be imported and a thread for each wait; what is used of the API here is
a handful of verbs on plain JSON, so aiohttp is enough (0.1 s, and a hundred watches cost no threads). Kinds are looked
up by discovery, one request for each API group version that is used.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import aiohttp

from .errors import ApiError, Json, KindMissingError
from .helm import Capabilities
from .kinds import Kind
from .kubeconfig import Connection
from .transport import Answer, Transport

_WATCH_SECONDS = 300
"""A watch is opened anew after this time; proxies in between tend to cut longer ones."""


@dataclass(frozen=True)
class Endpoint:
    """Where the API serves a kind."""

    root: str
    """``/api/v1`` or ``/apis/GROUP/VERSION``."""
    plural: str
    namespaced: bool

    def path(self, namespace: str | None, name: str = "") -> str:
        """Path of an object, or of all objects of the kind."""
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{self.root}{scope}/{self.plural}" + (f"/{name}" if name else "")


class Client:
    """One cluster, as one user. Safe for any number of tasks of one event loop."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._transport = Transport(connection)
        self._discovered: dict[str, asyncio.Task[dict[str, Endpoint]]] = {}

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()

    def hurry(self) -> None:
        """Repeat no request any more: the user wants this to end."""
        self._transport.hurry()

    async def endpoint(self, kind: Kind) -> Endpoint:
        """Where ``kind`` is served; looked up again if it wasn't there before (its CRD may be new).

        Raises:
            KindMissingError: The cluster has no such kind.
        """
        known = kind.api_version in self._discovered
        endpoints = await self._discover(kind.api_version)
        if kind.name not in endpoints and known:
            self._discovered.pop(kind.api_version, None)
            endpoints = await self._discover(kind.api_version)
        if kind.name not in endpoints:
            raise KindMissingError(
                f"the cluster has no kind {kind.name} in {kind.api_version}: install what defines it (a "
                "CustomResourceDefinition), or make this resource depend on what installs it"
            )
        return endpoints[kind.name]

    async def capabilities(self) -> Capabilities:
        """What the cluster can do, for Helm."""
        version = (await self._transport.request("GET", "/version")).body["gitVersion"]
        groups = (await self._transport.request("GET", "/apis")).body["groups"]
        served = ["v1", *(each["groupVersion"] for group in groups for each in group["versions"])]
        kinds = await asyncio.gather(*map(self._discover, served))
        named = [f"{api_version}/{kind}" for api_version, found in zip(served, kinds, strict=True) for kind in found]
        return Capabilities(version, (*served, *named))

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Json | None:
        """The live object, ``None`` if there is none."""
        endpoint = await self.endpoint(kind)
        try:
            return (await self._transport.request("GET", endpoint.path(namespace, name))).body
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    async def list_objects(self, kind: Kind, namespace: str | None, **selectors: str) -> Json:
        """Objects of a kind (a ``…List``); ``labelSelector`` and ``fieldSelector`` narrow it."""
        endpoint = await self.endpoint(kind)
        return (await self._transport.request("GET", endpoint.path(namespace), params=selectors)).body

    async def apply(
        self, kind: Kind, namespace: str | None, body: Json, manager: str, *, force: bool = False, dry_run: bool = False
    ) -> Answer:
        """Server-side apply, with strict field validation, so that a misspelt field is an error and not ignored."""
        endpoint = await self.endpoint(kind)
        params = {"fieldManager": manager, "force": str(force).lower(), "fieldValidation": "Strict"}
        if dry_run:
            params["dryRun"] = "All"
        path = endpoint.path(namespace, body["metadata"]["name"])
        return await self._transport.request("PATCH", path, params, body, "application/apply-patch+yaml")

    async def set_managed_fields(self, kind: Kind, live: Json, entries: list[Json]) -> None:
        """Replace an object's ``managedFields``, unless somebody has changed the object meanwhile."""
        metadata = live["metadata"]
        patch = [
            {"op": "replace", "path": "/metadata/managedFields", "value": entries},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": metadata["resourceVersion"]},
        ]
        path = (await self.endpoint(kind)).path(metadata.get("namespace"), metadata["name"])
        await self._transport.request("PATCH", path, body=patch, content_type="application/json-patch+json")

    async def delete(self, kind: Kind, namespace: str | None, name: str, propagation: str) -> bool:
        """Ask for an object's deletion; ``False`` if there is none."""
        path = (await self.endpoint(kind)).path(namespace, name)
        try:
            await self._transport.request("DELETE", path, body={"propagationPolicy": propagation})
        except ApiError as error:
            if error.code == 404:
                return False
            raise
        return True

    async def log_tail(self, namespace: str, pod: str, container: str, *, previous: bool, lines: int) -> list[str]:
        """The last lines that a container wrote, or that its previous instance did."""
        params = {"container": container, "previous": str(previous).lower(), "tailLines": str(lines)}
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        try:
            async with self._transport.open("GET", path, params) as response:
                text = await response.text(errors="replace") if response.ok else ""
        except aiohttp.ClientError:
            return []
        return text.splitlines()[-lines:]

    async def watch(self, kind: Kind, namespace: str | None, **selectors: str) -> AsyncIterator[tuple[str, Json]]:
        """The objects of a kind as they are now, and each change after that, without an end.

        Yields:
            ``("LISTED", list)`` at first, and again whenever the connection was lost in between; then
            ``("ADDED" | "MODIFIED" | "DELETED", object)``.
        """
        path = (await self.endpoint(kind)).path(namespace)
        while True:
            listed = (await self._transport.request("GET", path, params=selectors)).body
            # The items of a list don't say what they are.
            items = [{"apiVersion": kind.api_version, "kind": kind.name, **item} for item in listed.get("items") or []]
            yield "LISTED", {**listed, "items": items}
            version = listed["metadata"]["resourceVersion"]
            try:
                async for event in self._events(path, selectors, version):
                    yield event
            except (aiohttp.ClientError, TimeoutError):
                pass  # The next list finds out whether the server is back, with retries.

    async def _events(self, path: str, selectors: Mapping[str, str], version: str) -> AsyncIterator[tuple[str, Json]]:
        while True:
            params = {**selectors, "watch": "true", "resourceVersion": version, "allowWatchBookmarks": "true"}
            params["timeoutSeconds"] = str(_WATCH_SECONDS)
            async with self._transport.open("GET", path, params, timeout=None) as response:
                if response.status == 410:
                    return  # Gone: the version is too old to go on from.
                await self._transport.refuse(response)
                buffer = b""
                async for chunk in response.content.iter_any():
                    *lines, buffer = (buffer + chunk).split(b"\n")
                    for line in lines:
                        event = json.loads(line)
                        if event["type"] == "ERROR":
                            return  # The same, on the way.
                        version = event["object"]["metadata"]["resourceVersion"]
                        if event["type"] != "BOOKMARK":
                            yield event["type"], event["object"]

    async def _discover(self, api_version: str) -> dict[str, Endpoint]:
        task = self._discovered.get(api_version)
        if task is None:
            task = self._discovered[api_version] = asyncio.create_task(self._endpoints(api_version))
        try:
            # Shielded: others may be waiting for the same answer.
            return await asyncio.shield(task)
        except Exception:
            self._discovered.pop(api_version, None)
            raise

    async def _endpoints(self, api_version: str) -> dict[str, Endpoint]:
        root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        try:
            resources = (await self._transport.request("GET", root)).body["resources"]
        except ApiError as error:
            if error.code != 404:
                raise
            if api_version == "v1":
                raise self._transport.not_kubernetes("HTTP 404 to a request for its core API") from None
            resources = []
        # Names with a slash are subresources.
        kinds = [resource for resource in resources if "/" not in resource["name"]]
        return {each["kind"]: Endpoint(root, each["name"], each["namespaced"]) for each in kinds}
