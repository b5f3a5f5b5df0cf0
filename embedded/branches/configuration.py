"""The configuration of a branch's stack, made of that of the stack it is deployed beside."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from embedded.branches.names import Names
from embedded.errors import Failure
from settings import DEFAULT_SITE

Config: TypeAlias = dict[str, Any]
"""The section ``config`` of a stack's file, without the project's name in its keys."""

SHARED = ("kubeconfig", "context", "ingress", "registry")
"""Keys about the cluster, which are the other stack's as this checkout has them."""
DROPPED = {
    "release": "",
    "canary": "",
    "promoted": "",
    "replicas": "",
    "autoscale": "",
    "database": "its database",
    "jobs": "its jobs",
}
"""Options of a site that it hasn't got in a branch, and what is said of it."""
EVERYWHERE = ("dns", "internet")
"""What may be in ``egress`` besides other sites of the stack: what everybody's is."""
DATABASE = "database"


@dataclass
class Made:
    """The configuration of a branch's stack."""

    config: Config
    taken: list[str] = field(default_factory=list)
    """Paths of secrets that the other stack has in the same place."""
    generated: dict[str, str] = field(default_factory=dict)
    """Secrets to set that are made for it, by path."""
    passwords: dict[str, str] = field(default_factory=dict)
    """Paths of the passwords that visitors are asked for, by site."""
    notes: list[str] = field(default_factory=list)
    """What it lacks, in words."""


def plain(project: str, document: object) -> Config:
    """Return the section ``config`` of a stack's file as it has been read."""
    config = document.get("config") if isinstance(document, dict) else None
    pairs = config.items() if isinstance(config, dict) else ()
    return {str(key).removeprefix(f"{project}:"): value for key, value in pairs}


def of_branch(
    names: Names,
    shared: Config,
    own: Config,
    before: Config,
    *,
    addons: Iterable[str],
    project: Path,
    wanted: Collection[str],
    unconfined: bool,
) -> Made:
    """Return the configuration of a branch's stack.

    Args:
        names: Its names.
        shared: The configuration of the stack that it is deployed beside, in this checkout.
        own: The same in the branch's checkout, whose sites these are.
        before: What the branch's stack had.
        addons: The addons that the branch's program knows.
        project: This checkout.
        wanted: Variables of ``secretEnv`` that are taken over.
        unconfined: Whether its sites may connect to the address ranges that they name.

    Raises:
        Failure: There is no such variable; or the sites are encrypted as a whole.
    """
    listed = [{}] if own.get("sites") is None else own["sites"]
    if not isinstance(listed, list) or not all(isinstance(each, dict | None) for each in listed):
        raise Failure("the sites of the branch's configuration are no list of maps", fix="correct the stack's file")
    domain = shared.get("domain", "localhost")
    if prefix := shared.get("prefix"):
        domain = f"{prefix}.{domain}"
    config: Config = {key: _readable(shared[key]) for key in SHARED if key in shared and not _is_secret(shared[key])}
    config |= {"prefix": names.prefix, "addons": dict.fromkeys(addons, False)}
    ingress = config.get("ingress")
    if isinstance(ingress, dict) and "gateway" not in ingress:
        # The Gateway of the other stack's addon has no listeners for the certificates of a branch: it has Ingresses.
        ingress.pop("routes", None)
    made = Made(config)
    if _is_secret(shared.get("kubeconfig")):
        made.taken.append("kubeconfig")
    elif isinstance(path := shared.get("kubeconfig"), str) and _is_file(file := project / Path(path).expanduser()):
        # It is found from another folder, too.
        config["kubeconfig"] = str(file)
    known: dict[str, Any] = {}
    config["sites"] = []
    passwords = dict(_passwords(before))
    for index, given in enumerate(listed):
        variables = (given or {}).get("secretEnv") or {}
        site = _readable({key: value for key, value in (given or {}).items() if key != "secretEnv"})
        name = str(site.get("name") or (DEFAULT_SITE["name"] if index == 0 else index))
        without = [said for key, said in DROPPED.items() if key in site and site.pop(key) and said]
        if _is_secret(variables):
            without, variables = [*without, "its secretEnv, which is encrypted as a whole"], {}
        known |= variables
        if missing := [each for each in variables if each not in wanted]:
            without.append(f"{', '.join(missing)} (--secrets)")
        made.taken += [f"sites[{index}].secretEnv.{each}" for each in variables if each in wanted]
        if ranges := _confine(site, unconfined=unconfined):
            without.append(f"the way to {', '.join(ranges)} (--egress)")
        if auth := site.get("basicAuth"):
            password = f"sites[{index}].basicAuth.password"
            if name in passwords:
                site["basicAuth"] = {**auth, "password": passwords[name]}
            else:
                site["basicAuth"] = {key: value for key, value in auth.items() if key != "password"}
                made.generated[password] = secrets.token_urlsafe(12)
            made.passwords[name] = password
        if site.get("tls") == "acme":
            site["tls"] = True
        _place(site, f"{name}.{domain}", names.label)
        config["sites"].append({**site, "replicas": 1})
        if without:
            made.notes.append(f"{name} is without {', '.join(without)}")
    if unknown := [each for each in wanted if each not in known]:
        raise Failure(
            f"--secrets: no site has {', '.join(unknown)} in its secretEnv",
            fix=f"name some of {', '.join(known)}" if known else "leave it out",
        )
    return made


def _is_secret(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == {"secure"}


def _readable(value: Any) -> Any:
    """Return a copy of a value without what is encrypted in it, by a key that the branch's stack hasn't got."""
    if isinstance(value, dict):
        return {key: _readable(each) for key, each in value.items() if not _is_secret(each)}
    return [_readable(each) for each in value if not _is_secret(each)] if isinstance(value, list) else value


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # it is the text of one
        return False


def _confine(site: Config, *, unconfined: bool) -> list[str]:
    """Take away the database and, unless it is ``unconfined``, the address ranges in ``egress``; return those."""
    listed = [str(each) for each in site.get("egress") or [] if each != DATABASE]
    mine = [each for each in listed if unconfined or each in EVERYWHERE or each.startswith("site:")]
    if "egress" in site:
        site["egress"] = mine
    return [each for each in listed if each not in mine]


def _place(site: Config, default: str, label: str) -> None:
    """Put a branch's label before each host of a site."""
    site["host"] = f"{label}.{site.get('host', default)}"
    if hosts := site.get("hosts"):
        site["hosts"] = [f"{label}.{host}" for host in hosts]
    if redirects := site.get("redirects"):
        site["redirects"] = [{key: f"{label}.{host}" for key, host in each.items()} for each in redirects]


def _passwords(before: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the encrypted passwords that a branch's sites had, by name of the site."""
    sites = before.get("sites")
    for index, site in enumerate(sites if isinstance(sites, list) else []):
        if isinstance(site, dict) and isinstance(auth := site.get("basicAuth"), dict) and auth.get("password"):
            yield str(site.get("name") or (DEFAULT_SITE["name"] if index == 0 else index)), auth["password"]
