"""Which proxy is asked, by the rules of Go's package ``golang.org/x/net/http/httpproxy``, which kubectl follows."""

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

PORTS = {"http": 80, "https": 443}


def proxy_of(server: str, environ: Mapping[str, str]) -> str | None:
    """Return the URL of the proxy for the URL ``server``; ``None`` where it is asked directly.

    Args:
        server: The one that is to be reached.
        environ: Where ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY`` are looked up, and the same in lower case.
    """
    url = urlsplit(server)
    proxy = _variable(f"{url.scheme}_proxy", environ)
    if not proxy or not url.hostname:
        return None
    if _is_direct(url.hostname, url.port or PORTS[url.scheme], _variable("no_proxy", environ)):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    try:
        return proxy if urlsplit(proxy).port != 0 else None
    except ValueError:
        return None  # what is no URL is passed over


def _variable(name: str, environ: Mapping[str, str]) -> str:
    return environ.get(name.upper()) or environ.get(name, "")


def _is_direct(host: str, port: int, no_proxy: str) -> bool:
    address = _address(host)
    if host == "localhost" or (address and address.is_loopback):
        return True
    return any(_matches(entry.strip(), host, address, port) for entry in no_proxy.lower().split(","))


def _matches(entry: str, host: str, address: IPv4Address | IPv6Address | None, port: int) -> bool:
    """Tell whether ``entry``, an address, a range of them, or a domain, either with a port or without, has ``host``."""
    if not entry or entry == "*":
        return entry == "*"
    if "/" in entry:
        try:
            return address is not None and address in ip_network(entry, strict=False)
        except ValueError:
            return False
    if with_port := re.fullmatch(r"(?:\[(.*)\]|([^:]*)):(\d*)", entry):
        bracketed, plain, wanted = with_port.groups()
        entry = bracketed or plain
        if wanted not in ("", str(port)):
            return False
    if address or _address(entry):
        return address == _address(entry)
    domain = entry.removeprefix("*") if entry.startswith("*.") else entry
    # With a dot in front only what is below it is meant.
    return bool(domain) and (host == domain or host.endswith(f".{domain.removeprefix('.')}"))


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
