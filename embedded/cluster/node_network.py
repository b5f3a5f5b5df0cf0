"""The network of the further nodes: a bridge of the machine's, and routes between the pods of all nodes.

What the machine gets besides: the bridge with a port a node, routes by it, and six firewall rules.
"""

from __future__ import annotations

from collections.abc import Collection

from embedded.cluster import network, plan
from embedded.cluster.network import COMMENT, Rules, run, succeeds
from embedded.cluster.plan import BRIDGE, Files

RULES: Rules = (
    # What nodes and pods say to each other keeps its source, by which NetworkPolicies go …
    ("nat", "POSTROUTING", ("-s", plan.NODE_NETWORKS, "-d", plan.CLUSTER_NETWORKS, *COMMENT, "-j", "ACCEPT")),
    # … and for the rest it is as on the first node: see network.RULES.
    ("nat", "POSTROUTING", ("-s", plan.BRIDGE_NETWORK, *COMMENT, "-j", "MASQUERADE")),
    ("filter", "FORWARD", ("-i", BRIDGE, *COMMENT, "-j", "ACCEPT")),
    ("filter", "FORWARD", ("-i", plan.INTERFACE, "-o", BRIDGE, *COMMENT, "-j", "ACCEPT")),
    ("filter", "FORWARD",
     ("-o", BRIDGE, "-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED", *COMMENT, "-j", "ACCEPT")),
    ("filter", "FORWARD", ("-o", BRIDGE, *COMMENT, "-j", "DROP")),
)  # fmt: skip

NODE_RULES: Rules = (
    # Pods of other nodes see a pod's own address; by the CNI plugin they would see that of its node.
    ("nat", "POSTROUTING", ("-o", "eth0", "-s", plan.ALL_PODS, "-d", plan.ALL_PODS, *COMMENT, "-j", "ACCEPT")),
)


def up(files: Files, numbers: Collection[int]) -> None:
    """Make what is missing of the bridge, and connect the first node and the ``numbers`` to it.

    Args:
        files: The cluster's; its own network is up.
        numbers: Of the further nodes.
    """
    if not succeeds("ip", "link", "show", BRIDGE):
        network.add_link(files, BRIDGE, "bridge")
    run("ip", "addr", "replace", f"{plan.BRIDGE_ADDRESS}/24", "dev", BRIDGE, "noprefixroute")
    run("ip", "link", "set", BRIDGE, "up")
    # For the nodes, the machine has one address on whichever side: that which the registry lets in.
    run("ip", "route", "replace", plan.BRIDGE_NETWORK, "dev", BRIDGE, "src", plan.HOST_ADDRESS)
    run("ip", "route", "replace", plan.POD_NETWORK, "via", plan.NODE_ADDRESS, "dev", plan.INTERFACE)
    network.provide_rules(RULES)
    network.provide_rules(NODE_RULES, *network.run_inside(files, []))
    for number in numbers:
        _join(files.node(number), number)
        # By the machine, since the first node isn't on the bridge.
        _route(number)
    for number in numbers:
        for other in set(numbers) - {number}:
            _route(other, *network.run_inside(files.node(number), []))


def leave(files: Files, number: int) -> None:
    """Take away what a further node has; what is gone already is fine."""
    network.remove_namespace(files.node(number).network_namespace)
    succeeds("ip", "link", "delete", _port(number))


def down(files: Files) -> None:
    """Take away what the machine and the first node have, where it is this cluster's; the others have left."""
    if str(files.state) not in (network.link_owner(BRIDGE), network.link_owner()):
        return
    succeeds("ip", "link", "delete", BRIDGE)
    network.remove_unnamed(BRIDGE)
    network.remove_rules(RULES)
    succeeds("ip", "route", "delete", plan.POD_NETWORK, "dev", plan.INTERFACE)
    network.remove_rules(NODE_RULES, *network.run_inside(files, []))


def _join(files: Files, number: int) -> None:
    """Give a node its network namespace and its port of the bridge."""
    namespace, port = files.network_namespace, _port(number)
    network.provide_namespace(namespace)
    if not succeeds(*network.run_inside(files, []), "ip", "link", "show", "eth0"):
        succeeds("ip", "link", "delete", port)  # of a namespace that is gone
        run("ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", str(namespace))
    run("ip", "link", "set", port, "master", BRIDGE)
    run("ip", "link", "set", port, "up")
    network.connect(files, f"{plan.further_node(number).address}/24", plan.BRIDGE_ADDRESS)
    network.provide_rules(NODE_RULES, *network.run_inside(files, []))


def _route(number: int, *inside: str) -> None:
    node = plan.further_node(number)
    run(*inside, "ip", "route", "replace", node.pods, "via", node.address)


def _port(number: int) -> str:
    return f"{plan.NODE}-n{number}"
