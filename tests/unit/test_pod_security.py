"""The page about Pod Security is made of what the policy pack allows."""

from docs.pod_security import PAGE, page


def test_the_page_is_of_today() -> None:
    assert PAGE.read_text() == page(), "write it again: .venv/bin/python -m docs.pod_security"
