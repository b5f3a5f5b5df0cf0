"""Whether what has just been deployed is what visitors get."""

from __future__ import annotations

import time
from typing import Any

import pulumi
import urllib3

from components.ingress import IngressOptions
from components.site.options import SiteOptions
from components.site.pages.server import RELEASE_HEADER
from components.urls import DEFAULT_PORTS
from settings.problems import qualified

SECONDS = 30
"""For the ingress controller to route to the new pods only."""
ANSWER_SECONDS = 30
"""For one answer."""
IN_A_ROW = 10
"""Answers of the new release after which no other is expected: a controller that still knows old pods takes turns."""
PAUSE_SECONDS = 0.1


def await_release(release: str, ingress: IngressOptions, site: SiteOptions) -> None:
    """Ask the ingress controller for a page until it is one of ``release``, so that an update ends with that.

    What has no header that says so isn't a page of ours, and isn't waited for. Nor is an ingress controller to which
    there is no way from here.

    Args:
        release: What the header says.
        ingress: The address and the ports of the controller.
        site: What is asked for.

    Raises:
        pulumi.RunError: Something else was still answered in the end.
    """
    scheme, port = ("https", ingress.https_port) if site.tls else ("http", ingress.http_port)
    named = site.host if port == DEFAULT_PORTS[scheme] else f"{site.host}:{port}"
    address = f"[{ingress.address}]" if ":" in ingress.address else ingress.address
    # Not whose certificate it is, but whose page.
    urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    options: dict[str, Any] = (
        {"cert_reqs": "CERT_NONE", "assert_hostname": False, "server_hostname": site.host} if site.tls else {}
    )
    end, right, answered = time.monotonic() + SECONDS, 0, ""
    with urllib3.PoolManager(retries=False, timeout=ANSWER_SECONDS, **options) as http:
        while right < IN_A_ROW:
            try:
                # A new connection each time, as other visitors have.
                answer = http.request(
                    "HEAD", f"{scheme}://{address}:{port}{site.path}", headers={"Host": named, "Connection": "close"}
                )
            except urllib3.exceptions.HTTPError:
                pulumi.log.info(f"{named} wasn't asked for its new release: no way to {ingress.address}:{port}")
                return
            said = answer.headers.get(RELEASE_HEADER)
            if said is None and answer.status < 400:
                return
            right = right + 1 if said == release else 0
            answered = f"HTTP {answer.status}" + (f" of release {said}" if said else "")
            if not right:
                if time.monotonic() > end:
                    raise pulumi.RunError(
                        f"{named}{site.path} answers {answered} after {SECONDS} seconds, and not the new release "
                        f"{release}; see script/up --status, or set {qualified('ingress.confirm')} to false if another "
                        "controller answers there"
                    )
                time.sleep(PAUSE_SECONDS)
