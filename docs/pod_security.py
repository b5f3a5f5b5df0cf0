"""The page about Pod Security, made from the policy pack's exemptions: ``.venv/bin/python -m docs.pod_security``."""

from pathlib import Path

from policy.exemptions import EXEMPTIONS

PAGE = Path(__file__).resolve().parent / "pod-security.md"
KUBERNETES_OWN = {
    "default": "The stack puts nothing there. What you put there yourself is yours to confine.",
    "kube-node-lease": "It has no pods.",
    "kube-public": "It has no pods.",
    "kube-system": (
        "It belongs to the cluster, not to the stack: on most clusters, pods there configure the node. The stack's own "
        "two programs there, CoreDNS and metrics-server, meet *restricted*; the other policies check that."
    ),
}
"""Namespaces that Kubernetes makes, and why the stack leaves them as they are."""

PRIVILEGED = {
    subject.removeprefix("Namespace "): reason for subject, reason in EXEMPTIONS["pod-security-restricted"].items()
}
"""The stack's namespaces that can't have the level *restricted*, and why."""


def page() -> str:
    """Return the page of today."""
    head = ["| namespace | why |", "|---|---|"]
    return "\n".join(
        [
            "# Pod Security",
            "",
            "Every namespace of the stack enforces a level of the [Pod Security Standards][standards], and warns and",
            "audits by it. The level is *restricted*: no root, no privileges, no host paths or namespaces, and a",
            "seccomp profile. The policy `pod-security-restricted` fails the preview of any other level, except in",
            "these namespaces:",
            "",
            *head,
            *(f"| `{name}` | {reason} |" for name, reason in sorted(PRIVILEGED.items())),
            "",
            "The namespace of a chart gets the level that its `podSecurity` names; the default is *restricted*.",
            "",
            "The stack leaves Kubernetes' own namespaces as they are:",
            "",
            *head,
            *(f"| `{name}` | {reason} |" for name, reason in KUBERNETES_OWN.items()),
            "",
            "[standards]: https://kubernetes.io/docs/concepts/security/pod-security-standards/",
            "",
        ]
    )


if __name__ == "__main__":
    PAGE.write_text(page())
