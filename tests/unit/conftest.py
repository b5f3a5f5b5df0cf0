"""What the unit tests share."""

import pytest
from pulumi.runtime.settings import SETTINGS


@pytest.fixture(autouse=True)
def pulumi_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the names be those of the project, and of a stack outside of Pulumi, whatever other tests have run."""
    monkeypatch.setattr(SETTINGS, "project", "inspiration")
    monkeypatch.setattr(SETTINGS, "stack", "stack")
