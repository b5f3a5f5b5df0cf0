"""Runs the program against a monitor that records what it registers."""

import asyncio
import json
import runpy
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pulumi
from pulumi.runtime import mocks, rpc
from pulumi.runtime.settings import SETTINGS, configure
from pulumi.runtime.stack import run_in_stack

from settings.cluster_facts import ClusterFacts, Found

PROJECT = Path(__file__).parents[2]
DIGEST = "sha256:" + "5" * 64
READY = [{"name": "ready", "image": f"ghcr.io/me/ready@{DIGEST}"}]
"""Sites that aren't built."""
KUBECONFIG = json.dumps({"contexts": [{"name": "inspiration", "context": {}}], "current-context": "inspiration"})


PUBLISHED = "".join(
    f"""---
kind: CustomResourceDefinition
metadata: {{name: {plural}.gateway.networking.k8s.io, annotations: {{gateway.networking.k8s.io/channel: standard}}}}
spec: {{names: {{plural: {plural}}}}}
"""
    for plural in (
        *("backendtlspolicies", "gatewayclasses", "gateways", "grpcroutes"),
        *("httproutes", "listenersets", "referencegrants", "tlsroutes"),
    )
)
"""As upstream publishes the definitions of the Gateway API, but for what they say of the fields."""


def names(urns: Iterable[str]) -> set[str]:
    """Return the names of the resources ``urns``."""
    return {urn.rpartition("::")[2] for urn in urns}


@dataclass(frozen=True)
class Resource:
    """A resource as the program registered it."""

    urn: str
    type: str
    name: str
    parent: str
    provider: str
    dependencies: frozenset[str]
    property_dependencies: dict[str, frozenset[str]]
    inputs: dict[str, Any]
    secret_outputs: frozenset[str]
    read: bool = False

    @property
    def after(self) -> set[str]:
        """Names of the resources that it waits for, whatever for."""
        return names(self.dependencies)

    def made_of(self, field: str) -> set[str]:
        """Return the names of the resources that its ``field`` has something of."""
        return names(self.property_dependencies.get(field, ()))


@dataclass
class Recording:
    """All that a run of the program registered."""

    resources: dict[str, Resource] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)

    def find(self, kind: str, name: str) -> Resource:
        """Return the resource ``name`` of the type that ends in ``kind``."""
        return next(r for r in self.resources.values() if r.type.endswith(f":{kind}") and r.name == name)

    def types(self) -> set[str]:
        return {resource.type for resource in self.resources.values()}

    def components(self) -> set[str]:
        """Return the classes of the components."""
        return {kind.rpartition(":")[2] for kind in self.types() if kind.startswith("inspiration:")}

    def beyond(self, other: "Recording") -> list[Resource]:
        """Return the resources that ``other`` doesn't have."""
        return [resource for urn, resource in self.resources.items() if urn not in other.resources]

    def owners(self, resources: Iterable[Resource]) -> set[str]:
        """Return the classes of the components that ``resources`` are, or are parts of."""
        owners = map(self.component, (resource.urn for resource in resources))
        return {owner.type.rpartition(":")[2] for owner in owners if owner}

    def component(self, urn: str) -> Resource | None:
        """Return the component that the resource ``urn`` is, or is a part of."""
        resource = self.resources.get(urn)
        while resource and not resource.type.startswith("inspiration:index:"):
            resource = self.resources.get(resource.parent)
        return resource

    def outputs_of(self, component: str, name: str) -> dict[str, Any]:
        """Return the outputs of the ``component`` (its class) of that name."""
        return self.outputs[self.find(component, name).urn]

    @property
    def stack_outputs(self) -> dict[str, Any]:
        return next(outputs for urn, outputs in self.outputs.items() if "pulumi:pulumi:Stack::" in urn)


MADE = {
    "tls:index/privateKey:PrivateKey": ("privateKeyPem", "privateKeyPemPkcs8"),
    "tls:index/certRequest:CertRequest": ("certRequestPem",),
    "tls:index/selfSignedCert:SelfSignedCert": ("certPem",),
    "tls:index/locallySignedCert:LocallySignedCert": ("certPem",),
    "random:index/randomPassword:RandomPassword": ("result", "bcryptHash"),
}
"""Outputs that a provider makes up, by type."""


class Cloud(mocks.Mocks):
    """What the API server, the Docker Engine and the plugins would answer.

    Args:
        preview: Whether it is asked in a preview.
        controller: Controller of the IngressClass that is in the cluster.
    """

    def __init__(self, preview: bool, controller: str = "k8s.io/ingress-nginx") -> None:
        self.preview = preview
        self.controller = controller

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[Any, Any], None]:
        raise AssertionError(f"the program calls no functions, but called {args.token}")

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        if args.resource_id == "default/kubernetes":
            return args.resource_id, {"spec": {"clusterIP": "10.96.0.1"}}
        if args.typ.endswith(":IngressClass") and args.resource_id:
            return args.resource_id, {"spec": {"controller": self.controller}}
        if args.typ.startswith("kubernetes:") and (metadata := args.inputs.get("metadata")):
            metadata.setdefault("name", f"{args.name}-6d8c2f1a")  # which the provider gives, in a preview as well
        if self.preview:
            # As a provider answers for what doesn't exist yet: the inputs, and neither an id nor a digest.
            return "", args.inputs
        if args.typ == "docker:index/image:Image":
            return "image", args.inputs | {"repoDigest": f"{args.inputs['imageName'].rpartition(':')[0]}@{DIGEST}"}
        made = {output: f"{output} of {args.name}\n" for output in MADE.get(args.typ, ())}
        return f"{args.name}-id", args.inputs | made


