"""Makes Pulumi's protocol importable without Pulumi's SDK.

The generated modules need nothing of the SDK, but sit inside its package, whose import takes longer than all the rest
of the host's start: 0.1 of 0.2 s, spent two times in every ``pulumi preview``. Importing this module puts empty
packages in the SDK's place; the programs run in processes that have the real one.
"""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def _skip_sdk() -> None:
    found = importlib.util.find_spec("pulumi")
    if found is None or found.origin is None:
        sys.exit(f"the Pulumi SDK is not installed for {sys.executable}; run script/up")
    folder = Path(found.origin).parent
    for name, path in (("pulumi", folder), ("pulumi.runtime", folder / "runtime")):
        package = ModuleType(name)
        package.__path__ = [str(path)]
        sys.modules[name] = package


if "pulumi" not in sys.modules:
    _skip_sdk()
