"""The embedded default: a toolchain, a cluster and Pulumi plugins for a machine that has none of them.

It provides what another machine has from elsewhere (a kubeconfig, a Docker socket, a ``pulumi`` on PATH) and
imports nothing of the Pulumi program, which works without it.
"""
