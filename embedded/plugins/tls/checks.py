"""What a value may be. A check yields what is wrong, as text that goes after a property's name; it shows no secret."""

import ipaddress
from collections.abc import Callable, Iterator
from typing import Any

from cryptography import x509

from ..shared.checks import Check, list_of
from ..shared.errors import PluginError
from ..shared.values import is_unknown
from . import names

MAX_HOURS = 1000 * 365 * 24
"""A thousand years: what is longer may not fit into a certificate's dates."""


def readable(load: Callable[[str], object]) -> Check:
    """A text that ``load`` can read."""

    def check(value: Any) -> Iterator[str]:
        try:
            load(value if isinstance(value, str) else "")
        except PluginError as error:
            yield f": {error}"

    return check


def subject(value: Any) -> Iterator[str]:
    """A map of the parts of a distinguished name."""
    if not isinstance(value, dict):
        yield f": {value!r} given; allowed: a map of {', '.join(names.SUBJECT)}"
        return
    for key, part in value.items():
        if key not in names.SUBJECT:
            yield f".{key} is no part of a subject; allowed: {', '.join(names.SUBJECT)}"
        elif not is_unknown(part) and part:
            try:
                names.attributes(key, part)
            except (ValueError, TypeError) as error:
                yield f".{key}: {part!r} can't be in a certificate: {error}"


def allowed_uses(value: Any) -> Iterator[str]:
    """A list of key usages and extended key usages."""
    known = names.KEY_USAGES | names.EXTENDED_KEY_USAGES
    wrong = list(list_of(lambda use: isinstance(use, str) and use in known, ", ".join(sorted(known)))(value))
    yield from wrong
    # RFC 5280, 4.2.1.3: without it, their meaning is undefined.
    if not wrong and "key_agreement" not in value and (lone := {"encipher_only", "decipher_only"}.intersection(value)):
        yield f": {min(lone)} says something about key_agreement only; add key_agreement"


def _is_dns_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and value.isascii()


def _is_ip_address(value: Any) -> bool:
    try:
        return "%" not in str(ipaddress.ip_address(value))
    except ValueError:
        return False


def _is_uri(value: Any) -> bool:
    try:
        return bool(value) and bool(x509.UniformResourceIdentifier(value))
    except (ValueError, TypeError):
        return False


dns_names = list_of(_is_dns_name, "a DNS name in ASCII (other scripts as xn--…)")
ip_addresses = list_of(_is_ip_address, "an IP address without a zone")
uris = list_of(_is_uri, "a URI in ASCII")
