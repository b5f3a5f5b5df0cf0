"""``script/dev``: a site is served as its folder is, while somebody works on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console

from embedded import interruption
from embedded.commands import deployment
from embedded.commands.dev import lease
from embedded.commands.dev.objects import DEPLOYMENT, INGRESS, POLICY, ROUTE, Edited, host_of
from embedded.commands.dev.serving import Serving
from embedded.commands.dev.session import Session
from embedded.errors import Failure
from embedded.health.api import Api, ApiError
from embedded.health.deployed import Json, Kind, components
from embedded.paths import PROJECT
from embedded.stack import STACK, project_name
from settings import edited as folders

_CLAIM = Kind("v1", "PersistentVolumeClaim")
_AT_ONCE = "ended at once; the next script/dev takes away what is left in the cluster"


def edit(site: str | None, *, stack: str | None) -> int:
    """Serve a site as its folder is, and each save of a file, until somebody ends it.

    Args:
        site: Its name; by default, the only one that is built.
        stack: Name of a stack of the user's own; by default, that of the embedded cluster.

    Raises:
        Failure: There is no such site, or it can't be edited.
        KeyboardInterrupt: That is how it ends.
    """
    deployed = components(deployment.running(stack))
    config = deployment.pulumi("config", "--json", "--show-secrets", "--stack", stack or STACK)
    site = site or _only(deployment.site_namespaces(deployed), config, stack)
    namespace = deployment.site_namespace(site, deployed, stack)
    source = source_of(site, config)
    with deployment.explained():
        api = deployment.api_server(stack)
        routed = _ingress(config).get("routes") == "gateway"
        edited = found(api, namespace, site, pages=not folders.has_dockerfile(source), routed=routed)
        session = Session(Serving(api, edited), source, Console(highlight=False, soft_wrap=True))
        with lease.held(api, edited), _ended(session):
            session.begin()
            session.show(url_of(edited, config), _ingress_address(config))
            session.follow()
    return 0


def source_of(site: str, config: Json) -> str:
    """Return the folder of a site, as the stack's configuration has it.

    Raises:
        Failure: It has a ready image.
    """
    given = _configured(site, config)
    if given.get("image"):
        raise Failure(
            f"{site} has a ready image and no folder, so there is nothing to edit", fix="name a site with a folder"
        )
    return str(given.get("source") or "site")


def found(api: Api, namespace: str, site: str, *, pages: bool, routed: bool) -> Edited:
    """Return a site as the cluster has it; ``routed``: by the Gateway API.

    Raises:
        Failure: It isn't there.
        ApiError: It may not be seen.
    """
    live, way = api.get(DEPLOYMENT, namespace, site), api.get(ROUTE if routed else INGRESS, namespace, site)
    if live is None or way is None:
        raise Failure(f"{site} isn't in the cluster any more", fix="`pulumi up --refresh` makes it again")
    volumes = live["spec"]["template"]["spec"].get("volumes") or []
    claims = [each["persistentVolumeClaim"]["claimName"] for each in volumes if "persistentVolumeClaim" in each]
    modes = {name: (api.get(_CLAIM, namespace, name) or {"spec": {}})["spec"].get("accessModes", ()) for name in claims}
    # A site with a certificate is routed to from its own Gateway; from that of plain HTTP, there is a redirect.
    if routed and (plain := api.get(ROUTE, namespace, f"{site}-https")):
        way["spec"]["parentRefs"] = plain["spec"]["parentRefs"]
    return Edited(live, way, api.get(POLICY, namespace, site), modes, pages)


def url_of(edited: Edited, config: Json) -> str:
    """Return where a browser finds what is edited: by plain HTTP, for no certificate has that host."""
    port = _ingress(config).get("httpPort") or 80
    return f"http://{host_of(edited.host)}{'' if port == 80 else f':{port}'}{edited.paths[0]}"


@contextmanager
def _ended(session: Session) -> Iterator[None]:
    """Take away what has been made, however the block ends; a second Ctrl-C meanwhile leaves it to the next run."""
    try:
        yield
    finally:
        said = interruption.words()
        interruption.say(_AT_ONCE)
        try:
            with interruption.held():
                session.end()
        except ApiError as error:
            said = f"ended, but what it has made is still in the cluster: {error}; or run script/dev again"
            raise
        finally:
            interruption.say(said)


def _only(sites: dict[str, str], config: Json, stack: str | None) -> str:
    """Return the only site with a folder.

    Raises:
        Failure: There are several, or none.
    """
    built = [name for name in sites if not _configured(name, config).get("image")]
    if len(built) == 1:
        return built[0]
    if not built:
        raise Failure(f"the stack {stack or STACK} has no site with a folder", fix="add one, and deploy it")
    raise Failure(f"the stack {stack or STACK} has several sites", fix=f"name one of {', '.join(built)}")


def _configured(site: str, config: Json) -> Json:
    listed = config.get(f"{project_name(PROJECT)}:sites", {}).get("objectValue") or [{}]
    named: dict[Any, Json] = {(each or {}).get("name"): each or {} for each in listed}
    # The first one needs no name.
    return named.get(site) or listed[0] or {}


def _ingress(config: Json) -> Json:
    given: Json = config.get(f"{project_name(PROJECT)}:ingress", {}).get("objectValue") or {}
    return given


def _ingress_address(config: Json) -> str:
    address = str(_ingress(config).get("address") or "127.0.0.1")
    return f"[{address}]" if ":" in address else address
