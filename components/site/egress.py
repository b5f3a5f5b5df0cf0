"""What the option ``egress`` of a site says."""

import re
from dataclasses import dataclass
from ipaddress import ip_network

from components.options import LABEL

DESTINATIONS = (
    "dns, internet, database, site:<name>, or an address range with ports perhaps, as 10.0.0.0/8 or "
    "10.1.2.3/32:5432,5433"
)
DNS, INTERNET, DATABASE = "dns", "internet", "database"
SITE = "site:"

_RANGE = re.compile(
    r"(?:\[(?P<bracketed>[0-9a-f:]+/[0-9]+)\](?::(?P<ports6>[0-9,]+))?|(?P<v6>[0-9a-f]*:[0-9a-f:]*/[0-9]+)"
    r"|(?P<v4>[0-9.]+/[0-9]+)(?::(?P<ports4>[0-9,]+))?)"
)


@dataclass(frozen=True)
class AddressRange:
    """A range of addresses, and the TCP ports there; none of them are all."""

    cidr: str
    ports: tuple[int, ...] = ()


def check_destination(text: str) -> str:
    """Return ``text``.

    Raises:
        ValueError: It is none of the `DESTINATIONS`.
    """
    if text not in (DNS, INTERNET, DATABASE) and peer(text) is None:
        address_range(text)
    return text


def peer(text: str) -> str | None:
    """Return the name of the site that ``text`` is about; ``None``: it is about something else."""
    name = text.removeprefix(SITE)
    return name if text.startswith(SITE) and re.fullmatch(LABEL, name) else None


def address_range(text: str) -> AddressRange:
    """Read ``10.0.0.0/8``, ``10.1.2.3/32:5432,5433`` or ``[fd00::/8]:443``.

    Raises:
        ValueError: It is nothing like that.
    """
    if not (found := _RANGE.fullmatch(text)):
        raise ValueError(text)
    ports = [int(port) for port in (found["ports4"] or found["ports6"] or "").split(",") if port]
    if not all(1 <= port <= 65535 for port in ports):
        raise ValueError(text)
    return AddressRange(str(ip_network(found["bracketed"] or found["v6"] or found["v4"])), tuple(ports))
