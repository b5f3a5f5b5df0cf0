"""``pulumi-resource-tls [flags] ENGINE``: prints its port, and serves until the engine ends."""

import importlib.metadata
import sys

from ..shared.server import Messages, serve
from .provider import TlsProvider

engine = sys.argv[-1]
serve(TlsProvider(Messages(engine)), importlib.metadata.version("pulumi-tls"), engine)
