"""``pulumi-resource-docker [flags] ENGINE``: prints its port, and serves until the engine ends."""

import importlib.metadata
import sys

from ..shared.server import Messages, serve
from .provider import DockerProvider

engine = sys.argv[-1]
serve(DockerProvider(Messages(engine)), importlib.metadata.version("pulumi-docker"), engine)
