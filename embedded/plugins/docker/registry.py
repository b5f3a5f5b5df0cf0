"""What a registry holds, asked by its own protocol.

Source: the OCI Distribution Specification 1.1, "Checking if content exists", and Docker's token authentication.
"""

import ipaddress
import re
from pathlib import Path

import requests

from ..shared.errors import PluginError
from .credentials import Login
from .image import DEFAULT_REGISTRY, Name

MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)

TIMEOUT = 20
"""Seconds for each request."""

CERTIFICATES = Path("/etc/docker/certs.d")
"""Where the Docker Engine, too, looks for the certificate authority of a registry."""


class UnreachableError(PluginError):
    """The registry gives no usable answer, so nothing can be said about what it holds."""


def digest_of(name: Name, reference: str, login: Login | None) -> str | None:
    """The digest of the manifest that the registry holds under a tag or digest; ``None`` if it holds none.

    Raises:
        UnreachableError: It doesn't answer, or won't tell.
    """
    registry = name.registry or DEFAULT_REGISTRY
    is_hub = registry in (DEFAULT_REGISTRY, f"index.{DEFAULT_REGISTRY}")
    host = "registry-1.docker.io" if is_hub else registry
    path = f"library/{name.path}" if is_hub and "/" not in name.path else name.path
    url = f"{'http' if is_loopback(registry) else 'https'}://{host}/v2/{path}/manifests/{reference}"
    with requests.Session() as session:
        session.trust_env = not is_loopback(registry)  # a proxy doesn't know this machine's own addresses
        session.headers["Accept"] = ", ".join(MANIFEST_TYPES)
        if (authority := CERTIFICATES / registry / "ca.crt").is_file():
            session.verify = str(authority)
        try:
            answer = session.head(url, timeout=TIMEOUT)
            if answer.status_code == requests.codes.unauthorized:
                _log_in(session, answer.headers.get("WWW-Authenticate", ""), login)
                answer = session.head(url, timeout=TIMEOUT)
        except requests.RequestException as error:
            raise UnreachableError(f"registry {registry} does not answer: {_cause(error)}") from error
    if answer.status_code == requests.codes.not_found:
        return None
    if not answer.ok:
        raise UnreachableError(f"registry {registry} answers {answer.status_code} {answer.reason} for {name.path}")
    return answer.headers.get("Docker-Content-Digest")


def is_loopback(registry: str) -> bool:
    """Whether ``registry``, host and port, is on this machine: Docker then speaks plain HTTP with it."""
    host = re.sub(r":\d+$", "", registry).strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _log_in(session: requests.Session, challenge: str, login: Login | None) -> None:
    """Make ``session`` answer the registry's ``challenge`` from now on, as far as that can be done."""
    credentials = (login.username, login.password) if login else None
    scheme, _, rest = challenge.partition(" ")
    parameters = dict(re.findall(r'(\w+)="([^"]*)"', rest))
    if scheme.lower() == "basic":
        session.auth = credentials
    elif scheme.lower() == "bearer" and "realm" in parameters:
        realm = parameters.pop("realm")
        answer = requests.get(realm, params=parameters, auth=credentials, timeout=TIMEOUT, verify=session.verify)
        if answer.ok:
            body = answer.json()
            session.headers["Authorization"] = f"Bearer {body.get('token') or body.get('access_token')}"


def _cause(error: Exception) -> str:
    """The innermost reason: requests wraps it several times."""
    while error.args and isinstance(error.args[0], Exception):
        error = error.args[0]
    reason = getattr(error, "reason", None)
    text = str(reason if isinstance(reason, Exception) else error)
    return text.rpartition("]")[2].strip() if "Errno" in text else text.rpartition(": ")[2]
