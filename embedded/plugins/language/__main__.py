"""``pulumi-language-python [flags] ENGINE``: prints its port, and serves until the engine ends."""

import signal
import sys

from .child import Spare

# The engine ends its plugins with an interrupt; until there is something to clean up it may just end the process.
signal.signal(signal.SIGINT, signal.SIG_DFL)
# Made before anything else is imported: while the host starts, the spare loads the SDK on another core.
spare = Spare(sys.argv[-1])

from . import server  # noqa: E402

server.serve(sys.argv[-1], spare)
