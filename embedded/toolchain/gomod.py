"""The Go modules of the toolchain, and what each one is built with."""

import hashlib
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

_HERE = Path(__file__).resolve().parent

# Debug information costs a fifth of the time and a third of the size; nobody debugs these binaries.
_FLAGS = ("-trimpath", "-buildvcs=false", "-gcflags=all=-dwarf=false")


@dataclass(frozen=True)
class Module:
    """A Go module whose commands make a part of the toolchain.

    Attributes:
        folder: Where go.mod is; its name is the name of the part.
        product: What its users call it.
        main: The module path whose version is the version of the whole.
        tags: Go build tags.
        stamps: Go variables that the linker sets, and the module path whose version is the value (or "major" or
            "minor", of `main`).
        alone: Commands that go into a build of their own.
        links: Symbolic links to make, and the binary each points to.
    """

    folder: Path
    product: str
    main: str
    stamps: Mapping[str, str]
    tags: tuple[str, ...] = ()
    alone: frozenset[str] = frozenset()
    links: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of the part: ``cluster``."""
        return self.folder.name

    @cached_property
    def versions(self) -> Mapping[str, str]:
        """Module path to version, of all that go.mod requires."""
        return dict(re.findall(r"^(?:require)?\s+(\S+)\s+(v\S+)", self._text, re.MULTILINE))

    @cached_property
    def go(self) -> str:
        """The oldest Go that builds it, ``1.26.6``."""
        versions: list[str] = re.findall(r"^go (\S+)$", self._text, re.MULTILINE)
        return versions[0]

    @property
    def version(self) -> str:
        """Of `main`, with its ``v``."""
        return self.versions[self.main]

    @property
    def title(self) -> str:
        """What it is, for people: ``Kubernetes 1.37.2``."""
        return f"{self.product} {self.version.removeprefix('v')}"

    @cached_property
    def builds(self) -> list[list[str]]:
        """The packages of each ``go build``."""
        blocks = re.findall(r"^tool \(\n(.*?)^\)", self._text, re.MULTILINE | re.DOTALL)
        tools = re.findall(r"^tool ([^\s(]+)$", self._text, re.MULTILINE) + " ".join(blocks).split()
        own = ["./cmd/..."] if (self.folder / "cmd").is_dir() else []
        return [
            own + [tool for tool in tools if tool not in self.alone],
            *([tool] for tool in tools if tool in self.alone),
        ]

    @cached_property
    def flags(self) -> list[str]:
        """What ``go build`` and ``go list`` are given."""
        _, major, minor, *_ = re.split(r"\D", self.version)
        values = {"major": major, "minor": minor}
        stamps = [f"-X {variable}={values.get(of, '') or self.versions[of]}" for variable, of in self.stamps.items()]
        tags = [f"-tags={','.join(self.tags)}"] if self.tags else []
        return [*_FLAGS, *tags, "-ldflags", " ".join(["-s", "-w", *stamps])]

    def key(self, go: str) -> str:
        """Twelve hex digits for everything that determines the binaries; ``go`` is the version of the compiler."""
        digest = hashlib.sha256()
        for part in [platform.machine(), go, *self.flags, *sorted(self.links), *sorted(self.alone)]:
            digest.update(part.encode() + b"\0")
        for path in sorted(path for path in self.folder.rglob("*") if path.is_file()):
            digest.update(str(path.relative_to(self.folder)).encode() + b"\0" + path.read_bytes() + b"\0")
        return digest.hexdigest()[:12]

    @cached_property
    def _text(self) -> str:
        return (self.folder / "go.mod").read_text()


CLUSTER = Module(
    folder=_HERE / "cluster",
    product="Kubernetes",
    main="k8s.io/kubernetes",
    tags=("no_btrfs", "no_zfs", "no_devmapper"),
    stamps={
        "k8s.io/component-base/version.gitVersion": "k8s.io/kubernetes",
        "k8s.io/component-base/version.gitMajor": "major",
        "k8s.io/component-base/version.gitMinor": "minor",
        "k8s.io/client-go/pkg/version.gitVersion": "k8s.io/kubernetes",
        "github.com/containerd/containerd/v2/version.Version": "github.com/containerd/containerd/v2",
        "github.com/distribution/distribution/v3/version.version": "github.com/distribution/distribution/v3",
        "github.com/containernetworking/plugins/pkg/utils/buildversion.BuildVersion": (
            "github.com/containernetworking/plugins"
        ),
        "main.VERSION": "github.com/rancher/local-path-provisioner",
    },
    # It imports "github.com/Sirupsen/logrus", which one command can't load beside everybody else's sirupsen/logrus.
    alone=frozenset({"github.com/rancher/local-path-provisioner"}),
    links=dict.fromkeys(
        (
            "etcd",
            "kube-apiserver",
            "kube-controller-manager",
            "kube-proxy",
            "kube-scheduler",
            "kubectl",
            "kubelet",
        ),
        "kube",
    ),
)

PULUMI = Module(
    folder=_HERE / "pulumi",
    product="Pulumi",
    main="github.com/pulumi/pulumi/pkg/v3",
    stamps={"github.com/pulumi/pulumi/sdk/v3/go/common/version.Version": "github.com/pulumi/pulumi/pkg/v3"},
)
