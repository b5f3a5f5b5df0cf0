"""Makes Pulumi's SDK importable without the parts that a plugin never uses.

The SDK imports all of itself, the Automation API with its parsers among it; a plugin needs the protocol and values. To
be imported before the SDK, by a plugin's ``__main__`` only. It is a quarter of a plugin's start, and each
``pulumi preview`` starts four plugins.
"""

import os
import sys
from types import ModuleType

_UNUSED = ["pulumi.automation", "pulumi.dynamic", "pulumi.policy"]
if not os.environ.get("TRACEPARENT"):
    # It does nothing then but import OpenTelemetry.
    _UNUSED.append("pulumi.runtime._instrumentation")

for _name in _UNUSED:
    sys.modules.setdefault(_name, ModuleType(_name))
