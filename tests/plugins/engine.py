"""The real engine with one plugin of this checkout, for plugins that need no cluster."""

import os
import shutil

import pytest

from embedded import paths
from embedded.plugins import install
from tests.plugins.language.project import install_plugins


def with_plugin(name: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment variables with which the engine uses the plugin ``name``.

    The engine is the one on PATH, else the one that has been built already, else that of the embedded default.
    """
    with pytest.MonkeyPatch.context() as patch:
        if not shutil.which("pulumi"):
            built = list(paths.CACHE.glob(f"toolchain/pulumi-{'[0-9a-f]' * 12}/bin"))
            if built:
                latest = max(built, key=lambda folder: folder.parent.stat().st_mtime)
                patch.setenv("PATH", f"{latest}{os.pathsep}{os.environ['PATH']}")
            else:
                request.getfixturevalue("cluster")  # puts the toolchain on PATH
        patch.setattr(install, "RESOURCE_PLUGINS", (name,))
        return install_plugins(tmp_path_factory.mktemp("pulumi"))