class RecordingMonitor(mocks.MockMonitor):
    """Keeps the requests that the mock monitor of the SDK answers and forgets."""

    def __init__(self, cloud: Cloud, recording: Recording) -> None:
        super().__init__(cloud)
        self.recording = recording

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 the name of the RPC
        response = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        self._record(request, response.urn, request.object)
        return response

    def ReadResource(self, request: Any) -> Any:  # noqa: N802 the name of the RPC
        response = super().ReadResource(request)  # type: ignore[no-untyped-call]
        self._record(request, response.urn, request.properties, read=True)
        return response

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 the name of the RPC
        self.recording.outputs[request.urn] = rpc.deserialize_properties(request.outputs, keep_unknowns=True)
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]

    def _record(self, request: Any, urn: str, inputs: Any, read: bool = False) -> None:
        edges = {} if read else {name: frozenset(d.urns) for name, d in request.propertyDependencies.items()}
        self.recording.resources[urn] = Resource(
            urn=urn,
            type=request.type,
            name=request.name,
            parent=request.parent,
            provider=request.provider,
            dependencies=frozenset(request.dependencies),
            property_dependencies={name: urns for name, urns in edges.items() if urns},
            inputs=rpc.deserialize_properties(inputs, keep_unknowns=True),
            secret_outputs=frozenset(request.additionalSecretOutputs),
            read=read,
        )


def program_in(folder: Path) -> Callable[[], None]:
    """Return the program of the project ``folder``."""

    def program() -> None:
        runpy.run_path(str(folder / "__main__.py"), run_name="__main__")

    return program


def record(
    program: Callable[[], None],
    cloud: Cloud,
    recording: Recording | None = None,
    project: str = "inspiration",
    stack: str = "test",
) -> Recording:
    """Run ``program`` against ``cloud`` and return what it registered; ``recording`` has it too where it fails.

    ``project`` is the name in ``Pulumi.yaml``, ``stack`` that of the stack.
    """
    recording = recording or Recording()
    monitor = RecordingMonitor(cloud, recording)
    # Not mocks.set_mocks: it makes a root resource of its own, and the program would run in a second one.
    configure(
        mocks.MockSettings(  # type: ignore[no-untyped-call]
            monitor=monitor,
            monitor_features=set(monitor.GetDeploymentInfo(None).supportedFeatures),  # type: ignore[no-untyped-call]
            engine=mocks.MockEngine(None),
            project=project,
            stack=stack,
            dry_run=cloud.preview,
            organization=None,
            callbacks=None,
        )
    )
    # What a run that failed has left undone belongs to its event loop, and that is gone.
    SETTINGS.rpc_manager.clear()
    SETTINGS.outputs.clear()
    asyncio.run(run_in_stack(program))
    return recording


def without(config: Mapping[str, Any]) -> ClusterFacts:
    """Return a cluster that has from somebody else what ``config`` switches off, and nothing more."""
    off = {name for name, value in config.get("addons", {}).items() if value is False}
    class_name = config.get("ingress", {}).get("className", "nginx")
    return ClusterFacts(
        stack="test",
        found={
            "storage": (Found("standard", default=True),) if "storage" in off else (),
            "ingress": (Found(class_name),) if "ingress" in off else (),
        },
    )


def run(
    config: Mapping[str, Any],
    preview: bool = False,
    recording: Recording | None = None,
    controller: str = "k8s.io/ingress-nginx",
    facts: ClusterFacts | None = None,
    secrets: Collection[str] | None = None,
    listed: Callable[[str], object] = lambda path: None,
    project: str = "inspiration",
) -> Recording:
    """Run the stack's program with ``config`` (keys without their namespace) and return what it registered.

    Args:
        config: The configuration.
        preview: Whether it runs as in a preview.
        recording: Has what was registered too where the program fails.
        controller: The one of the IngressClass in the cluster.
        facts: What the cluster has already; default: what ``config`` switches off.
        secrets: The keys that were set with ``--secret``; default: those that have to be.
        listed: What the API server has at the path of a list; by default nothing.
        project: The name in ``Pulumi.yaml``.
    """
    values = {"kubeconfig": KUBECONFIG, **config}
    if secrets is None:
        secrets = ["sites"] if any({"secretEnv", "basicAuth"} & site.keys() for site in config.get("sites", ())) else []
    pulumi.runtime.set_all_config(
        {f"{project}:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in values.items()},
        secret_keys=[f"{project}:{key}" for key in secrets],
    )

    known = facts or without(config)
    with (
        patch("settings.cluster_reader.ApiServer") as server,
        patch("settings.cluster_reader.read_facts", lambda _: known),
        patch("settings.releases.await_release"),
        patch("settings.charts.published", lambda _: PUBLISHED),
    ):
        server.return_value.list_metadata = listed
        return record(program_in(PROJECT), Cloud(preview, controller), recording, project)
