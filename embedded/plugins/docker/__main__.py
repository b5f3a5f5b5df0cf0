"""``pulumi-resource-docker [flags] ENGINE``: prints its port, and serves until the engine ends."""

import importlib.metadata
import sys

from .provider import DockerProvider
from .server import Messages, serve

engine = sys.argv[-1]
serve(DockerProvider(Messages(engine)), importlib.metadata.version("pulumi-docker"), engine)
