"""The real engine with one plugin of this checkout, for plugins that need no cluster."""

import pytest

from embedded.plugins import install
from tests.plugins.language.project import install_plugins


def with_plugin(name: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment variables with which the engine uses the plugin ``name``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(install, "RESOURCE_PLUGINS", (name,))
        return install_plugins(tmp_path_factory.mktemp("pulumi"))
