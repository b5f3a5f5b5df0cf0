"""``pulumi-language-python [flags] ENGINE``: prints its port, and serves until the engine ends."""

import os
import signal
import sys

from ..shared import loopback
from .child import Spare, load_for_plugins

# The engine ends its plugins with an interrupt; until there is something to clean up it may just end the process.
signal.signal(signal.SIGINT, signal.SIG_DFL)
# For all that is started here.
os.environ.update(loopback.without_proxy(os.environ))
# Made before anything else is imported: while the engine reads its state, they load what is needed next.
plugins = load_for_plugins() if sys.platform == "linux" else None
spare = Spare()

from . import server  # noqa: E402

server.serve(sys.argv[-1], spare, plugins)
