"""Fixtures for the tests of the policy pack."""

from tests.conftest import PROJECT

collect_ignore = [] if (PROJECT / "embedded").is_dir() else ["test_policy_engine.py"]
"""The rules do without it; the engine of the tests is that of the embedded default."""
