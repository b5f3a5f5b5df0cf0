"""The releases of sites: what Deployments say of where they come from, and whether images are still there."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import urllib3

from components.manifests import COMPONENT
from components.site.options import CANARY, SiteOptions
from settings import Settings, SettingsError
from settings.answers import await_release
from settings.cluster_facts import ClusterFacts
from settings.problems import qualified

if TYPE_CHECKING:  # importing them takes a while, and commands need neither
    from components.site.component import Release, Version
    from components.site.image import SiteImage

CONTENT, COMMIT = "inspiration/content", "inspiration/commit"
"""Annotations of a site's Deployment: the hash of what its image was built from, and git's commit of that.

Kubernetes copies them to the ReplicaSet of each release.
"""
UNCOMMITTED = "-dirty"
"""What git adds where files differ from the commit."""
MANIFESTS = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
SECONDS = 3
"""For a registry to say whether it has an image."""


def released(
    site: SiteOptions, built: SiteImage, settings: Settings, facts: ClusterFacts, ask: Callable[[str], Any]
) -> Release:
    """Return what runs of a ``site`` that is built, or was built earlier; and beside it, if that is tried first.

    Raises:
        SettingsError: The API server doesn't answer to ``ask``.
    """
    recorded = record(site, settings.namespace(site.name), built.content, facts, ask)
    if stable := _stable(site, recorded, facts):
        return {**stable, "canary": {"image": built.image, "recorded": recorded}, "answered": None}
    says = built.says_release and settings.ingress.confirm and not site.basic_auth
    answered = partial(await_release, recorded[CONTENT], settings.ingress) if says and CONTENT in recorded else None
    return {"image": built.image, "recorded": recorded, "answered": answered}


def _stable(site: SiteOptions, recorded: Mapping[str, str], facts: ClusterFacts) -> Version | None:
    """Return what runs and goes on running, while a part of the requests is for what has been built; ``None``: none."""
    known = _known(facts.recorded.get(site.name, {}))
    if not site.canary or site.release or CONTENT not in known:
        return None
    if recorded[CONTENT] in (known[CONTENT], site.promoted):
        return None
    return {"image": facts.images[site.name], "recorded": known}


def record(
    site: SiteOptions, namespace: str, content: str, facts: ClusterFacts, ask: Callable[[str], Any]
) -> Mapping[str, str]:
    """Return the annotations of the Deployment of a ``site`` in ``namespace`` whose folder has the hash ``content``.

    While the content stays the same, so does what was recorded of it: to commit it is no change. An earlier release has
    what was recorded of it then, which ``ask`` has the API server say.

    Raises:
        SettingsError: It doesn't answer.
    """
    if site.release:
        replica_sets = (ask(f"/apis/apps/v1/namespaces/{namespace}/replicasets") or {})["items"]
        known = _known(next((noted(each) for each in replica_sets if _runs(each, site.release)), {}))
        others = {noted(each).get(CONTENT) for each in replica_sets if not _runs(each, site.release)}
        # Who sets an image by hand has Kubernetes copy the record of the release before to that of the image.
        return {} if known.get(CONTENT) in others else known
    recorded = facts.recorded.get(site.name, {})
    if recorded.get(CONTENT) == content:
        return _known(recorded)
    commit = commit_of(Path(site.source))
    return {CONTENT: content, **({COMMIT: commit} if commit else {})}


def is_canary(workload: Mapping[str, Any]) -> bool:
    """Tell whether it gets a part of its site's requests only."""
    return bool(workload["metadata"].get("labels", {}).get(COMPONENT) == CANARY)


def noted(described: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the annotations of an object."""
    return described["metadata"].get("annotations") or {}


def _runs(replica_set: Mapping[str, Any], digest: str) -> bool:
    containers = replica_set["spec"]["template"]["spec"]["containers"]
    return any(container["image"].endswith(f"@{digest}") for container in containers)


def _known(annotations: Mapping[str, str]) -> Mapping[str, str]:
    return {key: annotations[key] for key in (CONTENT, COMMIT) if key in annotations}


def commit_of(folder: Path) -> str | None:
    """Return the last commit of git that changed ``folder``, and whether it is as committed; ``None``: git has none."""
    commit = _git(folder, "log", "-1", "--format=%H", "--", ".")
    return commit and commit + (UNCOMMITTED if _git(folder, "status", "--porcelain", "--", ".") else "")


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def refuse_gone(settings: Settings) -> None:
    """Refuse releases whose images the registry hasn't got, as far as it can be asked from here.

    Raises:
        SettingsError: With each of them.
    """
    problems = [
        f"{qualified(f'sites[{index}].release')}: the registry {settings.registry.address} has no image "
        f"{settings.image(site.name)}@{site.release}; name another release (script/releases {site.name}), or remove "
        "the option"
        for index, site in enumerate(settings.sites)
        if site.release and is_gone(settings.registry.address, settings.image(site.name), site.release)
    ]
    if problems:
        raise SettingsError(problems)


def api_of(server: str) -> str:
    """Return where a registry has its API, ``https://ghcr.io/v2``."""
    # What docker takes for insecure by itself.
    scheme = "http" if server.partition(":")[0] in ("localhost", "127.0.0.1") else "https"
    return f"{scheme}://{'registry-1.docker.io' if server == 'docker.io' else server}/v2"


def is_gone(registry: str, repository: str, digest: str) -> bool:
    """Whether a registry says that it hasn't an image; not, where it doesn't say anything to this machine."""
    server, _, prefix = registry.partition("/")
    path = "/".join(filter(None, (prefix, repository)))
    with urllib3.PoolManager(retries=False, timeout=SECONDS) as http:
        try:
            answer = http.request(
                "HEAD",
                f"{api_of(server)}/{path}/manifests/{digest}",
                headers={"Accept": MANIFESTS},
                redirect=False,
            )
        except urllib3.exceptions.HTTPError:
            return False
    return answer.status == 404
