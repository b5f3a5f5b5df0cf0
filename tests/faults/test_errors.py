"""What a user can get wrong: one line each that says what, where and the fix; nothing made, nothing lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from tests.checkout import Checkout

STACK = "faults"


@pytest.fixture
def stack(site: Checkout) -> Iterator[Checkout]:
    """A second stack beside ``dev``, with no addons and no sites of its own yet."""
    made = site.pulumi("stack", "init", stack=STACK)
    assert made.returncode == 0, made.stderr
    configure(
        site, context="inspiration", addons=dict.fromkeys(("dns", "storage", "registry", "ingress", "dashboard"), False)
    )
    yield site
    gone = site.pulumi("destroy", "--yes", "--skip-preview", stack=STACK)
    assert gone.returncode == 0, gone.stdout + gone.stderr
    site.run("pulumi", "stack", "rm", STACK, "--yes", environment=site.environment())
    site.run("git", "clean", "-qfd")


def configure(checkout: Checkout, **keys: object) -> None:
    """Write keys of the second stack's configuration, as its user would in an editor."""
    path = checkout.path / f"Pulumi.{STACK}.yaml"
    document = yaml.safe_load(path.read_text()) if path.exists() else {}
    document.setdefault("config", {}).update({f"inspiration:{key}": value for key, value in keys.items()})
    path.write_text(yaml.safe_dump(document))


def refused(checkout: Checkout, *expected: str) -> None:
    """`pulumi preview` fails with all the texts, without a traceback, and nothing is registered."""
    done = checkout.pulumi("preview", stack=STACK)
    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    for text in expected:
        assert text in said
    assert "Traceback" not in said
    assert resources(checkout) == []


def resources(checkout: Checkout) -> list[str]:
    exported = json.loads(checkout.pulumi("stack", "export", stack=STACK).stdout)
    return [resource["urn"] for resource in exported["deployment"].get("resources", [])]


def test_without_root_up_says_how(site: Checkout) -> None:
    done = site.run("unshare", "--user", "script/up")
    assert done.returncode == 1
    assert "error: the embedded cluster needs root" in done.stderr
    assert "fix: run `sudo script/up`, or put the stack on a cluster of yours" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_docker_and_apt_the_packages_are_named(site: Checkout) -> None:
    hide = "for file in /usr/sbin/dockerd /usr/bin/apt-get; do mount --bind /dev/null $file; done; exec script/up"
    done = site.run("unshare", "--mount", "sh", "-c", hide)
    assert done.returncode == 1
    assert "error: This machine lacks dockerd" in done.stderr
    assert "apt-get install docker.io (Debian, Ubuntu), dnf install moby-engine (Fedora)" in done.stderr


def test_a_cache_without_room_is_refused_before_the_build(site: Checkout, tmp_path: Path) -> None:
    mount = f"mount -t tmpfs -o size=64m tmpfs {tmp_path} && XDG_CACHE_HOME={tmp_path} exec script/up"
    done = site.run("unshare", "--mount", "sh", "-c", mount)
    assert done.returncode == 1
    assert f"error: {tmp_path}/inspiration" in done.stderr
    assert "GB free, building the toolchain needs" in done.stderr
    assert "make room, or set XDG_CACHE_HOME" in done.stderr


@pytest.fixture
def running(site: Checkout) -> Iterator[Checkout]:
    """The stack ``dev``, which serves the site, with files that are put back afterwards."""
    yield site
    site.run("git", "checkout", "-q", ".")
    site.run("git", "clean", "-qfd")


def wildcard(checkout: Checkout) -> None:
    path = checkout.path / "Pulumi.dev.yaml"
    document = yaml.safe_load(path.read_text())
    document["config"]["inspiration:sites"][0] |= {"host": "*.localhost", "replicas": 10**9}
    path.write_text(yaml.safe_dump(document))


def gigabytes(checkout: Checkout) -> None:
    with (checkout.path / "site" / "video.mp4").open("wb") as file:
        file.truncate(5 << 30)


def no_yaml(checkout: Checkout) -> None:
    (checkout.path / "Pulumi.dev.yaml").write_text("config: }\n")


BAD: dict[str, tuple[Callable[[Checkout], None], list[str]]] = {
    "values that aren't allowed": (
        wildcard,
        [
            'inspiration:sites[0].host: "*.localhost" is a wildcard; name one host\n',
            "inspiration:sites[0].replicas: 1000000000 given; allowed: a whole number from 1 to 100\n",
        ],
    ),
    "a folder of gigabytes": (
        gigabytes,
        [
            'inspiration:sites[0].source: "site" holds 5.0 GiB, more than 1.0 GiB (largest: "video.mp4", '
            "5.0 GiB); list what the image doesn't need in site/.dockerignore, or name a ready image\n"
        ],
    ),
    "a stack file that is no YAML": (no_yaml, ["error: getting stack configuration: invalid YAML file: yaml: "]),
}


