"""What the tests of the graph share."""

from collections.abc import Iterator

import pytest

from tests.graph.configurations import ALL_ADDONS
from tests.graph.recorder import PROJECT, Recording, run


@pytest.fixture(scope="package", autouse=True)
def project() -> Iterator[None]:
    """Run the program in its project, as Pulumi does, without the charts of a cluster on this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(PROJECT)
        patch.delenv("INSPIRATION_CHARTS", raising=False)
        yield


@pytest.fixture(scope="package")
def recording(project: None) -> Recording:
    """What ``up`` registers with the configuration's defaults."""
    return run({})


@pytest.fixture(scope="package")
def preview(project: None) -> Recording:
    """What the first ``preview`` registers with the configuration's defaults."""
    return run({}, preview=True)


@pytest.fixture(scope="package")
def everything(project: None) -> Recording:
    """What ``up`` registers with all addons."""
    return run({"addons": ALL_ADDONS})
