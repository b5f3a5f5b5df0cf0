"""Private keys in the inputs of resources."""

import base64
from collections.abc import Mapping
from typing import Any

import pytest
from pulumi_policy import ResourceValidationArgs
from pulumi_policy.deserialize import SPECIAL_SECRET_SIG, SPECIAL_SIG_KEY, deserialize_properties
from pulumi_policy.policy import PolicyCustomTimeouts, PolicyResourceOptions
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE

from policy.private_keys import PrivateKeys, holds_key

SECRET = "kubernetes:core/v1:Secret"


def pem(label: str) -> str:
    """Return what looks like a key, and is none."""
    return f"-----BEGIN {label}-----\n{base64.b64encode(bytes(range(48))).decode()}\n-----END {label}-----\n"


KEY = pem("PRIVATE KEY")
OPENSSL_KEY = pem("EC PRIVATE KEY")
PUBLIC = pem("CERTIFICATE")
OPTIONS = PolicyResourceOptions(False, [], None, [], PolicyCustomTimeouts(0, 0, 0), [])


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def secret(value: Any) -> dict[str, Any]:
    """Return ``value`` as the engine marks a secret."""
    return {SPECIAL_SIG_KEY: SPECIAL_SECRET_SIG, "value": value}


def reported(resource_type: str, inputs: Mapping[str, Any], remediated: bool = True) -> list[str]:
    """What is reported of a resource; ``inputs`` as they come from the engine, which asks for a remediation first."""
    policy, found = PrivateKeys(), []

    def arguments(keep_secrets: bool) -> ResourceValidationArgs:
        return ResourceValidationArgs(
            resource_type, deserialize_properties(dict(inputs), keep_secrets), "urn", "web", OPTIONS, None
        )

    if remediated:
        policy.remediate(arguments(keep_secrets=True))
    policy.validate(arguments(keep_secrets=False), lambda message, _: found.append(message))
    return found


@pytest.mark.parametrize("text", [KEY, OPENSSL_KEY, f"{PUBLIC}{KEY}", encoded(KEY), encoded(PUBLIC + OPENSSL_KEY)])
def test_a_private_key_is_recognised(text: str) -> None:
    assert holds_key(text)
    assert holds_key(f"users:\n- user:\n    client-key-data: {text}\n")


@pytest.mark.parametrize("text", ["", PUBLIC, encoded(PUBLIC), "LS0tLS1CRUdJTi", "keep your PRIVATE KEY safe"])
def test_other_texts_are_not(text: str) -> None:
    assert not holds_key(text)


@pytest.mark.parametrize(
    "inputs",
    [
        {"type": "kubernetes.io/tls", "data": secret({"tls.key": encoded(KEY)})},
        {"type": "kubernetes.io/tls", "data": {"tls.key": secret(encoded(KEY))}},
        {"type": "kubernetes.io/tls", "stringData": secret({"tls.key": UNKNOWN_STRING_VALUE})},
        {"type": "kubernetes.io/tls", "data": {"tls.crt": encoded(PUBLIC)}},
        {"type": "Opaque", "stringData": {"tls.key": "no key at all"}},
    ],
)
def test_a_secret_that_pulumi_knows_of_is_fine(inputs: dict[str, Any]) -> None:
    assert reported(SECRET, inputs) == []


@pytest.mark.parametrize(
    ("inputs", "path"),
    [
        ({"type": "kubernetes.io/tls", "data": {"tls.key": encoded(KEY)}}, "data.tls.key"),
        ({"type": "kubernetes.io/tls", "stringData": {"tls.key": "anything"}}, "stringData.tls.key"),
        ({"type": "kubernetes.io/tls", "data": {"tls.key": UNKNOWN_STRING_VALUE}}, "data.tls.key"),
        ({"type": "Opaque", "stringData": {"id_rsa": OPENSSL_KEY}}, "stringData.id_rsa"),
    ],
)
def test_a_plain_key_in_a_secret_is_reported(inputs: dict[str, Any], path: str) -> None:
    assert reported(SECRET, inputs) == [
        f"Secret web: {path} is a private key in plain text in Pulumi's state; use pulumi.Output.secret"
    ]


def test_a_key_in_another_object_is_reported_though_pulumi_knows() -> None:
    found = reported("kubernetes:core/v1:ConfigMap", {"data": secret({"config": f"key: {KEY}"})})
    assert found == [
        "ConfigMap web: data.config shows a private key to all who may read the object; move it to a Secret"
    ]
    pod = {"spec": {"containers": [{"name": "web", "env": [{"name": "KEY", "value": KEY}]}]}}
    assert reported("kubernetes:core/v1:Pod", pod) == [
        "Pod web: spec.containers.0.env.0.value shows a private key to all who may read the object; move it to a Secret"
    ]


def test_resources_of_other_providers_keep_keys_as_secrets() -> None:
    plain = {"caPrivateKeyPem": KEY}
    assert reported("tls:index/locallySignedCert:LocallySignedCert", plain) == [
        "LocallySignedCert web: caPrivateKeyPem is a private key in plain text in Pulumi's state; "
        "use pulumi.Output.secret"
    ]
    assert reported("tls:index/locallySignedCert:LocallySignedCert", {"caPrivateKeyPem": secret(KEY)}) == []


def test_what_the_engine_did_not_show_is_said() -> None:
    assert reported(SECRET, {}, remediated=False) == [
        "Secret web: what is secret can't be seen; leave the enforcement level of private-keys at remediate"
    ]
