"""What a certificate says: whose it is, and what it is for."""

import ipaddress
from collections.abc import Iterable
from typing import Any

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

SUBJECT = {
    "country": NameOID.COUNTRY_NAME,
    "organization": NameOID.ORGANIZATION_NAME,
    "organizationalUnit": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "locality": NameOID.LOCALITY_NAME,
    "province": NameOID.STATE_OR_PROVINCE_NAME,
    "streetAddresses": NameOID.STREET_ADDRESS,
    "postalCode": NameOID.POSTAL_CODE,
    "commonName": NameOID.COMMON_NAME,
    "serialNumber": NameOID.SERIAL_NUMBER,
    "emailAddress": NameOID.EMAIL_ADDRESS,
}
"""The parts of a subject, in the order in which a certificate has them."""

KEY_USAGES = {
    "digital_signature": "digital_signature",
    "content_commitment": "content_commitment",
    "key_encipherment": "key_encipherment",
    "data_encipherment": "data_encipherment",
    "key_agreement": "key_agreement",
    "cert_signing": "key_cert_sign",
    "crl_signing": "crl_sign",
    "encipher_only": "encipher_only",
    "decipher_only": "decipher_only",
}
"""Key usages by Pulumi's names, with those of `x509.KeyUsage`. Source: RFC 5280, 4.2.1.3."""

EXTENDED_KEY_USAGES = {
    "any_extended": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    "server_auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client_auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "code_signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email_protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "ipsec_end_system": ObjectIdentifier("1.3.6.1.5.5.7.3.5"),
    "ipsec_tunnel": ObjectIdentifier("1.3.6.1.5.5.7.3.6"),
    "ipsec_user": ObjectIdentifier("1.3.6.1.5.5.7.3.7"),
    "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp_signing": ExtendedKeyUsageOID.OCSP_SIGNING,
    "microsoft_server_gated_crypto": ObjectIdentifier("1.3.6.1.4.1.311.10.3.3"),
    "netscape_server_gated_crypto": ObjectIdentifier("2.16.840.1.113730.4.1"),
    "microsoft_commercial_code_signing": ObjectIdentifier("1.3.6.1.4.1.311.2.1.22"),
    "microsoft_kernel_code_signing": ObjectIdentifier("1.3.6.1.4.1.311.61.1.1"),
}
"""Extended key usages by Pulumi's names. Source: RFC 5280, 4.2.1.12, and Go's crypto/x509."""


def subject(parts: dict[str, Any]) -> x509.Name:
    """The distinguished name of ``parts``, which are keys of `SUBJECT`.

    Raises:
        ValueError: A part is longer or shorter than RFC 5280 allows.
    """
    return x509.Name([attribute for key in SUBJECT if parts.get(key) for attribute in attributes(key, parts[key])])


def attributes(key: str, value: str | list[str]) -> list[x509.NameAttribute[str]]:
    """The attributes of one part of a subject, of which only the street can have several.

    Raises:
        ValueError: A value is longer or shorter than RFC 5280 allows.
    """
    values = value if isinstance(value, list) else [value]
    return [x509.NameAttribute(SUBJECT[key], each) for each in values]


def alternative_names(
    dns_names: Iterable[str], ip_addresses: Iterable[str], uris: Iterable[str]
) -> list[x509.GeneralName]:
    """The names that a certificate is valid for.

    Raises:
        ValueError: One of them can't be in a certificate.
    """
    return [
        *(x509.DNSName(name) for name in dns_names),
        *(x509.IPAddress(ipaddress.ip_address(address)) for address in ip_addresses),
        *(x509.UniformResourceIdentifier(uri) for uri in uris),
    ]


def key_usage(uses: Iterable[str]) -> x509.KeyUsage | None:
    """The key usages among ``uses``; ``None`` if there are none."""
    chosen = {KEY_USAGES[use] for use in uses if use in KEY_USAGES}
    return x509.KeyUsage(**{name: name in chosen for name in KEY_USAGES.values()}) if chosen else None


def extended_key_usage(uses: Iterable[str]) -> x509.ExtendedKeyUsage | None:
    """The extended key usages among ``uses``; ``None`` if there are none."""
    chosen = dict.fromkeys(EXTENDED_KEY_USAGES[use] for use in uses if use in EXTENDED_KEY_USAGES)
    return x509.ExtendedKeyUsage(chosen) if chosen else None
