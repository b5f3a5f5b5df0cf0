"""Pods that stay together though there is another node now: Kubernetes spreads new ones only."""

from __future__ import annotations

from typing import Any

from embedded.cluster.kubectl import Kubectl

OF_STACKS = "app.kubernetes.io/part-of=inspiration"
SECONDS = 180


def spread(kubectl: Kubectl) -> list[str]:
    """Give new pods to the stack's Deployments whose pods are all on one node, if they lose nothing by that.

    Returns:
        Their names, as ``namespace/name``.

    Raises:
        Failure: The new pods don't become ready; the old ones go on.
    """
    pods = kubectl.objects("pods", "--all-namespaces", f"--selector={OF_STACKS}")
    moved = [
        (each["metadata"]["namespace"], each["metadata"]["name"])
        for each in kubectl.objects("deployments", "--all-namespaces", f"--selector={OF_STACKS}")
        if _loses_nothing(each["spec"]) and len(_nodes(each, pods)) == 1
    ]
    for verb, *options in (("restart",), ("status", f"--timeout={SECONDS}s")):
        for namespace, name in moved:
            kubectl.run("rollout", verb, f"deployment/{name}", f"--namespace={namespace}", *options)
    return [f"{namespace}/{name}" for namespace, name in moved]


def _loses_nothing(spec: dict[str, Any]) -> bool:
    unavailable = (spec["strategy"].get("rollingUpdate") or {}).get("maxUnavailable")
    return bool(spec["replicas"] > 1 and unavailable == 0 and spec["template"]["spec"].get("topologySpreadConstraints"))


def _nodes(deployment: dict[str, Any], pods: list[dict[str, Any]]) -> set[str]:
    wanted = deployment["spec"]["selector"]["matchLabels"].items()
    return {
        pod["spec"]["nodeName"]
        for pod in pods
        if pod["metadata"]["namespace"] == deployment["metadata"]["namespace"]
        and wanted <= pod["metadata"]["labels"].items()
        and pod["spec"].get("nodeName")
    }
