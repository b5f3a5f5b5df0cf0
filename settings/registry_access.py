"""Who may connect to the addon registry, which asks nobody who they are: the cluster's nodes, and who is named."""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network

from components.addons.registry import REGISTRY, RegistryAddonOptions
from settings.cluster_facts import DETECTED, NODES, ClusterFacts
from settings.problems import qualified


def admitted(registry: RegistryAddonOptions, facts: ClusterFacts) -> list[str]:
    """Return the address ranges that the registry's NetworkPolicy lets in: those that are named, and the nodes.

    Nodes pull from a pod on another one with an address of theirs. What is in a named range isn't listed again.
    """
    named = registry.source_ranges or []
    addresses = {ip_address(text) for node in facts.nodes for text in node.addresses}
    if len(facts.nodes) > 1:
        addresses |= {ip_address(text) for node in facts.nodes for text in node.overlay_addresses}
    ranges = [ip_network(each) for each in named]
    others = [each for each in addresses if not any(each in known for known in ranges)]
    return [*named, *(str(ip_network(each)) for each in sorted(others, key=lambda each: (each.version, int(each))))]


def unclosed(registry: RegistryAddonOptions | None, port: int, facts: ClusterFacts) -> Iterator[str]:
    """Yield the problem with a registry that anybody could push to, or whose nodes aren't known.

    An API server can't tell whether NetworkPolicies are enforced. Where the nodes have public addresses, a program that
    does it has to be seen, or it has to be said that anybody may connect.
    """
    if registry is None:
        return
    key, ranges = qualified("addons.registry"), registry.source_ranges
    if refused := facts.denied.get(NODES):
        # Where it isn't even known whether there is one already, that is what is said.
        if not ranges and DETECTED[REGISTRY.name].path not in facts.denied:
            yield (
                f"{key}: the nodes have to be let in, and {refused}; name their address ranges in {key}.sourceRanges, "
                "or use credentials that may"
            )
        return
    public = sorted(text for node in facts.nodes for text in node.addresses if ip_address(text).is_global)
    if public and not facts.enforces_policies and not any(ip_network(each).prefixlen == 0 for each in ranges or ()):
        yield (
            f"{key}: anybody could push to port {port} of {public[0]}, a public address of a node, since nothing that "
            f"enforces NetworkPolicies is seen in the cluster; set it to false, and {qualified('registry.address')} to "
            f'a registry elsewhere; or, if a firewall closes that port, {key}.sourceRanges to ["0.0.0.0/0", "::/0"]'
        )
