"""What is deployed on this cluster: the configuration, and what the cluster has already, put together.

An addon on ``auto`` is deployed unless somebody else's does its part. What addons need of one another is in ``NEEDS``.
"""

from collections.abc import Iterator, Mapping, Sequence

from components.addons.ingress import DEFAULT_CLASS
from components.addons.ingress import NAMESPACE as INGRESS_NAMESPACE
from components.addons.registry import NAMESPACE as REGISTRY_NAMESPACE
from settings import Settings, SettingsError
from settings.addons import AddonSettings, Detected
from settings.cluster_facts import ClusterFacts, Found, FoundClass
from settings.models import ADDON_NAMESPACES
from settings.problems import qualified, shown
from settings.registry_access import admitted, unclosed

OLDEST = (1, 30)
"""The oldest Kubernetes that has all that is declared: the pause of a pod before it ends (KEP-3960) came last."""

NEEDS: Mapping[str, tuple[str, ...]] = {
    "registry": ("storage",),
    "dashboard": ("ingress",),
    "prometheus": ("storage", "ingress"),
    "logs": ("storage",),
    "knative": ("ingress",),
    "rancher": ("ingress",),
}
"""Addon to the addons whose part somebody has to do for it, be it the addon or what the cluster has already."""

PAGES = frozenset({"addons.dashboard", "addons.prometheus"})
"""What a Gateway can lead to in place of an ingress controller."""

FACT: Mapping[str, str] = {
    "dns": "services",
    "storage": "storage_classes",
    "registry": "registry",
    "ingress": "ingress_classes",
    "metrics-server": "metrics_api",
}
"""Addon that can be on ``auto`` to the fact that decides."""


def resolve(settings: Settings, facts: ClusterFacts) -> Settings:
    """Return the configuration for a cluster with ``facts``: each addon on or off, each name a real one.

    Raises:
        SettingsError: With all that doesn't fit this cluster.
    """
    if facts.version and facts.version < OLDEST:
        have, need = (f"{major}.{minor}" for major, minor in (facts.version, OLDEST))
        raise SettingsError(
            [
                f"{qualified('context')}: the cluster runs Kubernetes {have}, and {need} or newer is needed; upgrade "
                "it, or set another context"
            ]
        )
    addons = _deployed(settings, facts)
    class_name = _class_name(settings, addons, facts)
    taken = dict(_taken(addons, facts, class_name))
    problems = [
        *_undecided(settings, facts),
        *taken.values(),
        *_taken_namespaces(settings, addons.without(taken), facts),
        *_taken_ports(settings, addons, facts),
        *_unused_registry(settings, addons),
        *_without_storage(addons, facts),
        *_without_controller(settings, addons, facts),
        *unclosed(addons.registry, settings.registry.node_port, facts),
    ]
    if problems:
        raise SettingsError(problems)
    if addons.registry:
        registry = addons.registry.model_copy(update={"source_ranges": admitted(addons.registry, facts)})
        addons = addons.model_copy(update={"registry": registry})
    return settings.model_copy(
        update={
            "addons": addons,
            "ingress": settings.ingress.model_copy(update={"class_name": class_name}),
            "registry": settings.registry.model_copy(update={"address": _registry_address(settings, addons, facts)}),
        }
    )


def _deployed(settings: Settings, facts: ClusterFacts) -> AddonSettings:
    parts: Mapping[str, Sequence[Found]] = {
        "dns": tuple(service for service in facts.services if service.dns),
        "storage": facts.storage_classes,
        "registry": (facts.registry,) if facts.registry else (),
        "ingress": facts.ingress_classes,
        "metrics-server": (facts.metrics_api,) if facts.metrics_api else (),
    }
    given = settings.ingress.class_name
    named = {
        "registry": _elsewhere(settings),
        "ingress": _named(given, _others(facts.ingress_classes, facts)) is not None,
    }
    usable = {
        **parts,
        "storage": _defaults(facts.storage_classes, facts),
        "ingress": facts.ingress_classes if given == "auto" else (),
    }

    def is_left_out(name: str) -> bool:
        """Tell whether somebody else's does its part: one that the configuration names, or one that is there."""
        # What the stack has deployed stays, also when somebody else's comes.
        return named.get(name, False) or (bool(usable[name]) and all(map(facts.foreign, parts[name])))

    return settings.addons.without([name for name in _on_auto(settings.addons) if is_left_out(name)])


