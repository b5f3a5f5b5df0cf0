"""The metrics server's objects, as the engine would be told of them."""

from tests.graph.recorder import READY, run


def test_the_api_comes_last_and_so_goes_first() -> None:
    """While an API is registered that nobody serves, no namespace can be removed."""
    recording = run({"sites": READY, "addons": {"metrics-server": True}})
    api = recording.find("APIService", "metrics-server-api")
    deployed = recording.find("Deployment", "metrics-server-deployment")
    assert {deployed.urn, recording.find("Service", "metrics-server-service").urn} <= api.dependencies
    # Without its rights it isn't ready.
    grants = {"metrics-server-binding", "metrics-server-delegation", "metrics-server-authentication"}
    assert grants <= {urn.rpartition("::")[2] for urn in deployed.dependencies}
