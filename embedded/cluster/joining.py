"""How the kubelet of a further node gets its certificates: as with kubeadm, by a token that is good for that only.

With the token it asks for a client's certificate, which the controller manager approves and signs. With this it asks
for the one that it serves with; that, nobody approves who can't know where the node is: we do.
"""

from __future__ import annotations

import base64
import secrets
import string
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from embedded.cluster import configuration
from embedded.cluster.access import JOINING
from embedded.cluster.kubectl import Kubectl
from embedded.cluster.plan import Files, Node

SERVING = "kubernetes.io/kubelet-serving"
TOKEN_LIFETIME = timedelta(minutes=30)
"""Of one that nobody could take back."""
_LETTERS = string.ascii_lowercase + string.digits


def is_joined(files: Files) -> bool:
    """Tell whether a node's kubelet has a client's certificate of the cluster's authority, which hasn't expired."""
    try:
        text = (files.pki / "kubelet-client-current.pem").read_bytes()
        certificate, ca = (x509.load_pem_x509_certificate(each) for each in (text, (files.pki / "ca.crt").read_bytes()))
        certificate.verify_directly_issued_by(ca)
    except (OSError, ValueError, TypeError, InvalidSignature):
        return False
    return certificate.not_valid_after_utc > datetime.now(UTC) and (files.config / "kubelet.kubeconfig").exists()


def invite(files: Files, kubectl: Kubectl) -> str:
    """Make a bootstrap token for a node, which has it from its kubeconfig, and return the name of the Secret.

    Raises:
        Failure: There is no answer.
    """
    token_id, secret = ("".join(secrets.choice(_LETTERS) for _ in range(length)) for length in (6, 16))
    name = f"bootstrap-token-{token_id}"
    values = {
        "token-id": token_id,
        "token-secret": secret,
        "expiration": (datetime.now(UTC) + TOKEN_LIFETIME).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "usage-bootstrap-authentication": "true",
        "auth-extra-groups": JOINING,
    }
    kubectl.run(
        "create",
        "--filename=-",
        given={
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": "kube-system"},
            "type": "bootstrap.kubernetes.io/token",
            "data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()},
        },
    )
    # What it has asked for before was of another authority, or has expired.
    for path in (files.config / "kubelet.kubeconfig", *files.pki.glob("kubelet-*")):
        path.unlink(missing_ok=True)
    configuration.write_bootstrap(files, f"{token_id}.{secret}")
    return name


def close(files: Files, kubectl: Kubectl, name: str) -> None:
    """Take a token back."""
    files.bootstrap_kubeconfig.unlink(missing_ok=True)
    kubectl.run("delete", "secret", name, "--namespace=kube-system", "--ignore-not-found")


def is_serving(files: Files) -> bool:
    """Tell whether a node's kubelet has the certificate that it serves with."""
    return (files.pki / "kubelet-server-current.pem").exists()


def approve(kubectl: Kubectl, nodes: Sequence[Node]) -> None:
    """Approve what the kubelets of nodes want to serve with, where it names nothing but the node.

    Raises:
        Failure: There is no answer.
    """
    by_user = {f"system:node:{node.name}": node for node in nodes}
    wanted = kubectl.objects("certificatesigningrequests")
    if names := [each["metadata"]["name"] for each in wanted if _is_good(each, by_user.get(each["spec"]["username"]))]:
        kubectl.run("certificate", "approve", *names)


def _is_good(request: dict[str, Any], node: Node | None) -> bool:
    if node is None or request["spec"]["signerName"] != SERVING or request.get("status"):
        return False
    asked = x509.load_pem_x509_csr(base64.b64decode(request["spec"]["request"]))
    try:
        names = asked.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    return {str(name.value) for name in names} <= {node.name, node.address}
