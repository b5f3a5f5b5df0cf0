"""What is deployed on this cluster: the configuration, and what the cluster has already, put together.

An addon on ``auto`` is deployed unless somebody else's does its part.
"""

from collections.abc import Collection, Iterator

from components.addons import ADDONS, NAMESPACES
from components.addons.addon import Detectable
from components.addons.dns import DNS
from components.addons.ingress import DEFAULT_CLASS, INGRESS
from components.addons.ingress import NAMESPACE as INGRESS_NAMESPACE
from components.addons.metrics_server import METRICS_SERVER
from components.addons.registry import NAMESPACE as REGISTRY_NAMESPACE
from components.addons.registry import REGISTRY
from components.addons.storage import STORAGE
from components.options import shown
from settings import Settings, SettingsError, cluster_facts
from settings.addons import AddonSettings
from settings.cluster_facts import DETECTED, ClusterFacts, Found, registry_host
from settings.problems import qualified
from settings.registry_access import admitted, unclosed

OLDEST = (1, 30)
"""The oldest Kubernetes that has all that is declared: the pause of a pod before it ends (KEP-3960) came last."""


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
        *_without_storage(settings, addons, facts),
        *_without_controller(settings, addons, facts),
        *_without_metrics(settings, addons, facts),
        *unclosed(addons.of(REGISTRY), settings.registry.node_port, facts),
    ]
    if problems:
        raise SettingsError(problems)
    if registry := addons.of(REGISTRY):
        addons = addons.replaced(REGISTRY, source_ranges=admitted(registry, facts))
    if (dns := addons.of(DNS)) and dns.replicas is None:
        # Without it no name is found: where one node is gone, another one answers.
        addons = addons.replaced(DNS, replicas=2 if len(facts.nodes) > 1 else 1)
    return settings.model_copy(
        update={
            "addons": addons,
            "ingress": settings.ingress.model_copy(update={"class_name": class_name}),
            "registry": settings.registry.model_copy(update={"address": _registry_address(settings, addons, facts)}),
        }
    )


def _deployed(settings: Settings, facts: ClusterFacts) -> AddonSettings:
    # Somebody else's that the configuration names does the addon's part, whether it is the default one or not.
    class_name = settings.ingress.class_name
    named = {
        REGISTRY.name: _elsewhere(settings),
        INGRESS.name: _named(class_name, facts.others(INGRESS.name)) is not None,
    }

    def is_left_out(name: str) -> bool:
        """Tell whether somebody else's does its part: one that the configuration names, or one that is there."""
        if named.get(name, False):
            return True
        if name == INGRESS.name and class_name != "auto":
            return False
        sufficient = [each for each in facts.of(name) if each.default or not DETECTED[name].default_only]
        # What the stack has deployed stays, also when somebody else's comes.
        return bool(sufficient) and all(map(facts.foreign, facts.of(name)))

    return settings.addons.without([name for name in _on_auto(settings.addons) if is_left_out(name)])


def _on_auto(addons: AddonSettings) -> list[str]:
    return [name for name, options in addons.deployed.items() if isinstance(options, Detectable) and options.auto]


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
    if addons.of(REGISTRY) and _elsewhere(settings) and server.rpartition(":")[2] != str(port):
        addon = qualified("addons.registry")
        yield (
            f"{qualified('registry.address')}: {shown(settings.registry.address)} given, and the registry of {addon} "
            f"listens on port {port} of the nodes; set {addon} to auto or false, or remove the address"
        )


def _registry_address(settings: Settings, addons: AddonSettings, facts: ClusterFacts) -> str:
    if addons.of(REGISTRY) or "address" in settings.registry.model_fields_set:
        return settings.registry.address
    hosts = map(registry_host, facts.others(REGISTRY.name))
    return next(filter(None, hosts), settings.registry.address)


def _class_name(settings: Settings, addons: AddonSettings, facts: ClusterFacts) -> str:
    """Return the name of the IngressClass of all Ingresses."""
    given = settings.ingress.class_name
    if given != "auto":
        return given
    chosen = None if addons.of(INGRESS) else _preferred(facts.others(INGRESS.name))
    return chosen.name if chosen else DEFAULT_CLASS


def _preferred(classes: list[Found]) -> Found | None:
    """Return the one that is meant where none is named: the default one, or the only one."""
    defaults = [each for each in classes if each.default]
    # Several that are the default are as good as none.
    candidates = defaults if len(defaults) == 1 else classes
    return candidates[0] if len(candidates) == 1 else None


def _without_controller(settings: Settings, addons: AddonSettings, facts: ClusterFacts) -> Iterator[str]:
    by_gateway = settings.ingress.passthrough == "gateway"
    routes = settings.ingress
    if routes.by_addons_gateway and settings.sites and not addons.of(INGRESS):
        yield (
            f"{qualified('ingress.gateway')}: none given, and {qualified('addons.ingress')} is off, whose Gateway "
            "sites would have; name one, namespace/name, or set that to true"
        )
    wanted_by = [
        *(["sites"] if settings.sites and routes.routes == "ingress" else []),
        *_needing(INGRESS.name, addons, without_passthrough=by_gateway),
    ]
    if addons.of(INGRESS) or not wanted_by or _denied(INGRESS.name, facts):
        return
    addon, class_name = qualified("addons.ingress"), qualified("ingress.className")
    given, others = settings.ingress.class_name, facts.others(INGRESS.name)
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