def _on_auto(addons: AddonSettings) -> list[str]:
    return [name for name, options in addons.deployed.items() if isinstance(options, Detected) and options.auto]


def _others(classes: Sequence[FoundClass], facts: ClusterFacts) -> list[FoundClass]:
    return [each for each in classes if facts.foreign(each)]


def _defaults(classes: Sequence[FoundClass], facts: ClusterFacts) -> list[FoundClass]:
    return [each for each in _others(classes, facts) if each.default]


def _elsewhere(settings: Settings) -> bool:
    """Tell whether the configuration names a registry, and not just the addon's."""
    registry = settings.registry
    server = registry.address.partition("/")[0]
    own = {f"{host}:{registry.node_port}" for host in ("localhost", "127.0.0.1")}
    return "address" in registry.model_fields_set and server not in own


def _unused_registry(settings: Settings, addons: AddonSettings) -> Iterator[str]:
    """Yield the problem with an address that the addon's registry can't have."""
    server = settings.registry.address.partition("/")[0]
    port = settings.registry.node_port
    if addons.registry and _elsewhere(settings) and server.rpartition(":")[2] != str(port):
        addon = qualified("addons.registry")
        yield (
            f"{qualified('registry.address')}: {shown(settings.registry.address)} given, and the registry of {addon} "
            f"listens on port {port} of the nodes; set {addon} to auto or false, or remove the address"
        )


def _foreign_registry(facts: ClusterFacts) -> str | None:
    return facts.registry.host if facts.registry and facts.foreign(facts.registry) else None


def _registry_address(settings: Settings, addons: AddonSettings, facts: ClusterFacts) -> str:
    if addons.registry or "address" in settings.registry.model_fields_set:
        return settings.registry.address
    return _foreign_registry(facts) or settings.registry.address


def _class_name(settings: Settings, addons: AddonSettings, facts: ClusterFacts) -> str:
    """Return the name of the IngressClass of all Ingresses."""
    given = settings.ingress.class_name
    if given != "auto":
        return given
    chosen = None if addons.ingress else _preferred(_others(facts.ingress_classes, facts))
    return chosen.name if chosen else DEFAULT_CLASS


def _preferred(classes: list[FoundClass]) -> FoundClass | None:
    """Return the one that is meant where none is named: the default one, or the only one."""
    defaults = [each for each in classes if each.default]
    # Several that are the default are as good as none.
    candidates = defaults if len(defaults) == 1 else classes
    return candidates[0] if len(candidates) == 1 else None


def _without_controller(settings: Settings, addons: AddonSettings, facts: ClusterFacts) -> Iterator[str]:
    wanted_by = [*(["sites"] if settings.sites else []), *_needing("ingress", addons)]
    if settings.ingress.passthrough == "gateway":
        wanted_by = [key for key in wanted_by if key not in PAGES]
    if addons.ingress or not wanted_by or "ingress_classes" in facts.denied:
        return
    addon, class_name = qualified("addons.ingress"), qualified("ingress.className")
    given, others = settings.ingress.class_name, _others(facts.ingress_classes, facts)
    allowed = ", ".join(each.name for each in others)
    if not others:
        yield (
            f"{addon}: false given, and the cluster has no IngressClass, which {_listed(wanted_by)} need; set it to "
            "auto or true"
        )
    elif given == "auto" and not _preferred(others):
        yield (
            f"{class_name}: auto given, and the cluster has several IngressClasses, and none is the only default one; "
            f"allowed: {allowed}"
        )
    elif given != "auto" and not any(each.name == given for each in others):
        yield (
            f"{class_name}: {shown(given)} given, and there is no such IngressClass; allowed: auto, {allowed}; or set "
            f"{addon} to auto or true"
        )


def _needing(needed: str, addons: AddonSettings) -> list[str]:
    return [f"addons.{name}" for name in addons.deployed if needed in NEEDS.get(name, ())]


