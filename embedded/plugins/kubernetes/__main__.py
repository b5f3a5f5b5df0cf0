"""Started by the engine: ``pulumi-resource-kubernetes ENGINE_ADDRESS``; prints the port that it listens on."""

from ..shared import sdk  # noqa: F401 isort: skip (before anything that imports the SDK)

import argparse

from . import VERSION
from .provider import KubernetesProvider
from .server import EngineLog, serve

arguments = argparse.ArgumentParser(
    prog="pulumi-resource-kubernetes", description="Pulumi provider plugin (gRPC server)"
)
arguments.add_argument("engine", help="address of the Pulumi engine")
known, _ = arguments.parse_known_args()
serve(VERSION, known.engine, KubernetesProvider(EngineLog(known.engine)))