@pytest.mark.parametrize(("spoil", "expected"), BAD.values(), ids=BAD)
def test_bad_input_changes_nothing_of_what_runs(
    running: Checkout, spoil: Callable[[Checkout], None], expected: list[str]
) -> None:
    before, outputs = deployed(running), running.outputs(secrets=True)
    spoil(running)

    done = running.pulumi("up", "--yes", "--skip-preview")

    said = done.stdout + done.stderr
    assert done.returncode != 0, said
    for text in expected:
        assert text in said
    assert "Traceback" not in said
    running.run("git", "checkout", "-q", ".")
    assert differences(before, deployed(running)) == []
    kept = running.outputs(secrets=True) == outputs  # apart, so that a failure doesn't print the secrets
    assert kept
    answer = httpx.get("http://127.0.0.1/", headers={"Host": "inspiration.localhost"}, timeout=30)
    assert answer.status_code == 200


def deployed(checkout: Checkout) -> dict[str, dict[str, object]]:
    """The resources of the stack ``dev`` by URN, but for the stack itself, which each run registers again.

    Secrets are in clear, since each run may encrypt them anew.
    """
    exported = json.loads(checkout.pulumi("stack", "export", "--show-secrets").stdout)
    resources = exported["deployment"]["resources"]
    return {each["urn"]: each for each in resources if each["type"] != "pulumi:pulumi:Stack"}


def differences(before: dict[str, dict[str, object]], after: dict[str, dict[str, object]]) -> list[tuple[str, str]]:
    """What isn't the same, by URN and key; no values, which may be secrets."""
    return [
        (urn, key)
        for urn in sorted(before.keys() | after.keys())
        for key in sorted(before.get(urn, {}).keys() | after.get(urn, {}).keys())
        if key not in ("created", "modified") and before.get(urn, {}).get(key) != after.get(urn, {}).get(key)
    ]


def test_a_secret_with_a_mistake_in_it_is_not_shown(stack: Checkout) -> None:
    for key in ("certificate", "privateKey"):
        path = f"inspiration:certificateAuthority.{key}"
        assert stack.pulumi("config", "set", "--secret", "--path", path, "canary-7f3a", stack=STACK).returncode == 0
    done = stack.pulumi("preview", stack=STACK)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "inspiration:certificateAuthority: certificate can't be read; allowed: one certificate, PEM\n" in said
    assert "canary-7f3a" not in said


def test_a_folder_that_is_no_site(stack: Checkout) -> None:
    (stack.path / "nothing").mkdir()
    (stack.path / "nothing" / "readme.txt").write_text("no page here")
    configure(stack, sites=[{"name": "nothing", "source": "nothing"}])
    refused(stack, "inspiration:sites[0].source", "index.html", "Dockerfile")


def test_an_unknown_key_with_the_nearest_match(stack: Checkout) -> None:
    configure(stack, domian="example.org")
    refused(stack, "inspiration:domian", "domain")


def test_two_sites_on_one_host(stack: Checkout) -> None:
    configure(stack, sites=[{"name": "one"}, {"name": "two", "host": "one.localhost"}])
    refused(stack, "inspiration:sites[1].host: one.localhost with path / is taken by inspiration:sites[0]")


def test_all_problems_are_told_at_once(stack: Checkout) -> None:
    configure(stack, domian="example.org", context="nowhere")
    configure(stack, sites=[{"name": "One", "replicas": 0}])
    refused(
        stack, "inspiration:domian", "inspiration:context", "inspiration:sites[0].name", "inspiration:sites[0].replicas"
    )


def test_a_kubeconfig_that_is_not_there(stack: Checkout) -> None:
    configure(stack, kubeconfig="/nowhere/kubeconfig")
    refused(stack, "inspiration:kubeconfig", "/nowhere/kubeconfig")


def test_a_context_that_is_not_there(stack: Checkout) -> None:
    configure(stack, context="nowhere")
    refused(stack, 'inspiration:context: "nowhere" given, which isn\'t in', "allowed: inspiration")


def test_a_server_that_is_not_there(stack: Checkout, tmp_path: Path) -> None:
    text = (stack.state / "kubeconfig").read_text().replace("https://10.215.0.2:6443", "https://127.0.0.1:1")
    (tmp_path / "kubeconfig").write_text(text)
    configure(stack, kubeconfig=str(tmp_path / "kubeconfig"))
    configure(stack, sites=[{"name": "unreached", "image": f"localhost:32000/x@sha256:{'0' * 64}"}])

    done = stack.pulumi("up", "--yes", "--skip-preview", stack=STACK)

    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "https://127.0.0.1:1" in said
    assert "Traceback" not in said
    assert not any("kubernetes:core" in urn for urn in resources(stack))


def test_a_dockerfile_that_fails(stack: Checkout) -> None:
    (stack.path / "broken").mkdir()
    (stack.path / "broken" / "Dockerfile").write_text("FROM caddy:2.11.7\nCOPY no-such-file /srv\n")
    configure(stack, sites=[{"name": "broken", "source": "broken"}])

    done = stack.pulumi("up", "--yes", "--skip-preview", stack=STACK)

    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "no-such-file" in said
    assert "Traceback" not in said
    assert not any("kubernetes:apps/v1:Deployment" in urn for urn in resources(stack))
