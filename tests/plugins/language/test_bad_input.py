"""Bad input as a user sees it: the lines of the program, from the real engine, and a stack that is as it was."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from embedded.stack import backend_url
from tests.checkout import Checkout
from tests.conftest import PROJECT

KUBECONFIG = json.dumps({"contexts": [{"name": "here"}], "current-context": "here"})
CANARY = "canary-7f3a"


@dataclass
class Stack:
    """A stack of a copy of this checkout, with one site in its state."""

    folder: Path
    variables: dict[str, str]

    def pulumi(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pulumi", *words, "--stack", "bad", "--non-interactive"], cwd=self.folder, env=self.variables,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip

    def export(self) -> dict[str, Any]:
        exported: dict[str, Any] = json.loads(self.pulumi("stack", "export").stdout)
        return exported

    def resources(self) -> list[str]:
        return [resource["urn"] for resource in self.export()["deployment"]["resources"]]

    def configure(self, **keys: object) -> None:
        """Write the stack's configuration, as its user would in an editor."""
        config = {f"inspiration:{key}": value for key, value in {"kubeconfig": KUBECONFIG, **keys}.items()}
        (self.folder / "Pulumi.bad.yaml").write_text(yaml.safe_dump({"config": config}))


@pytest.fixture
def stack(variables: dict[str, str], tmp_path: Path) -> Stack:
    (tmp_path / "state").mkdir()
    copy = Checkout.copy_of(PROJECT, tmp_path / "inspiration")
    made = Stack(copy.path, variables | {"PULUMI_BACKEND_URL": backend_url(tmp_path / "state")})
    done = made.pulumi("stack", "init")
    assert done.returncode == 0, done.stdout
    root = "urn:pulumi:bad::inspiration::pulumi:pulumi:Stack::inspiration-bad"
    site = "urn:pulumi:bad::inspiration::inspiration:index:Site::inspiration"
    state = made.export()
    state["deployment"]["resources"] = [
        {"urn": root, "custom": False, "type": "pulumi:pulumi:Stack"},
        {"urn": site, "custom": False, "type": "inspiration:index:Site", "parent": root},
    ]
    (tmp_path / "deployed.json").write_text(json.dumps(state))
    done = made.pulumi("stack", "import", "--file", str(tmp_path / "deployed.json"))
    assert done.returncode == 0, done.stdout
    return made


def wrong_values(stack: Stack) -> None:
    sites = [
        {"name": "a", "host": "*.localhost", "replicas": 10**9},
        {"name": "b"},
        {"name": "c", "host": "b.localhost"},
    ]
    stack.configure(domian="example.org", sites=sites)


def gigabytes(stack: Stack) -> None:
    stack.configure()
    with (stack.folder / "site" / "video.mp4").open("wb") as file:
        file.truncate(5 << 30)


def a_loop(stack: Stack) -> None:
    stack.configure(sites=[{"name": "a", "source": "loop"}])
    (stack.folder / "loop").symlink_to("loop")


def no_kubeconfig(stack: Stack) -> None:
    stack.configure(kubeconfig=str(stack.folder))


def no_yaml(stack: Stack) -> None:
    (stack.folder / "Pulumi.bad.yaml").write_text("config: }\n")


def a_secret(stack: Stack) -> None:
    stack.configure()
    for key in ("certificate", "privateKey"):
        done = stack.pulumi("config", "set", "--secret", "--path", f"certificateAuthority.{key}", CANARY)
        assert done.returncode == 0, done.stdout


BAD: dict[str, tuple[Callable[[Stack], None], list[str]]] = {
    "values that aren't allowed": (
        wrong_values,
        [
            "inspiration:domian: unknown key; did you mean domain? allowed: kubeconfig, context, domain, prefix, "
            "sites, ingress, registry, certificateAuthority, addons, charts",
            'inspiration:sites[0].host: "*.localhost" is a wildcard; name one host',
            "inspiration:sites[0].replicas: 1000000000 given; allowed: a whole number from 1 to 100",
            "inspiration:sites[2].host: b.localhost with path / is taken by inspiration:sites[1]; "
            "give one of them another host or path",
        ],
    ),
    "a folder of gigabytes": (
        gigabytes,
        [
            'inspiration:sites[0].source: "site" holds 5.0 GiB, more than 1.0 GiB (largest: "video.mp4", '
            "5.0 GiB); list what the image doesn't need in site/.dockerignore, or name a ready image"
        ],
    ),
    "a folder that is a link to itself": (
        a_loop,
        ['inspiration:sites[0].source: "loop" is a symbolic link that leads back to itself; name a folder'],
    ),
    "a kubeconfig that is a folder": (
        no_kubeconfig,
        [
            "inspiration:kubeconfig: {folder} is a folder; allowed: path or text of a kubeconfig, or unset for "
            "$KUBECONFIG or ~/.kube/config; for the embedded cluster run script/up, then eval \"$(script/env)\""
        ],
    ),
    "a stack file that is no YAML": (
        no_yaml,
        ["getting stack configuration: invalid YAML file: yaml: did not find expected node content"],
    ),
    "a secret with a mistake in it": (
        a_secret,
        ["inspiration:certificateAuthority: certificate can't be read; allowed: one certificate, PEM"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "expected"), BAD.values(), ids=BAD)
def test_bad_input_is_told_and_changes_nothing(
    stack: Stack, spoil: Callable[[Stack], None], expected: list[str]
) -> None:
    before = stack.resources()
    spoil(stack)

    done = stack.pulumi("up", "--yes", "--skip-preview")

    assert done.returncode != 0, done.stdout
    # Pulumi puts "error: " before the first one.
    lines = [line.strip().removeprefix("error: ") for line in done.stdout.splitlines()]
    for text in expected:
        assert text.replace("{folder}", str(stack.folder)) in lines, done.stdout
    assert "Traceback" not in done.stdout
    assert CANARY not in done.stdout
    (stack.folder / "Pulumi.bad.yaml").unlink()
    assert stack.resources() == before
