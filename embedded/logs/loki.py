"""The lines that Loki has kept, also of pods that are gone."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from embedded.health.api import Api
from embedded.health.deployed import Component
from embedded.logs.lines import CONTAINER, SECOND, Line

PAGE = 5000
"""How many lines Loki returns at most. Source: ``max_entries_limit_per_query``, by default."""

WINDOW = 30 * 24 * 3600 * SECOND
"""What one question may be about. Source: ``max_query_length``, by default an hour more."""


class Loki:
    """Loki of the addon ``logs``, asked through the API server: whoever may do that needs no connection to its pod.

    Args:
        api: The API server.
        addon: The component of the addon, whose output has its URL inside the cluster.
    """

    def __init__(self, api: Api, addon: Component) -> None:
        self._api = api
        url = urlsplit(addon.outputs["url"])
        self._service, self._namespace, *_ = str(url.hostname).split(".")
        self._port = url.port or 80

    def lines(self, namespace: str, start: int, end: int) -> Iterator[Line]:
        """Yield the lines of the sites' containers in a namespace, in order, from ``start`` on and before ``end``.

        Raises:
            ApiError: Loki may not be asked, or doesn't answer.
        """
        while start < end:
            until = min(end, start + WINDOW)
            page = self._page(namespace, start, until)
            start = until
            if len(page) == PAGE:
                # There may be more, also of the last one's time.
                start = page[-1].time
                page = [line for line in page if line.time < start] or page
                if page[-1].time == start:
                    start += 1  # more than Loki returns at once, which no pod writes in a nanosecond
            yield from page

    def _page(self, namespace: str, start: int, end: int) -> list[Line]:
        answer = self._api.ask_service(
            self._namespace, self._service, self._port, "/loki/api/v1/query_range",
            query=f'{{k8s_namespace_name="{namespace}", k8s_container_name="{CONTAINER}"}}',
            start=str(start), end=str(end), limit=str(PAGE), direction="forward",
        )  # fmt: skip
        return sorted(
            Line(int(time), stream["stream"]["k8s_pod_name"], text.encode(errors="replace"))
            for stream in answer["data"]["result"]
            for time, text in stream["values"]
        )
