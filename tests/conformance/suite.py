"""Kubernetes' end-to-end tests: built as the toolchain is, with the images that they are about."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import docker

from embedded import images, paths
from embedded.images import Source, catalogue
from embedded.images.archive import Archive, Entry, Image, tree
from embedded.images.base import configuration, image
from embedded.images.debian import DebianImage
from embedded.images.load import familiar, load_into_docker
from embedded.progress import Progress
from embedded.toolchain import Toolchain
from embedded.toolchain.build import Builder
from embedded.toolchain.gomod import CLUSTER, Module

UPSTREAM, OURS = "registry.k8s.io", "localhost:32000"
"""The registry of the images, and the one of the cluster, which gets them."""

E2E = Module(
    folder=Path(__file__).resolve().parent / "kubernetes-e2e",
    product="Kubernetes' end-to-end tests",
    main=CLUSTER.main,
    stamps={variable: of for variable, of in CLUSTER.stamps.items() if variable.startswith("k8s.io/")},
    suites={"e2e.test": "k8s.io/kubernetes/test/e2e"},
    sources={
        "kitten": "test/images/kitten/html",
        "nautilus": "test/images/nautilus/html",
        "porter": "test/images/agnhost/porter",
    },
    after=CLUSTER,
)

_PACKAGES = ("bind9-dnsutils", "curl", "iperf", "iproute2", "netcat-openbsd", "socat", "util-linux")
"""What agnhost's Dockerfile installs, by Debian's names."""
_CERTIFICATE = ("localhost.crt", "localhost.key")
_USERS = (
    'echo user-defined-in-image:x:1000:1000::/home/user-defined-in-image:/bin/sh >> "$1/etc/passwd";'
    'echo user-defined-in-image:x:1000: >> "$1/etc/group";'
    'echo group-defined-in-image:x:50000:user-defined-in-image >> "$1/etc/group"'
)
"""Those that a test asks for."""


@dataclass(frozen=True)
class Suite:
    """The tests, where they are.

    Attributes:
        folder: The entry of the cache that has them.
    """

    folder: Path

    @property
    def bin(self) -> Path:
        """Folder with ``e2e.test``, ``ginkgo``, and what the images are made of."""
        return self.folder / "bin"

    def references(self) -> dict[str, list[str]]:
        """Return upstream's complete names of all images that tests may use, by their last part without the tag."""
        command = [str(self.bin / "e2e.test"), "--list-images"]
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        found: dict[str, list[str]] = {}
        for reference in sorted(listed):
            if reference.startswith(f"{UPSTREAM}/"):
                found.setdefault(reference.rpartition(":")[0].removeprefix(f"{UPSTREAM}/"), []).append(reference)
        return found


def provide(progress: Progress) -> Suite:
    """Return the tests, built unless the cache has them.

    Raises:
        Failure: They can't be had.
    """
    builder = Builder([E2E], paths.create_cache("toolchain"), paths.create_cache("log"), progress)
    for missing in builder.missing:
        builder.build(missing)
    return Suite(builder.folders[E2E.name])


def push(suite: Suite, toolchain: Toolchain, client: docker.DockerClient, progress: Progress) -> None:
    """Make the images, and push them into the cluster's registry under all names that tests have for them.

    Raises:
        Failure: One can't be made.
        AssertionError: The registry refuses one.
    """
    references = suite.references()
    sources = _sources(suite, toolchain, references)
    archives = images.provide(sources.values(), progress)
    load_into_docker(client, list(archives.values()))
    for name, source in sources.items():
        for reference in references[name]:
            _push(client, archives[source.name], reference.replace(UPSTREAM, OURS))


def _push(client: docker.DockerClient, archive: Archive, reference: str) -> None:
    repository, _, tag = reference.rpartition(":")
    client.api.tag(familiar(archive.reference), repository, tag)
    said = client.api.push(repository, tag, stream=True, decode=True)
    errors = [each["error"] for each in said if "error" in each]
    assert not errors, f"{reference}: {errors[0]}"


def repositories() -> dict[str, str]:
    """What ``KUBE_TEST_REPO_LIST`` is to say: where the registries' images are."""
    return {
        "promoterE2eRegistry": f"{OURS}/e2e-test-images",
        "gcRegistry": OURS,
        "gcEtcdRegistry": OURS,
    }


def _sources(suite: Suite, toolchain: Toolchain, names: Iterable[str]) -> dict[str, Source]:
    """What makes each image, by its name in the registry; tests that need another one fail, and are known to."""
    ours = {each.name: each for each in catalogue.cluster(toolchain)}
    shell, agnhost = ours["busybox"].entries, Entry("/agnhost", suite.bin / "agnhost")
    debian = _agnhost(suite)
    serves = {"Entrypoint": ["/agnhost"], "Cmd": ["test-webserver"]}
    made: dict[str, Source] = {
        "pause": ours["pause"],
        "etcd": _named("etcd", [*shell, Entry("/usr/local/bin/etcd", toolchain.bin / "etcd")], {}),
        "busybox": ours["busybox"],
        "nginx": ours["nginx"],
        "agnhost": debian,
        "glibc-dns-testing": debian,
        "nonroot": _named("nonroot", [*shell, agnhost], {"Entrypoint": ["/agnhost"], "Cmd": ["pause"], "User": "1234"}),
        "nonewprivs": _named(
            "nonewprivs",
            [*shell, Entry("/usr/local/bin/nnp", suite.bin / "nonewprivs", mode=0o6755)],
            {"Cmd": ["nnp"]},
        ),
        "sample-apiserver": _named(
            "sample-apiserver",
            [Entry("/sample-apiserver", suite.bin / "sample-apiserver")],
            {"Entrypoint": ["/sample-apiserver"]},
        ),
        **{name: _named(name, [agnhost, *tree(suite.folder / name)], serves) for name in ("kitten", "nautilus")},
    }
    return {name: made[last] for name in names if (last := name.rpartition("/")[2]) in made}


def _named(name: str, entries: Sequence[Entry], config: Mapping[str, object]) -> Image:
    return image(f"{UPSTREAM}/{name}:latest", entries, config)


def _agnhost(suite: Suite) -> DebianImage:
    """What most tests use, on Debian where upstream's is on Alpine."""
    reference = f"{UPSTREAM}/e2e-test-images/agnhost:latest"
    return DebianImage(
        reference,
        _PACKAGES,
        configuration(reference, {"Entrypoint": ["/agnhost"], "Cmd": ["pause"]}),
        extra=[
            Entry("/agnhost", suite.bin / "agnhost"),
            Entry("/agnhost-2", target="agnhost", mode=0o777),
            Entry("/uploads"),
            *(Entry(f"/{name}", suite.folder / "porter" / name, mode=0o644) for name in _CERTIFICATE),
        ],
        options=(f"--customize-hook={_USERS}",),
    )
