"""``pulumi-resource-random [flags] ENGINE``: prints its port, and serves until the engine ends."""

import importlib.metadata
import sys

from ..shared.provider import StateProvider
from ..shared.server import serve
from .kinds import KINDS

serve(StateProvider("random", KINDS), importlib.metadata.version("pulumi-random"), sys.argv[-1])
