"""The first ``pulumi up`` of the full stack on an empty cluster, and ``destroy``, against kubectl with the same.

Both build the image and push it to the registry that they have just deployed. kubectl gets its certificates and
passwords ready-made; Pulumi makes new ones.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from bench import manifests, pages
from bench.copies import wait_for_page
from bench.figures import ratio, summary
from bench.interleaving import interleaved
from bench.session import DESTROY, UP, Session

IMAGE = "localhost:32000/inspiration:bench"

AWAIT = """\
kubectl get deployments,daemonsets --all-namespaces --no-headers \\
  --output custom-columns=:metadata.namespace,:kind,:metadata.name | while read -r namespace kind name; do
  kubectl rollout status "$kind/$name" --namespace "$namespace"
done
kubectl wait ingress --all --all-namespaces --for=jsonpath='{.status.loadBalancer.ingress}'
"""
"""Waits until all that has been applied is ready."""
APPLY = f"""\
kubectl apply --filename first.yaml
kubectl rollout status deployment/registry --namespace container-registry
until curl --silent --output /dev/null http://localhost:32000/v2/; do sleep 0.1; done
docker build --quiet --tag {IMAGE} $pages "$site"
docker push --quiet {IMAGE}
kubectl apply --filename site.yaml
{AWAIT}"""
"""What needs the image comes when that is there: a pod that can't pull waits longer and longer.

A NodePort answers a moment after the pods behind it are ready; docker doesn't wait for that.
"""
DELETE = "kubectl delete --filename site.yaml --filename first.yaml"
TIDY = "kubectl delete persistentvolumes --all"
"""Of the volumes, whose provisioner kubectl deletes along with the claims."""


def measure(session: Session) -> dict[str, dict[str, Any]]:
    """Return the seconds of both ways, there and back."""
    session.have_stack()
    pages.provide(session)
    folder = session.folder("lifecycle")
    objects, resources = session.objects(), session.resources()
    _prepare(objects, folder)
    session.shell.environment["site"] = str(session.project / "site")
    removal: dict[str, list[float]] = {"pulumi": [], "kubectl": []}
    session.shell.run(DESTROY, session.project)
    ways: dict[str, Callable[[int], float | None]] = {
        "pulumi": partial(_by_pulumi, session, removal["pulumi"]),
        "kubectl": partial(_by_kubectl, session, folder, removal["kubectl"]),
    }
    deployment = interleaved(ways, session.runs)
    size = {"objects": len(objects), "resources": resources}
    return {"first-up": {**size, **compared(deployment)}, "destroy": {**size, **compared(removal)}}


def compared(seconds: dict[str, list[float]]) -> dict[str, Any]:
    """Return the seconds of both ways, and their ratio."""
    return {
        "seconds": {way: summary(values) for way, values in seconds.items()},
        "values": seconds,
        "ratio": ratio(seconds["pulumi"], seconds["kubectl"]),
    }


def _by_pulumi(session: Session, removal: list[float], _turn: int) -> float:
    seconds = _served(session, UP, session.project)
    removal.append(session.shell.seconds(DESTROY, session.project))
    return seconds


def _by_kubectl(session: Session, folder: Path, removal: list[float], _turn: int) -> float:
    seconds = _served(session, APPLY, folder)
    removal.append(session.shell.seconds(DELETE, folder))
    session.shell.run(TIDY, folder)
    return seconds


def _served(session: Session, script: str, folder: Path) -> float:
    seconds = session.shell.seconds(script, folder)
    wait_for_page()
    return seconds


def _prepare(objects: list[manifests.Manifest], folder: Path) -> None:
    """Write what needs the site's image apart from all else."""
    site = [each for each in manifests.of_site(objects, "inspiration") if each["kind"] == "Deployment"]
    first = [each for each in objects if each not in site]
    manifests.write(first, folder / "first.yaml")
    for deployment in site:
        deployment["spec"]["template"]["spec"]["containers"][0]["image"] = IMAGE
    manifests.write(site, folder / "site.yaml")
