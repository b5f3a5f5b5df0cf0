"""The Go modules of the toolchain, and what each one is built with.

To add a program for an addon, make a folder here with its go.mod and go.sum: a ``tool`` line for each of upstream's
commands, a ``cmd`` folder for what has a ``main`` of our own. If it uses Kubernetes' libraries, keep the versions that
the cluster's go.mod has (``exclude`` newer ones): then Go compiles them once for both, and `Module.after` has it wait
for that. Describe it by a `Module`, add that to `ADDONS`, and its image to ``embedded/images/catalogue.py``.
"""

import hashlib
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from embedded.licences import go as licences

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
            "minor", of `main`, or "release").
        alone: Commands that go into a build of their own.
        links: Symbolic links to make, and the binary each points to.
        release: What upstream calls the version, where the tag of `main` isn't that.
        sources: Folders of `main` that are kept beside the binaries: their names there, and their paths in it.
        charts: Helm charts in `main`: where upstream publishes each, as in ``registry.example/charts/NAME`` for both
            ``oci://registry.example/charts/NAME`` and NAME of the repository ``https://registry.example/charts``, and
            its folder in `main`. They get the version of the whole, as upstream's release gives it to them, and
            ``settings.charts.located`` takes them for what upstream publishes there in that version.
        embeds: Files of `main` that commands of our own embed: they are put at the same paths for the build.
        amended: Modules of which some files are ours: where these are, at upstream's paths, by the module's path.
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
    embeds: tuple[str, ...] = ()
    amended: Mapping[str, str] = field(default_factory=dict)
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
        tools = self._lines("tool")
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
        names += [word for pair in (*sorted(self.charts.items()), *sorted(self.amended.items())) for word in pair]
        names += self.embeds
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

PULUMI_KUBERNETES = Module(
    folder=_HERE / "pulumi-kubernetes",
    product="Pulumi's Kubernetes provider",
    main="github.com/pulumi/pulumi-kubernetes/provider/v4",
    # What upstream tags this commit with: https://github.com/pulumi/pulumi-kubernetes/releases/tag/v4.25.0
    release="4.25.0",
    stamps={"github.com/pulumi/pulumi-kubernetes/provider/v4/pkg/version.Version": "release"},
    embeds=tuple(f"cmd/pulumi-resource-kubernetes/{name}.json" for name in ("schema", "terraform-mapping")),
    amended={"github.com/pulumi/pulumi-kubernetes/sdk/v4": "sdk"},
)

KUBE_ROUTER = Module(
    folder=_HERE / "kube-router",
    product="kube-router",
    main="github.com/cloudnativelabs/kube-router/v2",
    stamps={
        "github.com/cloudnativelabs/kube-router/v2/pkg/version.Version": "github.com/cloudnativelabs/kube-router/v2"
    },
    after=CLUSTER,
)

METRICS_SERVER = Module(
    folder=_HERE / "metrics-server",
    product="metrics-server",
    main="sigs.k8s.io/metrics-server",
    stamps={"k8s.io/client-go/pkg/version.gitVersion": "sigs.k8s.io/metrics-server"},
    after=CLUSTER,
)

JAEGER = Module(
    folder=_HERE / "jaeger",
    product="Jaeger",
    main="github.com/jaegertracing/jaeger",
    # Upstream releases both at once: https://github.com/jaegertracing/jaeger/blob/v1.76.0/CHANGELOG.md
    release="2.13.0",
    stamps={"github.com/jaegertracing/jaeger/internal/version.latestVersion": "release"},
)

PROMETHEUS = Module(
    folder=_HERE / "prometheus",
    product="Prometheus",
    main="github.com/prometheus/prometheus",
    release="3.16.0",
    # Of the ways to find targets only that of Kubernetes: the others bring the SDKs of a dozen clouds.
    tags=("remove_all_sd", "enable_kubernetes_sd"),
    stamps={"github.com/prometheus/common/version.Version": "release"},
    # Its module has no built pages, which `embedded.images.prometheus_image` makes of these.
    sources={"ui": "web/ui"},
)

LOKI = Module(
    folder=_HERE / "loki",
    product="Loki",
    main="github.com/grafana/loki/v3",
    stamps={"github.com/grafana/loki/v3/pkg/util/build.Version": "github.com/grafana/loki/v3"},
)

CERT_MANAGER = Module(
    folder=_HERE / "cert-manager",
    product="cert-manager",
    main="github.com/cert-manager/cert-manager",
    stamps={"github.com/cert-manager/cert-manager/pkg/util.AppVersion": "github.com/cert-manager/cert-manager"},
    charts={"quay.io/jetstack/charts/cert-manager": "deploy/charts/cert-manager"},
    after=CLUSTER,
)

OTEL_COLLECTOR = Module(
    folder=_HERE / "otel-collector",
    product="OpenTelemetry Collector",
    main="go.opentelemetry.io/collector/otelcol",
    stamps={"main.version": "go.opentelemetry.io/collector/otelcol"},
)

KNATIVE = Module(
    folder=_HERE / "knative",
    product="Knative Serving",
    main="knative.dev/serving",
    # The module of each release has a version of its own: https://github.com/knative/serving/releases/tag/knative-v1.23.0
    release="1.23.0",
    stamps={"knative.dev/pkg/changeset.rev": "release"},
    after=CLUSTER,
)

ADDONS: Mapping[str, Sequence[Module]] = {
    "cert": (CERT_MANAGER,),
    "jaeger": (JAEGER,),
    "knative": (KNATIVE,),
    "logs": (OTEL_COLLECTOR, LOKI),
    "metrics-server": (METRICS_SERVER,),
    "prometheus": (PROMETHEUS,),
}
"""The modules of each addon that has programs of its own, by its name in ``inspiration:addons``.

They are built when the addon is switched on.
"""