def _listed(keys: list[str]) -> str:
    return " and ".join(map(qualified, keys))


def _without_storage(addons: AddonSettings, facts: ClusterFacts) -> Iterator[str]:
    wanted_by = _needing("storage", addons)
    if addons.storage or not wanted_by or "storage_classes" in facts.denied:
        return
    if not _defaults(facts.storage_classes, facts):
        yield (
            f"{qualified('addons.storage')}: false given, and the cluster has no default StorageClass, which "
            f"{_listed(wanted_by)} need; set it to auto or true, or make one of the cluster's the default"
        )


def _undecided(settings: Settings, facts: ClusterFacts) -> Iterator[str]:
    """Yield what has to be known, and may not be asked."""
    for name in _on_auto(settings.addons):
        if refused := facts.denied.get(FACT[name]):
            yield (
                f"{qualified(f'addons.{name}')}: auto given, and {refused}; set it to true or false, or use "
                "credentials that may"
            )
    unnamed = settings.ingress.class_name == "auto" and not settings.addons.ingress
    if unnamed and (refused := facts.denied.get("ingress_classes")):
        yield f"{qualified('ingress.className')}: auto given, and {refused}; name it, or use credentials that may"
    if refused := facts.denied.get("namespaces"):
        yield f"{qualified('context')}: {refused}, and the stack makes some; use the credentials of an administrator"


def _taken(addons: AddonSettings, facts: ClusterFacts, class_name: str) -> Iterator[tuple[str, str]]:
    """Yield addons that would make what somebody else has made, each with its problem."""
    objects: Mapping[str, tuple[str, Found | None]] = {
        "dns": ("Service", _named("kube-dns", [each for each in facts.services if each.dns])),
        "storage": ("StorageClass", _named("local-path", facts.storage_classes)),
        "registry": ("ConfigMap", facts.registry),
        "ingress": ("IngressClass", _named(class_name, facts.ingress_classes)),
        "metrics-server": ("APIService", facts.metrics_api),
    }
    for name in addons.deployed:
        kind, found = objects.get(name, ("", None))
        if found and facts.foreign(found):
            other = f", or another {qualified('ingress.className')}" if name == "ingress" else ""
            key = qualified(f"addons.{name}")
            yield name, f"{key}: the {kind} {found.name} is {found.whose}; set it to auto or false{other}"


def _named(name: str, found: Sequence[Found]) -> Found | None:
    return next((each for each in found if each.name == name), None)


def _taken_namespaces(settings: Settings, addons: AddonSettings, facts: ClusterFacts) -> Iterator[str]:
    wanted = {site.name: (f"sites[{index}].name", "another one") for index, site in enumerate(settings.sites)}
    for namespace, addon in ADDON_NAMESPACES.items():
        if addon in addons.deployed:
            wanted[namespace] = (f"addons.{addon}", "false")
    for index, chart in enumerate(settings.charts):
        wanted[chart.namespace] = (f"charts[{index}].namespace", "another one")
    for found in facts.namespaces:
        if found.name in wanted and facts.foreign(found):
            key, other = wanted[found.name]
            yield (
                f"{qualified(key)}: the namespace {found.name} is {found.whose}; set it to {other}, or remove that "
                "namespace"
            )


def _taken_ports(settings: Settings, addons: AddonSettings, facts: ClusterFacts) -> Iterator[str]:
    ports = {"registry.nodePort": (settings.registry.node_port, REGISTRY_NAMESPACE)} if addons.registry else {}
    if addons.ingress and (on_nodes := addons.ingress.node_ports):
        ports["addons.ingress.nodePorts.http"] = (on_nodes.http, INGRESS_NAMESPACE)
        ports["addons.ingress.nodePorts.https"] = (on_nodes.https, INGRESS_NAMESPACE)
    for key, (port, home) in ports.items():
        for service in facts.services:
            if port in service.node_ports and (facts.foreign(service) or service.namespace != home):
                yield (
                    f"{qualified(key)}: {port} is taken by the Service {service.namespace}/{service.name}; "
                    "give another one"
                )
