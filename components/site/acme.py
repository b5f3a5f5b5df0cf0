"""The certificate that an ACME authority issues for a site, by cert-manager."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import pulumi
from pulumi import ErrorHook, ErrorHookArgs, ResourceHookBinding

from components.kinds import KubernetesObject
from components.manifests import Manifest, metadata

DEADLINE = "90s"
"""What isn't issued by then is an error within two minutes, the reason included."""

Ask: TypeAlias = Callable[[str], Any]
"""Asks the API server for the document at a path: a map, or something else where it can't be had."""


def issue(
    name: str,
    ns: pulumi.Input[str],
    hosts: Sequence[str],
    issuer: pulumi.Input[str],
    ask: Ask | None,
    child: pulumi.ResourceOptions,
) -> pulumi.Output[str]:
    """Have a certificate issued, and return the name of its Secret; known once that has a certificate for all hosts.

    Until then the Secret keeps what it has: cert-manager writes it when a new certificate is there, and renews that by
    itself.

    Args:
        name: Name of the site.
        ns: Its namespace.
        hosts: DNS names that it is valid for.
        issuer: ClusterIssuer of the authority.
        ask: Has the API server tell why it isn't issued; default: only that it isn't is said.
        child: Pulumi's options of the Certificate, with its parent.
    """
    awaited = pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(create=DEADLINE, update=DEADLINE))
    if ask is not None:
        awaited.hooks = ResourceHookBinding(on_error=[ErrorHook(f"{name}-acme", _explained(name, ask))])
    certificate = KubernetesObject(
        f"{name}-acme", **certificate_args(name, ns, hosts, issuer), opts=pulumi.ResourceOptions.merge(child, awaited)
    )
    return certificate.id.apply(lambda _: secret_name(name))


def secret_name(name: str) -> str:
    """Return the name of the Secret of the site ``name``: another one than that of the stack's authority.

    So that one goes on serving until this has a certificate.
    """
    return f"{name}-acme-tls"


def certificate_args(name: str, ns: pulumi.Input[str], hosts: Sequence[str], issuer: pulumi.Input[str]) -> Manifest:
    """Return the Certificate of a site.

    Source: https://cert-manager.io/docs/reference/api-docs/#cert-manager.io/v1.Certificate
    """
    return {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": {**metadata(name, ns, "site"), "annotations": {"pulumi.com/waitFor": "condition=Ready"}},
        "spec": {
            "secretName": secret_name(name),
            "dnsNames": list(hosts),
            "issuerRef": {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": issuer},
            "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
        },
    }


def _explained(name: str, ask: Ask) -> Callable[[ErrorHookArgs], bool]:
    def explain(failed: ErrorHookArgs) -> bool:
        inputs = failed.new_inputs or {}
        if inputs:
            for reason in reasons(ask, inputs["metadata"]["namespace"], name, inputs["spec"]["issuerRef"]["name"]):
                pulumi.log.error(f"tls: acme of the site {name}: {reason}")
        # What cert-manager does by itself, and `pulumi up` waits for when it is run again.
        return False

    return explain


def reasons(ask: Ask, ns: str, name: str, issuer: str) -> list[str]:
    """Return why the Certificate ``name`` in the namespace ``ns`` isn't ready, one line each, and what to do."""
    where = f"/apis/acme.cert-manager.io/v1/namespaces/{ns}"
    certificates = f"/apis/cert-manager.io/v1/namespaces/{ns}/certificates/{name}"
    found = (
        list(_of_issuer(ask(f"/apis/cert-manager.io/v1/clusterissuers/{issuer}")))
        or list(_of_challenges(ask(f"{where}/challenges")))
        or list(_of_orders(ask(f"{where}/orders")))
        or list(_of_certificate(ask(certificates)))
    )
    return [" ".join(each.split()) for each in found]


def _of_issuer(issuer: Any) -> Iterator[str]:
    for condition in _conditions(issuer):
        if condition.get("type") == "Ready" and condition.get("status") != "True":
            yield f"the authority can't be asked: {condition.get('message')}; correct its server or caBundle"


def _of_challenges(challenges: Any) -> Iterator[str]:
    for challenge in _items(challenges):
        status = challenge.get("status") or {}
        if status.get("state") != "valid" and status.get("reason"):
            yield (
                f"no certificate for {challenge['spec']['dnsName']}: {status['reason']}; the name has to lead to the "
                "ingress controller, on port 80"
            )


def _of_orders(orders: Any) -> Iterator[str]:
    for order in _items(orders):
        status = order.get("status") or {}
        if status.get("state") in ("errored", "invalid") and status.get("reason"):
            hosts = ", ".join(order["spec"].get("dnsNames") or [])
            yield (
                f"no certificate for {hosts}: {status['reason']}; cert-manager asks again within an hour, and at once "
                "when hosts are changed"
            )


def _of_certificate(certificate: Any) -> Iterator[str]:
    for condition in _conditions(certificate):
        if condition.get("message") and (condition.get("type"), condition.get("status")) != ("Ready", "True"):
            yield f"no certificate yet: {condition['message']}; see the log of cert-manager"


def _items(answer: Any) -> list[Mapping[str, Any]]:
    return list(answer.get("items") or []) if isinstance(answer, dict) else []


def _conditions(answer: Any) -> list[Mapping[str, Any]]:
    return list((answer.get("status") or {}).get("conditions") or []) if isinstance(answer, dict) else []
