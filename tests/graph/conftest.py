"""What the tests of the graph share."""

from collections.abc import Iterator

import pytest

from tests.graph.recorder import PROJECT, Recording, run


@pytest.fixture(scope="module", autouse=True)
def project() -> Iterator[None]:
    """Run the program in its project, as Pulumi does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(PROJECT)
        yield


@pytest.fixture(scope="module")
def recording(project: None) -> Recording:
    """What ``up`` registers with the configuration's defaults."""
    return run({})


@pytest.fixture(scope="module")
def preview(project: None) -> Recording:
    """What the first ``preview`` registers with the configuration's defaults."""
    return run({}, preview=True)
