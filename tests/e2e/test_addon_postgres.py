"""The addon postgres: a site that asks has a database, which nobody else reaches, and nothing is left of it."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from components.addons.postgres import NAMESPACE
from components.addons.postgres.objects import IMAGE, JOB
from components.manifests import CONTAINER_SECURITY, POD_SECURITY
from tests.checkout import Checkout
from tests.e2e.previews import changes
from tests.pages import script_with
from tests.waiting import eventually

SITE, OTHER = "shop", "inspiration"
CLIENT = "postgres-test"
KINDS = "namespace,job,networkpolicy,persistentvolumeclaim,pod,secret,service,statefulset"


@pytest.fixture(scope="module")
def shop(site: Checkout) -> Iterator[Checkout]:
    """The stack with the addon, and with a site that has a database."""
    image = site.outputs()["images"][OTHER]
    try:
        configure(site, name=SITE, image=image, replicas="1")
        site.up()
        configure(site, database="true")
        site.pulumi("config", "set", "--path", "addons.postgres", "true")
        added = changes(site)
        site.switch_on("postgres")
        assert {name for name, operation in added.items() if operation == "create"} == {
            *(f"postgres-{name}" for name in (
                "namespace", "account", "random", "password", "superuser", "claim", "policy", "jobs-policy",
                "statefulset", "service",
            )),
            "postgres",
            *(f"{SITE}-database{name}" for name in ("", "-password", "-policy", "-url", "-user")),
        }  # fmt: skip
        # Its pods get a variable, and may connect.
        assert {name for name, operation in added.items() if operation == "update"} == {
            f"{SITE}-deployment", f"{SITE}-policy",
        }  # fmt: skip
        yield site
    finally:
        site.restore()


def configure(checkout: Checkout, **options: str) -> None:
    """Give the site options."""
    checkout.configure({f"sites[1].{key}": value for key, value in options.items()})


def secret(checkout: Checkout) -> str:
    """The name of the Secret that the site's pods take the URL from."""
    deployment = json.loads(checkout.kubectl("get", "deployment", "-n", SITE, SITE, "-o", "json"))
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    [variable] = [each for each in container["env"] if each["name"] == "DATABASE_URL"]
    return str(variable["valueFrom"]["secretKeyRef"]["name"])


def url(checkout: Checkout) -> str:
    """The URL of the site's database."""
    held = checkout.kubectl("get", "secret", "-n", SITE, secret(checkout), "-o", "jsonpath={.data.DATABASE_URL}")
    return base64.b64decode(held).decode()


