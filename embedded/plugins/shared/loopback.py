"""Keeps what Pulumi's processes say to each other, all of it on this machine, away from the user's proxy."""

from collections.abc import Mapping

HERE = ("localhost", "127.0.0.1", "::1")

VARIABLE = "no_grpc_proxy"
"""What gRPC's library for Python reads, when it connects; Go's leaves out this machine by itself."""


def without_proxy(variables: Mapping[str, str]) -> dict[str, str]:
    """The variable that says where gRPC needs no proxy, with this machine added to what ``variables`` say."""
    # Where gRPC's own variable is set, it doesn't read the general one.
    given = variables.get(VARIABLE) or variables.get("no_proxy", "")
    names = [name.strip() for name in given.split(",") if name.strip()]
    return {VARIABLE: ",".join(dict.fromkeys([*names, *HERE]))}