def _needing(needed: str, addons: AddonSettings, *, without_passthrough: bool = False) -> list[str]:
    """Return the keys of what needs an addon's part; a Gateway can do it for a page whose TLS is passed through."""
    return [
        f"addons.{addon.name}"
        for addon in ADDONS
        if addon.name in addons.deployed and needed in addon.needs and not (without_passthrough and addon.passthrough)
    ]


def _denied(addon: str, facts: ClusterFacts) -> str | None:
    """Return what the API server says if it may not be asked what has to do with ``addon``."""
    return facts.denied.get(DETECTED[addon].path)


def _listed(keys: list[str]) -> str:
    return " and ".join(map(qualified, keys))


def _without_storage(settings: Settings, addons: AddonSettings, facts: ClusterFacts) -> Iterator[str]:
    wanted_by = _needing(STORAGE.name, addons)
    wanted_by += [
        f"sites[{index}].volumes"
        for index, site in enumerate(settings.sites)
        if any(volume.storage_class is None for volume in site.volumes)
    ]
    if addons.of(STORAGE) or not wanted_by or _denied(STORAGE.name, facts):
        return
    if not any(each.default for each in facts.others(STORAGE.name)):
        yield (
            f"{qualified('addons.storage')}: false given, and the cluster has no default StorageClass, which "
            f"{_listed(wanted_by)} need; set it to auto or true, or make one of the cluster's the default"
        )


def _without_metrics(settings: Settings, addons: AddonSettings, facts: ClusterFacts) -> Iterator[str]:
    there = addons.of(METRICS_SERVER) or facts.others(METRICS_SERVER.name) or _denied(METRICS_SERVER.name, facts)
    for index, site in enumerate(settings.sites):
        if site.autoscale and not there:
            yield (
                f"{qualified(f'sites[{index}].autoscale')}: the cluster has no metrics of its pods; set "
                f"{qualified('addons.metrics-server')} to true"
            )


def _undecided(settings: Settings, facts: ClusterFacts) -> Iterator[str]:
    """Yield what has to be known, and may not be asked."""
    for name in _on_auto(settings.addons):
        if refused := _denied(name, facts):
            yield (
                f"{qualified(f'addons.{name}')}: auto given, and {refused}; set it to true or false, or use "
                "credentials that may"
            )
    unnamed = settings.ingress.class_name == "auto" and not settings.addons.of(INGRESS)
    if unnamed and (refused := _denied(INGRESS.name, facts)):
        yield f"{qualified('ingress.className')}: auto given, and {refused}; name it, or use credentials that may"
    if refused := facts.denied.get(cluster_facts.NAMESPACES):
        yield f"{qualified('context')}: {refused}, and the stack makes some; use the credentials of an administrator"


def _taken(addons: AddonSettings, facts: ClusterFacts, class_name: str) -> Iterator[tuple[str, str]]:
    """Yield addons that would make what somebody else has made, each with its problem."""
    for name in addons.deployed:
        if not (detection := DETECTED.get(name)):
            continue
        made = class_name if name == INGRESS.name else detection.name
        if (found := _named(made, facts.of(name))) and facts.foreign(found):
            other = f", or another {qualified('ingress.className')}" if name == INGRESS.name else ""
            key = qualified(f"addons.{name}")
            yield name, f"{key}: the {detection.kind} {found.name} is {found.whose}; set it to auto or false{other}"


def _named(name: str, found: Collection[Found]) -> Found | None:
    return next((each for each in found if each.name == name), None)


def _taken_namespaces(settings: Settings, addons: AddonSettings, facts: ClusterFacts) -> Iterator[str]:
    another = f"another one, set {qualified('prefix')}"
    wanted = {
        settings.namespace(site.name): (f"sites[{index}].name", another) for index, site in enumerate(settings.sites)
    }
    for namespace, addon in NAMESPACES.items():
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
    ports = {"registry.nodePort": (settings.registry.node_port, REGISTRY_NAMESPACE)} if addons.of(REGISTRY) else {}
    controller = addons.of(INGRESS)
    if controller and (on_nodes := controller.node_ports):
        ports["addons.ingress.nodePorts.http"] = (on_nodes.http, INGRESS_NAMESPACE)
        ports["addons.ingress.nodePorts.https"] = (on_nodes.https, INGRESS_NAMESPACE)
    for key, (port, namespace) in ports.items():
        for service in facts.services:
            if port in service.node_ports and (facts.foreign(service) or service.namespace != namespace):
                yield (
                    f"{qualified(key)}: {port} is taken by the Service {service.namespace}/{service.name}; "
                    "give another one"
                )
