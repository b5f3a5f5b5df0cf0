"""The Go modules of the toolchain, and what each one is built with; those of addons are in ``embedded/addons``."""

import hashlib
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from embedded.licences import go as licences

FOLDER = Path(__file__).resolve().parent
"""Where the folders of the modules are."""

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
            "minor", of `main`, or "release").
        alone: Commands that go into a build of their own.
        links: Symbolic links to make, and the binary each points to.
        release: What upstream calls the version, where the tag of `main` isn't that.
        sources: Folders of `main` that are kept beside the binaries: their names there, and their paths in it.
        charts: Helm charts in `main`: where upstream publishes each, as in ``registry.example/charts/NAME`` for both
            ``oci://registry.example/charts/NAME`` and NAME of the repository ``https://registry.example/charts``, and
            its folder in `main`. They get the version of the whole, as upstream's release gives it to them, and
            ``settings.charts.located`` takes them for what upstream publishes there in that version.
        manifests: Manifests in `main`: where upstream publishes each, as in ``https://HOST/PATH/install.yaml``, and the
            folder of the files that it is made of. ``settings.charts.published`` reads them.
        embeds: Files of `main` that commands of our own embed: they are put at the same paths for the build.
        amended: Modules of which some files are ours: where these are, at upstream's paths, by the module's path.
        edits: In modules that are amended: a file, a text that it has once, and ours in its place.
        suites: Commands that ``go test`` makes of the tests of a package: the packages, by the commands' names. go.mod
            has a ``tool`` line for each, so that what the tests import is there.
        after: The module that has the same versions of the same libraries: it is built before, and not beside, this
            one, which finds them compiled then.
    """

    folder: Path
    product: str
    main: str
    stamps: Mapping[str, str]
    tags: tuple[str, ...] = ()
    alone: frozenset[str] = frozenset()
    links: Mapping[str, str] = field(default_factory=dict)
    release: str | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    charts: Mapping[str, str] = field(default_factory=dict)
    manifests: Mapping[str, str] = field(default_factory=dict)
    embeds: tuple[str, ...] = ()
    amended: Mapping[str, str] = field(default_factory=dict)
    edits: Sequence[tuple[str, str, str]] = ()
    suites: Mapping[str, str] = field(default_factory=dict)
    after: "Module | None" = None

    @property
    def name(self) -> str:
        """Of the part: ``cluster``."""
        return self.folder.name

    @cached_property
    def versions(self) -> Mapping[str, str]:
        """Module path to version, of all that go.mod requires."""
        return {module: version for module, version, *_ in map(str.split, self._lines("require"))}

    @cached_property
    def go(self) -> str:
        """The oldest Go that builds it, ``1.26.6``."""
        return self._lines("go")[0]

    @property
    def version(self) -> str:
        """Of `main`, with its ``v``."""
        return self.versions[self.main]

    @property
    def title(self) -> str:
        """What it is, for people: ``Kubernetes 1.37.2``."""
        return f"{self.product} {self.release or self.version.removeprefix('v')}"

    @cached_property
    def builds(self) -> list[list[str]]:
        """The packages of each ``go build``."""
        tools = [tool for tool in self._lines("tool") if tool not in self.suites.values()]
        own = ["./cmd/..."] if (self.folder / "cmd").is_dir() else []
        together = own + [tool for tool in tools if tool not in self.alone]
        return [*([together] if together else []), *([tool] for tool in tools if tool in self.alone)]

    @cached_property
    def flags(self) -> list[str]:
        """What ``go build`` and ``go list`` are given."""
        _, major, minor, *_ = re.split(r"\D", self.version)
        values = {"major": major, "minor": minor, "release": self.release}
        stamps = [f"-X {variable}={values.get(of, '') or self.versions[of]}" for variable, of in self.stamps.items()]
        tags = [f"-tags={','.join(self.tags)}"] if self.tags else []
        return [*_FLAGS, *tags, "-ldflags", " ".join(["-s", "-w", *stamps])]

    def key(self, go: str) -> str:
        """Twelve hex digits for everything that determines the binaries; ``go`` is the version of the compiler."""
        digest = hashlib.sha256()
        names = [licences.RECORD, *sorted(self.links), *sorted(self.alone), *sorted(self.sources.values())]
        pairs = (*self.charts.items(), *self.amended.items(), *self.manifests.items(), *self.suites.items())
        names += [word for pair in sorted(pairs) for word in pair]
        names += [*self.embeds, *(word for edit in self.edits for word in edit)]
        for part in [platform.machine(), go, *self.flags, *names]:
            digest.update(part.encode() + b"\0")
        for path in sorted(path for path in self.folder.rglob("*") if path.is_file()):
            digest.update(str(path.relative_to(self.folder)).encode() + b"\0" + path.read_bytes() + b"\0")
        return digest.hexdigest()[:12]

    def _lines(self, directive: str) -> list[str]:
        """What go.mod says after each ``directive``, be it on a line of its own or in a block."""
        text = (self.folder / "go.mod").read_text()
        single = re.findall(rf"^{directive} ([^(\n]+)$", text, re.MULTILINE)
        blocks = re.findall(rf"^{directive} \(\n(.*?)^\)", text, re.MULTILINE | re.DOTALL)
        return single + [line.strip() for block in blocks for line in block.splitlines()]


CLUSTER = Module(
    folder=FOLDER / "cluster",
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

GATEWAY_API = Module(
    folder=FOLDER / "gateway-api",
    product="Gateway API",
    main="sigs.k8s.io/gateway-api",
    stamps={},
    manifests={
        "github.com/kubernetes-sigs/gateway-api/releases/download/v1.5.1/standard-install.yaml": "config/crd/standard"
    },
)
"""No programs: the definitions, for where the configuration routes sites by it."""

PULUMI = Module(
    folder=FOLDER / "pulumi",
    product="Pulumi",
    main="github.com/pulumi/pulumi/pkg/v3",
    stamps={"github.com/pulumi/pulumi/sdk/v3/go/common/version.Version": "github.com/pulumi/pulumi/pkg/v3"},
    amended={"github.com/pulumi/pulumi/pkg/v3": "pkg"},
    edits=(
        ("pkg/backend/snapshot.go", "= manager.defaultServiceLoop", "= manager.groupingServiceLoop"),
        (
            "pkg/backend/snapshot.go",
            'due to equal outputs")\n\t\t\treturn false\n\t\t}\n\n\t\treturn true',
            'due to equal outputs")\n\t\t}\n\n\t\treturn false',  # see grouping.go
        ),
        ("pkg/host/host.go", "plugin.NewLanguageRuntime(host, ctx", "plugin.KeptLanguageRuntime(host, ctx"),
        (
            "pkg/resource/deploy/deployment.go",
            "providers.NewRegistry(ctx, opts.DryRun, builtins)",
            "providers.NewRegistryAhead(ctx, opts.DryRun, builtins, oldResources)",
        ),
        (
            "pkg/resource/deploy/providers/registry.go",
            "provider, err := pctx.Host.Provider(pctx, descriptor, e)",
            "provider, err := provided(ctx, pctx, descriptor, e)",
        ),
        (
            "pkg/engine/deployment.go",
            '"github.com/pulumi/pulumi/pkg/v3/resource/deploy"\n',
            '"github.com/pulumi/pulumi/pkg/v3/resource/deploy"\n'
            '\tahead "github.com/pulumi/pulumi/pkg/v3/resource/deploy/providers"\n',
        ),
        ("pkg/engine/deployment.go", "return deployment.Plugctx.Close()", "return ahead.Close(deployment.Plugctx)"),
    ),
)

PULUMI_KUBERNETES = Module(
    folder=FOLDER / "pulumi-kubernetes",
    product="Pulumi's Kubernetes provider",
    main="github.com/pulumi/pulumi-kubernetes/provider/v4",
    # What upstream tags this commit with: https://github.com/pulumi/pulumi-kubernetes/releases/tag/v4.25.0
    release="4.25.0",
    stamps={"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version.Version": "release"},
    embeds=tuple(f"cmd/pulumi-resource-kubernetes/{name}.json" for name in ("schema", "terraform-mapping")),
    amended={"github.com/pulumi/pulumi-kubernetes/sdk/v4": "sdk"},
)

KUBE_ROUTER = Module(
    folder=FOLDER / "kube-router",
    product="kube-router",
    main="github.com/cloudnativelabs/kube-router/v2",
    stamps={
        "github.com/cloudnativelabs/kube-router/v2/pkg/version.Version": "github.com/cloudnativelabs/kube-router/v2"
    },
    after=CLUSTER,
)
