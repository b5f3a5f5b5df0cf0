"""The example ``guestbook``: deployed by its README, and signed."""

from __future__ import annotations

import re

import httpx

from tests.checkout import Checkout

SITE = "guestbook"
"""Its name, and that of its namespace and its Deployment."""
HOST = f"{SITE}.localhost"


def deploy(checkout: Checkout) -> None:
    """Do what its README says.

    Raises:
        AssertionError: It fails.
    """
    readme = (checkout.path / "examples/guestbook/README.md").read_text()
    [commands] = re.findall(r"```sh\n(.*?)```", readme, re.DOTALL)
    done = checkout.run("sh", "-ec", commands, environment=checkout.environment())
    assert done.returncode == 0, done.stdout + done.stderr


def sign(message: str, times: int = 1) -> None:
    """Write entries.

    Raises:
        AssertionError: It doesn't take them.
    """
    with httpx.Client(base_url="http://127.0.0.1", headers={"Host": HOST}, timeout=10) as client:
        token = re.search(r'name="token" value="([^"]+)"', client.get("/").text)
        assert token
        for _ in range(times):
            done = client.post("/", data={"token": token[1], "name": "Ada", "message": message})
            assert done.status_code == httpx.codes.SEE_OTHER, done.text


def shown() -> str:
    """Return the page."""
    return httpx.get("http://127.0.0.1/", headers={"Host": HOST}, timeout=10).text
