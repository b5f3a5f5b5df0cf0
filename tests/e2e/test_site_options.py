"""A program with an environment, secrets, a volume, a job and few ways out, on the embedded cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.checkout import Checkout
from tests.waiting import eventually

NAME = "keeper"
TOKEN, OTHER_TOKEN = "s3cret-token-of-the-site", "another-s3cret-token"
DOCKERFILE = """\
FROM busybox:1.35.0
COPY index.html /www/
CMD ["httpd", "-f", "-p", "8080", "-h", "/www"]
"""
SITE: dict[str, Any] = {
    "name": NAME,
    "source": NAME,
    "replicas": 1,
    "user": 1234,
    "env": {"LOG_LEVEL": "info", "PRICE": "$(HOME) is 5$"},
    "volumes": [{"name": "data", "path": "/data", "size": "16Mi"}],
    "egress": ["site:inspiration"],
    "jobs": [{"name": "report", "schedule": "0 0 1 1 *", "command": ["sh", "-c", "cat /data/kept; echo $LOG_LEVEL"]}],
}
ENVIRONMENT = "/proc/1/environ"


def set_secret(checkout: Checkout, token: str) -> None:
    done = checkout.run(
        "sh", "-c", "printf %s \"$TOKEN\" | pulumi config set --stack dev --secret --path 'sites[1].secretEnv.TOKEN'",
        environment={**checkout.environment(), "TOKEN": token},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def keeper(site: Checkout) -> Iterator[Checkout]:
    """The stack with the site besides the first one."""
    folder = site.path / NAME
    folder.mkdir()
    (folder / "index.html").write_text("<p>kept</p>")
    (folder / "Dockerfile").write_text(DOCKERFILE)
    file = site.path / "Pulumi.dev.yaml"
    stack = yaml.safe_load(file.read_text())
    # The first one is the default, with nothing that it says otherwise.
    stack["config"]["inspiration:sites"] = [{}, SITE]
    file.write_text(yaml.safe_dump(stack))
    try:
        set_secret(site, TOKEN)
        site.up()
        yield site
    finally:
        site.restore()


def pod(checkout: Checkout) -> str:
    """Return the name of the pod that serves; empty while there is none."""
    running = ("--field-selector=status.phase=Running", f"--selector=app.kubernetes.io/name={NAME}")
    pods = json.loads(checkout.kubectl("get", "pods", "-n", NAME, *running, "-o", "json"))["items"]
    names = [str(each["metadata"]["name"]) for each in pods if "deletionTimestamp" not in each["metadata"]]
    assert len(names) <= 1, "two pods have the volume"
    return names[0] if names else ""


def execute(checkout: Checkout, *command: str) -> str:
    return checkout.kubectl("exec", "-n", NAME, pod(checkout), "--", *command)


def reaches(checkout: Checkout, address: str, port: int) -> bool:
    """Tell whether the pod can connect to an address."""
    done = checkout.run(
        "kubectl", "exec", "-n", NAME, pod(checkout), "--", "sh", "-c", f"nc -w 3 {address} {port} < /dev/null",
        environment=checkout.environment(),
    )  # fmt: skip
    assert done.returncode == 0 or "can't connect" in done.stderr, done.stderr
    return done.returncode == 0


def test_it_runs_as_declared(keeper: Checkout) -> None:
    environment = execute(keeper, "cat", ENVIRONMENT).split("\0")
    assert {"LOG_LEVEL=info", "PRICE=$(HOME) is 5$", f"TOKEN={TOKEN}"} <= set(environment)
    assert execute(keeper, "id", "-u").strip() == "1234"


def test_its_secret_is_shown_nowhere(keeper: Checkout) -> None:
    places = {
        "state": keeper.pulumi("stack", "export").stdout,
        "preview": keeper.pulumi("preview", "--diff", "--show-sames").stdout,
        "outputs": keeper.pulumi("stack", "output", "--json").stdout,
        "objects": keeper.kubectl("get", "deployments,replicasets,pods,cronjobs", "-n", NAME, "-o", "json"),
        "description": keeper.kubectl("describe", "all,secrets", "-n", NAME),
        "events": keeper.kubectl("get", "events", "-n", NAME, "-o", "json"),
        "log": keeper.kubectl("logs", "-n", NAME, pod(keeper)),
        "image": keeper.run("docker", "history", "--no-trunc", keeper.outputs()["images"][NAME],
                            environment=keeper.environment()).stdout,
        "stack's file": (keeper.path / "Pulumi.dev.yaml").read_text(),
        "command lines": keeper.run("ps", "-ewwo", "args").stdout,
    }  # fmt: skip
    assert all(text for name, text in places.items() if name != "log")
    assert [name for name, text in places.items() if TOKEN in text] == []


def test_it_connects_to_what_is_declared_and_to_nothing_else(keeper: Checkout) -> None:
    def address(service: str, namespace: str) -> str:
        return keeper.kubectl("get", "service", service, "-n", namespace, "-o", "jsonpath={.spec.clusterIP}")

    site = address("inspiration", "inspiration")
    assert site in execute(keeper, "nslookup", "inspiration.inspiration.svc.cluster.local")
    assert reaches(keeper, site, 80)
    assert not reaches(keeper, address("kubernetes", "default"), 443)
    assert not reaches(keeper, address("registry", "container-registry"), 5000)


def test_a_job_runs_with_what_the_site_has(keeper: Checkout) -> None:
    execute(keeper, "sh", "-c", "echo an entry > /data/kept")
    keeper.kubectl("create", "job", "-n", NAME, "now", f"--from=cronjob/{NAME}-report")
    try:
        keeper.kubectl("wait", "-n", NAME, "job/now", "--for=condition=Complete", "--timeout=120s")
        assert keeper.kubectl("logs", "-n", NAME, "job/now").split("\n")[:2] == ["an entry", "info"]
    finally:
        keeper.kubectl("delete", "job", "-n", NAME, "now")


def test_another_value_of_a_secret_renews_the_pods_and_nothing_else(keeper: Checkout) -> None:
    execute(keeper, "sh", "-c", "echo an entry > /data/kept")
    before = pod(keeper)
    set_secret(keeper, OTHER_TOKEN)
    steps = json.loads(keeper.pulumi("preview", "--json").stdout)["steps"]
    changed = {step["urn"].rpartition("::")[2]: step["op"] for step in steps if step["op"] != "same"}
    assert {name for name, operation in changed.items() if operation == "update"} == {
        f"{NAME}-deployment",
        f"{NAME}-report-job",
    }
    assert changed.keys() == {f"{NAME}-deployment", f"{NAME}-report-job", f"{NAME}-env"}
    keeper.up()
    assert eventually(lambda: pod(keeper) not in ("", before))
    assert f"TOKEN={OTHER_TOKEN}" in execute(keeper, "cat", ENVIRONMENT).split("\0")
    # What it kept is there in the pod that came after.
    assert execute(keeper, "cat", "/data/kept").strip() == "an entry"


def test_nothing_changes_then(keeper: Checkout) -> None:
    steps = json.loads(keeper.pulumi("preview", "--json").stdout)["steps"]
    assert {step["op"] for step in steps} == {"same"}
