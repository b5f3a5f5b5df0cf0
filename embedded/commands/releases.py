"""``script/releases`` and ``script/rollback``: what sites have run before, and back to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace

from rich.console import Console
from rich.table import Table

from embedded.commands import connection, deployment
from embedded.errors import Failure
from embedded.health.api import Api
from embedded.health.deployed import Json, Kind, components
from embedded.paths import PROJECT, STATE
from embedded.stack import STACK, Stack, project_name
from settings.releases import COMMIT, CONTENT, is_gone, noted

DEPLOYMENT, _REPLICA_SET = Kind("apps/v1", "Deployment"), Kind("apps/v1", "ReplicaSet")
_REVISION = "deployment.kubernetes.io/revision"
SHORT = 12
"""Digits of a digest, or of a commit, that are shown."""


@dataclass(frozen=True)
class Release:
    """An image that a site ran or runs."""

    digest: str
    """Of its image, ``sha256:…``."""
    since: str
    """When it was first deployed, as Kubernetes writes times."""
    running: bool
    content: str = ""
    """Hash of what it was built from."""
    commit: str = ""
    """The last commit that changed that, with ``-dirty`` if there were changes besides; empty: git knew of none."""
    repository: str = ""
    """What the image is called, without the digest."""
    gone: bool = False
    """Whether the registry says that the image has been deleted."""

    @property
    def name(self) -> str:
        """What it is called: the digits of the digest that are shown."""
        return self.digest.partition(":")[2][:SHORT]


def show(sites: Sequence[str], *, stack: str | None, as_json: bool) -> int:
    """Print the releases of sites, by default of all, newest first.

    Raises:
        Failure: There is no such site, or it can't be asked about.
    """
    deployed = components(deployment.running(stack))
    for site in sites:
        deployment.site_namespace(site, deployed, stack)
    namespaces = deployment.site_namespaces(deployed)
    with deployment.explained():
        api = deployment.api_server(stack)
        found = {name: checked(releases(api, name, namespaces[name])) for name in sites or namespaces}
    if as_json:
        document = {name: [asdict(each) for each in listed] for name, listed in found.items()}
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
        return 0
    console = Console(highlight=False)
    for name, listed in found.items():
        table = Table(box=None, pad_edge=False)
        for heading in (name, "deployed", "content", "commit"):
            table.add_column(heading)
        for each in listed:
            mark = f"{each.name} *" if each.running else f"{each.name} -" if each.gone else each.name
            commit, dirty, _ = each.commit.partition("-")
            table.add_row(mark, each.since, each.content, commit[:SHORT] + ("-dirty" if dirty else ""))
        console.print(table)
    console.print("* runs; script/rollback SITE RELEASE goes back to another one")
    if any(each.gone for listed in found.values() for each in listed):
        console.print("- its image has been deleted from the registry")
    return 0


def roll_back(site: str, release: str | None, *, stack: str | None, undo: bool) -> int:
    """Have a site run an earlier release, by default the one before, or again what its folder says; run `pulumi up`.

    Raises:
        Failure: There is no such site or release, or it can't be done.
    """
    namespace = deployment.site_namespace(site, components(deployment.running(stack)), stack)
    key = key_of(site, "release", stack)
    name = stack or STACK
    if undo:
        deployment.pulumi("config", "rm", "--stack", name, "--path", key)
        said = "what its folder says"
    else:
        with deployment.explained():
            known = checked(releases(deployment.api_server(stack), site, namespace))
        chosen = choose(site, known, release)
        deployment.pulumi("config", "set", "--stack", name, "--path", key, chosen.digest)
        said = f"release {chosen.name} of {chosen.since}, with the environment and options of now"
    update(f"{site}: {said}", key, f"script/rollback {site} --undo goes back to what the folder says", stack)
    return 0


def releases(api: Api, site: str, namespace: str) -> list[Release]:
    """Return the releases that the cluster still knows of a site in its namespace, newest first.

    What is said of several images is said of none: who sets an image by hand has Kubernetes copy the record of another.

    Raises:
        ApiError: They may not be seen.
    """
    live = api.get(DEPLOYMENT, namespace, site)
    running = digest(live) if live else None
    found: dict[str, Release] = {}
    sets = [each for each in api.objects(_REPLICA_SET, namespace) if _is_of(each, site)]
    for each in sorted(sets, key=_revision, reverse=True):
        if known := digest(each):
            annotations = noted(each)
            found.setdefault(
                known,
                Release(
                    known,
                    each["metadata"]["creationTimestamp"],
                    known == running,
                    annotations.get(CONTENT, ""),
                    annotations.get(COMMIT, ""),
                    _image(each).partition("@")[0],
                ),
            )
    said = Counter(each.content for each in found.values())
    return [each if said[each.content] == 1 else replace(each, content="", commit="") for each in found.values()]


def checked(listed: Iterable[Release]) -> list[Release]:
    """Return releases with what their registry says of their images."""

    def check(each: Release) -> Release:
        registry, _, path = each.repository.partition("/")
        return replace(each, gone=is_gone(registry, path, each.digest))

    with ThreadPoolExecutor() as pool:
        return list(pool.map(check, listed))


def choose(site: str, known: Sequence[Release], release: str | None) -> Release:
    """Return the release that begins with ``release``; ``None``: the newest one that doesn't run.

    Raises:
        Failure: There is none, or several, or its image is gone.
    """
    others = [each for each in known if not each.running and not each.gone]
    names = ", ".join(each.name for each in known if not each.gone) or "none"
    if release is None:
        if not others:
            raise Failure(f"{site} has no release but the one that runs", fix="deploy another one first")
        return others[0]
    digits = release.removeprefix("sha256:")
    matching = [each for each in known if digits and each.digest.partition(":")[2].startswith(digits)]
    if len(matching) != 1:
        what = "several releases that begin with" if matching else "no release"
        raise Failure(f"{site} has {what} {release}", fix=f"name one of {names}")
    if matching[0].gone:
        deleted = f"the image of {site}'s release {matching[0].name} has been deleted from the registry"
        raise Failure(deleted, fix=f"name one of {names}")
    return matching[0]


def _is_of(replica_set: Json, site: str) -> bool:
    owners = replica_set["metadata"].get("ownerReferences") or []
    return any(owner["kind"] == "Deployment" and owner["name"] == site for owner in owners)


def _revision(replica_set: Json) -> int:
    return int(noted(replica_set).get(_REVISION, 0))


def digest(workload: Json) -> str | None:
    """Return the digest of the image that a workload runs; ``None``: it runs none, or names it otherwise."""
    return _image(workload).partition("@")[2] or None


def _image(workload: Json) -> str:
    [container, *_] = workload["spec"]["template"]["spec"]["containers"]
    return str(container["image"])


def key_of(site: str, option: str, stack: str | None) -> str:
    """Return the key of an option of a site in the configuration, where the first one needs no name."""
    config = deployment.pulumi("config", "--json", "--stack", stack or STACK)
    listed = config.get(f"{project_name(PROJECT)}:sites", {}).get("objectValue") or [{}]
    names = [(each or {}).get("name") for each in listed]
    return f"sites[{names.index(site) if site in names else 0}].{option}"


def update(said: str, key: str, fix: str, stack: str | None) -> None:
    """Say what is done by ``key``, which has been changed, and run `pulumi up`.

    Raises:
        Failure: It fails, with ``fix``.
    """
    sys.stdout.write(f"{said}\n")
    sys.stdout.flush()
    if _up(stack):
        raise Failure(f"`pulumi up` failed: the reasons are above; {key} stays set", fix=fix)


def _up(stack: str | None) -> int:
    options = ("up", "--yes", "--skip-preview", "--stack", stack or STACK)
    if stack is None:
        return Stack(PROJECT, STATE, connection.remembered() or {}).run(*options)
    return subprocess.run(["pulumi", *options], cwd=PROJECT, env=dict(os.environ), check=False).returncode
