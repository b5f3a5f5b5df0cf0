"""``script/promote`` and ``script/abort``: how the trial of a site's new version ends."""

from __future__ import annotations

import sys

from embedded.commands import deployment
from embedded.commands.releases import DEPLOYMENT, SHORT, digest, key_of, update
from embedded.errors import Failure
from embedded.health.api import Api
from embedded.health.deployed import Json, components
from embedded.stack import STACK
from settings.releases import CONTENT, is_canary, noted


def promote(site: str, *, stack: str | None) -> int:
    """Have the version that a part of the requests gets serve all of them; run `pulumi up`.

    Raises:
        Failure: There is no such site or version, or it can't be done.
    """
    namespace, api, trial = _trial(site, stack)
    content = noted(trial)[CONTENT]
    key, name = key_of(site, "promoted", stack), stack or STACK
    deployment.pulumi("config", "set", "--stack", name, "--path", key, content)
    update(f"{site}: {content} for all requests", key, "put them right and run `pulumi up`", stack)
    deployment.pulumi("config", "rm", "--stack", name, "--path", key)
    if newer := _running(api, namespace):
        raise Failure(
            f"{site} has changed since {content} was deployed: {noted(newer)[CONTENT]} gets a part of the requests now",
            fix=f"script/promote {site} when that has proved itself, or script/abort {site}",
        )
    return 0


def abort(site: str, *, stack: str | None) -> int:
    """Have the version from before serve all requests again, and stay whatever the folder says; run `pulumi up`.

    Raises:
        Failure: There is no such site or version, or it can't be done.
    """
    namespace, api, _ = _trial(site, stack)
    runs = api.get(DEPLOYMENT, namespace, site)
    stable = digest(runs) if runs else None
    if stable is None:
        raise Failure(f"{site} runs no image by digest", fix="run `pulumi up`")
    key = key_of(site, "release", stack)
    deployment.pulumi("config", "set", "--stack", stack or STACK, "--path", key, stable)
    again = f"script/rollback {site} --undo"
    said = f"{site}: release {stable.partition(':')[2][:SHORT]} for all requests"
    update(said, key, f"{again} takes it back", stack)
    sys.stdout.write(f"{again} tries what its folder says again\n")
    return 0


def _trial(site: str, stack: str | None) -> tuple[str, Api, Json]:
    """Return the namespace of a site, the API server, and the Deployment of the version that is tried.

    Raises:
        Failure: There is none.
    """
    namespace = deployment.site_namespace(site, components(deployment.running(stack)), stack)
    with deployment.explained():
        api = deployment.api_server(stack)
        trial = _running(api, namespace)
    if trial is None:
        raise Failure(
            f"{site} has no version that only a part of the requests gets",
            fix="set sites[…].canary, change the site and run `pulumi up`",
        )
    return namespace, api, trial


def _running(api: Api, namespace: str) -> Json | None:
    return next(filter(is_canary, api.objects(DEPLOYMENT, namespace)), None)