def client(namespace: str) -> dict[str, Any]:
    """A pod with the programs of PostgreSQL, which no policy keeps from connecting anywhere."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": CLIENT, "namespace": namespace},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": POD_SECURITY,
            "containers": [
                {
                    "name": "client",
                    "image": IMAGE,
                    "command": ["sleep", "infinity"],
                    "env": [{"name": "PGCONNECT_TIMEOUT", "value": "3"}],
                    "securityContext": CONTAINER_SECURITY,
                }
            ],
        },
    }


@pytest.fixture(scope="module")
def clients(shop: Checkout) -> Iterator[Checkout]:
    """Pods that ask, in the namespaces of the site and of another one."""
    file = shop.path / "clients.json"
    pods = [client(namespace) for namespace in (SITE, OTHER)]
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": pods}))
    shop.kubectl("apply", "-f", str(file))
    file.unlink()
    for namespace in (SITE, OTHER):
        shop.kubectl("wait", "-n", namespace, f"pod/{CLIENT}", "--for=condition=Ready", "--timeout=120s")
    # Until the program that enforces policies knows the new pod.
    assert eventually(lambda: ask(shop, url(shop), "SELECT 1")[0] == 0)
    yield shop
    for namespace in (SITE, OTHER):
        shop.kubectl("delete", "pod", "-n", namespace, CLIENT)


def ask(checkout: Checkout, database: str, statement: str, namespace: str = SITE) -> tuple[int, str]:
    """Have a statement executed; the exit code of ``psql``, and what it says."""
    done = checkout.run(
        "kubectl", "exec", "-n", namespace, CLIENT, "--",
        "psql", "--no-align", "--tuples-only", database, "--command", statement,
        environment=checkout.environment(),
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def shell(checkout: Checkout, script: str) -> None:
    """Run what a page tells."""
    done = checkout.run("sh", "-euc", script, environment=checkout.environment())
    assert done.returncode == 0, done.stderr


def test_a_site_keeps_what_it_writes_whatever_happens_to_the_server_s_pod(clients: Checkout) -> None:
    code, said = ask(clients, url(clients), "CREATE TABLE entries (text text); INSERT INTO entries VALUES ('hällo')")
    assert code == 0, said
    before = clients.kubectl("get", "pod", "-n", NAMESPACE, "postgres-0", "-o", "jsonpath={.metadata.uid}")
    shell(clients, script_with("docs/addons.md", "rollout restart"))
    clients.kubectl("rollout", "status", "-n", NAMESPACE, "statefulset/postgres", "--timeout=120s")
    after = clients.kubectl("get", "pod", "-n", NAMESPACE, "postgres-0", "-o", "jsonpath={.metadata.uid}")
    assert after != before
    assert eventually(lambda: ask(clients, url(clients), "SELECT text FROM entries") == (0, "hällo\n"))
    # It has ended as it should: there was nothing to mend.
    said = clients.kubectl("logs", "-n", NAMESPACE, "postgres-0", "--all-containers")
    assert "ready to accept connections" in said
    assert "automatic recovery" not in said


def test_a_dump_brings_back_what_was_deleted(clients: Checkout) -> None:
    code, said = ask(clients, url(clients), "CREATE TABLE lost (text text); INSERT INTO lost VALUES ('found')")
    assert code == 0, said
    dump, load = script_with("docs/addons.md", "pg_dump").splitlines()
    shell(clients, dump)
    code, said = ask(clients, url(clients), "DELETE FROM lost")
    assert code == 0, said
    shell(clients, load)
    assert ask(clients, url(clients), "SELECT text FROM lost") == (0, "found\n")


def test_nobody_else_reaches_it(clients: Checkout) -> None:
    code, said = ask(clients, url(clients), "SELECT 1", OTHER)
    assert code != 0
    assert "refused" in said or "timeout" in said
    # And it reaches no other's.
    code, said = ask(clients, f"{url(clients).rpartition('/')[0]}/postgres", "SELECT 1")
    assert code != 0
    assert "no pg_hba.conf entry" in said


def test_the_password_is_in_its_secret_only(clients: Checkout) -> None:
    password = url(clients).partition("@")[0].rpartition(":")[2]
    assert len(password) == 32
    shown = {
        "state": clients.pulumi("stack", "export").stdout,
        "preview": clients.pulumi("preview", "--diff", "--show-sames").stdout,
        "objects": clients.kubectl("get", "events,pod,job,deployment,statefulset", "-A", "-o", "json"),
        "server's log": clients.kubectl("logs", "-n", NAMESPACE, "postgres-0", "--all-containers"),
        "job's log": clients.kubectl("logs", "-n", NAMESPACE, "-l", f"app.kubernetes.io/name={JOB}"),
        "processes": clients.run("ps", "-eo", "args").stdout,
    }
    assert all(text or name == "job's log" for name, text in shown.items())
    assert [name for name, text in shown.items() if password in text] == []


def test_another_password_renews_the_pods_and_keeps_the_data(clients: Checkout) -> None:
    def uid() -> str:
        return clients.kubectl("get", "deployment", "-n", SITE, SITE, "-o", "jsonpath={.metadata.uid}")

    code, said = ask(clients, url(clients), "CREATE TABLE kept (text text)")
    assert code == 0, said
    before, old, held = uid(), url(clients), secret(clients)
    state = json.loads(clients.pulumi("stack", "export").stdout)["deployment"]["resources"]
    [urn] = [each["urn"] for each in state if each["urn"].endswith(f"::{SITE}-database-password")]
    done = clients.pulumi("up", "--yes", "--skip-preview", "--replace", urn)
    assert done.returncode == 0, done.stdout + done.stderr
    assert secret(clients) != held
    assert uid() == before  # it was updated, not replaced
    assert ask(clients, url(clients), "SELECT * FROM kept")[0] == 0
    assert "authentication failed" in ask(clients, old, "SELECT 1")[1]


def test_a_second_update_changes_nothing_and_nothing_is_left(clients: Checkout) -> None:
    unchanged = clients.pulumi("preview", "--expect-no-changes")
    assert unchanged.returncode == 0, unchanged.stdout

    clients.pulumi("config", "rm", "--path", "sites[1].database")
    clients.switch_off("postgres")

    assert not clients.kubectl("get", KINDS, "-A", "-l", "app.kubernetes.io/component=postgres", "-o", "name")
    assert not clients.kubectl("get", "namespace", NAMESPACE, "--ignore-not-found")
    assert eventually(lambda: f"{NAMESPACE}/" not in clients.kubectl("get", "persistentvolume", "-o", "wide"))
