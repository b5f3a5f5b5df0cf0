"""The line for everything that the ingress, the registry and the certificate authority may not be."""

from typing import Any

import pytest

from tests.unit.test_settings import load
from tests.unit.test_settings import project as project
from tests.unit.test_settings_errors import problems

KEYS = "className, httpPort, httpsPort, address, confirm, routes, passthrough, gateway"
PORT = "a port, 1 to 65535"
CLASS = "auto (the cluster's own, or nginx of the addon ingress), or the name of an IngressClass"
PASSTHROUGH = "auto (as the IngressClass says), nginx, traefik, haproxy, gateway"
REGISTRY = 'a registry as in image names, such as "localhost:32000" or "ghcr.io/me"'

INGRESS: dict[str, tuple[Any, str]] = {
    "a list": ([], f": [] given; allowed: a map of {KEYS}"),
    "true": (True, f": true given; allowed: a map of {KEYS}"),
    "an unknown key": ({"classname": "x"}, f".classname: unknown key; did you mean className? allowed: {KEYS}"),
    "a class with a capital": (
        {"className": "Nginx"},
        f'.className: "Nginx" given; allowed: {CLASS}',
    ),
    "an empty class": ({"className": ""}, f'.className: "" given; allowed: {CLASS}'),
    "port 0": ({"httpPort": 0}, f".httpPort: 0 given; allowed: {PORT}"),
    "a negative port": ({"httpsPort": -443}, f".httpsPort: -443 given; allowed: {PORT}"),
    "port 65536": ({"httpsPort": 65536}, f".httpsPort: 65536 given; allowed: {PORT}"),
    "a port that is a text": ({"httpPort": "80"}, f'.httpPort: "80" given; allowed: {PORT}'),
    "equal ports": ({"httpPort": 443}, ": httpPort and httpsPort are both 443; allowed: two different ports"),
    "the registry's port": (
        {"httpPort": 32000},
        ".httpPort: 32000 is taken by inspiration:registry.nodePort; give one of them another port",
    ),
    "a name for an address": ({"address": "here"}, '.address: "here" given; allowed: an IP address'),
    "an address with a port": ({"address": "10.0.0.1:80"}, '.address: "10.0.0.1:80" given; allowed: an IP address'),
    "an address with a zone": ({"address": "fe80::1%eth0"}, '.address: "fe80::1%eth0" given; allowed: an IP address'),
    "an unknown passthrough": (
        {"passthrough": "ngnix"},
        f'.passthrough: "ngnix" given; allowed: {PASSTHROUGH}',
    ),
    "passthrough by a Gateway that isn't named": (
        {"passthrough": "gateway"},
        ": passthrough is gateway without a gateway; allowed: passthrough gateway and a gateway, or neither",
    ),
    "a Gateway that isn't used": (
        {"gateway": "infra/public"},
        ": passthrough is auto with a gateway, and routes is ingress; allowed: gateway for one of them, or no gateway",
    ),
    "unknown routes": ({"routes": "traefik"}, '.routes: "traefik" given; allowed: ingress, gateway'),
    "a Gateway without namespace": (
        {"passthrough": "gateway", "gateway": "public"},
        '.gateway: "public" given; allowed: a Gateway, namespace/name',
    ),
}


@pytest.mark.parametrize(("ingress", "expected"), INGRESS.values(), ids=INGRESS)
def test_ingress(ingress: Any, expected: str) -> None:
    assert problems({"ingress": ingress}) == [f"ingress{expected}"]


OTHERS: dict[str, tuple[str, Any, str]] = {
    "a node port below the range": ("registry", {"nodePort": 29999}, ".nodePort: 29999 given; allowed: {}"),
    "a node port above the range": ("registry", {"nodePort": 32768}, ".nodePort: 32768 given; allowed: {}"),
    "a node port that is a text": ("registry", {"nodePort": "32000"}, '.nodePort: "32000" given; allowed: {}'),
    "a registry without dot and port": ("registry", {"address": "me"}, f'.address: "me" given; allowed: {REGISTRY}'),
    "a registry with a scheme": (
        "registry",
        {"address": "https://ghcr.io"},
        f'.address: "https://ghcr.io" given; allowed: {REGISTRY}',
    ),
    "a registry with a capital": (
        "registry",
        {"address": "GHCR.io/me"},
        f'.address: "GHCR.io/me" given; allowed: {REGISTRY}',
    ),
    "a registry that ends in a slash": (
        "registry",
        {"address": "ghcr.io/"},
        f'.address: "ghcr.io/" given; allowed: {REGISTRY}',
    ),
    "a registry with a tag": (
        "registry",
        {"address": "ghcr.io/me:1"},
        f'.address: "ghcr.io/me:1" given; allowed: {REGISTRY}',
    ),
    "a registry whose port is too high": (
        "registry",
        {"address": "localhost:65536"},
        '.address: "localhost:65536" has no port from 1 to 65535 in it; correct the port',
    ),
    "an unknown key of the registry": (
        "registry",
        {"host": "x"},
        ".host: unknown key; allowed: nodePort, address",
    ),
    "an authority without a name": (
        "certificateAuthority",
        {"commonName": ""},
        '.commonName: "" given; allowed: 1 to 64 printable ASCII characters',
    ),
    "an authority with a name that is too long": (
        "certificateAuthority",
        {"commonName": "a" * 65},
        f'.commonName: "{"a" * 58}… given; allowed: 1 to 64 printable ASCII characters',
    ),
    "a certificate without key": (
        "certificateAuthority",
        {"certificate": "x"},
        ": certificate and privateKey belong together; allowed: both of them, or neither",
    ),
    "a key without certificate": (
        "certificateAuthority",
        {"privateKey": "x"},
        ": certificate and privateKey belong together; allowed: both of them, or neither",
    ),
    "a key that is no text": (
        "certificateAuthority",
        {"privateKey": ["MIGHAgEAMBMGByqGSM49"]},
        ".privateKey: [secret] given; allowed: the unencrypted private key of certificate, PEM",
    ),
}


@pytest.mark.parametrize(("key", "value", "expected"), OTHERS.values(), ids=OTHERS)
def test_registry_and_certificate_authority(key: str, value: Any, expected: str) -> None:
    assert problems({key: value}) == [f"{key}{expected.format('a NodePort, 30000 to 32767')}"]


def test_a_port_of_the_registry_is_free_where_the_registry_is_another() -> None:
    config = {"ingress": {"httpPort": 32000}, "registry": {"address": "ghcr.io/me"}, "addons": {"registry": False}}
    assert load(config).ingress.http_port == 32000


@pytest.mark.parametrize(
    "address", ["localhost", "localhost:5000", "ghcr.io/me/sites", "registry:5000", "10.0.0.1:5000", "a-b.example/c_d"]
)
def test_good_registries(address: str) -> None:
    assert load({"registry": {"address": address}}).registry.address == address
