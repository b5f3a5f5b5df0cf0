"""What the unit tests share."""

import pytest
from pulumi.runtime.settings import SETTINGS


@pytest.fixture(autouse=True)
def stack(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the stack's name be the one that it has outside of Pulumi, whatever other tests have run."""
    monkeypatch.setattr(SETTINGS, "stack", "stack")
