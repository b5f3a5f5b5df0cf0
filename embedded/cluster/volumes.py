"""Volumes that are folders of a node, and their way to the first one when their node goes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

from embedded import files
from embedded.cluster import plan
from embedded.cluster.kubectl import Kubectl
from embedded.cluster.plan import Files

HOSTNAME = "kubernetes.io/hostname"
"""The label that says which node it is."""


def nodes_of(volume: dict[str, Any]) -> set[str]:
    """Names of the nodes that a volume is tied to; none where any node may have it."""
    required = ((volume["spec"].get("nodeAffinity") or {}).get("required") or {}).get("nodeSelectorTerms") or ()
    return {
        value
        for term in required
        for expression in term.get("matchExpressions") or ()
        if expression["key"] == HOSTNAME and expression["operator"] == "In"
        for value in expression["values"]
    }


def folder_of(volume: dict[str, Any]) -> Path | None:
    """Where a volume is below :data:`plan.VOLUMES`, if it is there, as those of the addon ``storage`` are."""
    place = volume["spec"].get("hostPath") or volume["spec"].get("local") or {}
    path = Path(place.get("path", "/"))
    return path.relative_to(plan.VOLUMES) if path.is_relative_to(plan.VOLUMES) else None


def claim_of(volume: dict[str, Any]) -> str:
    """Namespace and name of the claim that a volume is bound to, or its own name."""
    claim = volume["spec"].get("claimRef")
    return f"{claim['namespace']}/{claim['name']}" if claim else str(volume["metadata"]["name"])


def on(nodes: Collection[str], kubectl: Kubectl) -> list[dict[str, Any]]:
    """Return the volumes that are tied to nodes that all go.

    Raises:
        Failure: There is no answer.
    """
    listed = kubectl.objects("persistentvolumes")
    return [volume for volume in listed if (tied := nodes_of(volume)) and tied <= set(nodes)]


def move(volume: dict[str, Any], source: Files, target: Files, kubectl: Kubectl, *, dead: bool) -> None:
    """Move a volume to the first node. The pods that use it end, and others come in their place when it is there.

    What a PersistentVolume is tied to can't be changed, so it is made anew. Its claim has lost it for a moment; it is
    bound to it again when one of the same name is there that knows it.

    Args:
        volume: Its object.
        source: Where its node keeps what it has.
        target: The same of the first node.
        kubectl: Of the cluster.
        dead: Nobody on its node tells that a pod has ended: nothing runs there.

    Raises:
        Failure: The API server refuses it; another call goes on from there.
    """
    name, folder = volume["metadata"]["name"], folder_of(volume)
    assert folder is not None  # noqa: S101 - others are refused
    terms = [{"matchExpressions": [{"key": HOSTNAME, "operator": "In", "values": [plan.NODE]}]}]
    moved = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {key: volume["metadata"].get(key) for key in ("name", "labels", "annotations")},
        "spec": {**volume["spec"], "nodeAffinity": {"required": {"nodeSelectorTerms": terms}}},
    }
    # For a call that is killed: then nobody else knows of it.
    kept = target.state / f"volume-{name}.json"
    files.replace(kept, json.dumps(moved), 0o600)
    _end_pods(volume, kubectl, ["--force", "--grace-period=0"] if dead else [])
    if (source.data / "volumes" / folder).exists():
        (target.data / "volumes" / folder).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.move(source.data / "volumes" / folder, target.data / "volumes" / folder)
    kubectl.run("delete", "persistentvolume", name, "--wait=false")
    # It is kept for its claim as long as this is there.
    kubectl.run("patch", "persistentvolume", name, "--type=merge", '--patch={"metadata": {"finalizers": null}}')
    kubectl.run("wait", "--for=delete", f"persistentvolume/{name}", "--timeout=30s")
    _make(kept, kubectl)


def finish(target: Files, kubectl: Kubectl) -> None:
    """Make the volumes that calls which were killed have left without one; others are moved once more.

    Raises:
        Failure: The API server refuses one.
    """
    there = {each["metadata"]["name"] for each in kubectl.objects("persistentvolumes")}
    for kept in target.state.glob("volume-*.json"):
        if kept.stem.removeprefix("volume-") in there:
            kept.unlink()
        else:
            _make(kept, kubectl)


def _end_pods(volume: dict[str, Any], kubectl: Kubectl, options: list[str]) -> None:
    claim = volume["spec"].get("claimRef")
    if claim is None:
        return
    namespace = f"--namespace={claim['namespace']}"
    users = [
        pod["metadata"]["name"]
        for pod in kubectl.objects("pods", namespace)
        if pod["spec"].get("nodeName") in nodes_of(volume)
        and any(
            (each.get("persistentVolumeClaim") or {}).get("claimName") == claim["name"]
            for each in pod["spec"].get("volumes") or ()
        )
    ]
    if users:
        kubectl.run("delete", "pods", *users, namespace, "--ignore-not-found", "--timeout=120s", *options)


def _make(kept: Path, kubectl: Kubectl) -> None:
    kubectl.run("apply", "--server-side", "--filename=-", given=json.loads(kept.read_text()))
    kept.unlink()
