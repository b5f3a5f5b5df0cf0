"""The provider: what the engine asks of it, in terms of the cluster."""

import asyncio
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pulumi.provider.experimental import provider as sdk
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime.rpc import UNKNOWN

from . import VERSION, annotations, chart, checks, diff, drift, kubeconfig, naming, options, state
from .errors import InitFailedError, Json, NotReadyError, PluginError
from .kinds import Form, Kind, refuse_unsupported, resolve
from .lists import ListOperations
from .operations import Log, Operations, Target
from .values import has_unknown, secret_texts, to_json

if TYPE_CHECKING:
    from .client import Client

_KINDS_OF_CHANGE = {
    (diff.Change.ADD, False): sdk.PropertyDiffKind.ADD,
    (diff.Change.ADD, True): sdk.PropertyDiffKind.ADD_REPLACE,
    (diff.Change.DELETE, False): sdk.PropertyDiffKind.DELETE,
    (diff.Change.DELETE, True): sdk.PropertyDiffKind.DELETE_REPLACE,
    (diff.Change.UPDATE, False): sdk.PropertyDiffKind.UPDATE,
    (diff.Change.UPDATE, True): sdk.PropertyDiffKind.UPDATE_REPLACE,
}


class KubernetesProvider(sdk.Provider):
    """Kubernetes objects as Pulumi resources."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._interrupt = asyncio.Event()
        self._options = options.Options()
        self._connection: kubeconfig.Connection | None = None
        self._client: Client | None = None

    async def get_schema(self, request: sdk.GetSchemaRequest) -> sdk.GetSchemaResponse:  # noqa: ARG002
        """The least that is a schema: the SDK is the official one, which needs none from here."""
        return sdk.GetSchemaResponse(json.dumps({"name": "kubernetes", "version": VERSION, "resources": {}}))

    async def check_config(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        """Refuse options that aren't supported; a kubeconfig's text is a secret."""
        inputs = dict(request.new_inputs)
        given = {key: value for key, value in to_json(inputs).items() if value != UNKNOWN}
        try:
            options.parse(given)
        except PluginError as error:
            return sdk.CheckResponse(inputs, [sdk.CheckFailure("", str(error))])
        if kubeconfig.is_text(given.get("kubeconfig") or ""):
            inputs["kubeconfig"] = inputs["kubeconfig"].with_secret(True)
        return sdk.CheckResponse(inputs)

    async def diff_config(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        """A provider for another cluster is another provider, and its resources are made anew there."""
        old, new = to_json(request.old_state), to_json(request.new_inputs)
        changed = sorted(key for key in {**old, **new} if old.get(key) != new.get(key))
        # `changes` is left to the engine: the SDK would pass it on as another value.
        return sdk.DiffResponse(diffs=changed, replaces=changed if changed and _is_other_cluster(old, new) else [])

    async def configure(self, request: sdk.ConfigureRequest) -> sdk.ConfigureResponse:
        """Find the cluster; it is connected to when first needed."""
        args = to_json(request.args)
        self._options = options.parse(args)
        self._connection = kubeconfig.load(self._options.kubeconfig, self._options.context, self._options.cluster)
        return sdk.ConfigureResponse(accept_secrets=True, supports_preview=True)

    async def cancel(self) -> None:
        """End all waits."""
        self._interrupt.set()
        if self._client is not None:
            self._client.hurry()

    async def close(self) -> None:
        """Close the connections to the cluster."""
        if self._client is not None:
            await self._client.close()

    async def check(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        """Fill in what the program left out, and refuse what isn't supported."""
        inputs = dict(request.new_inputs)
        plain = to_json(inputs)
        try:
            kind = resolve(request.type, plain)
        except PluginError as error:
            return sdk.CheckResponse(inputs, [sdk.CheckFailure("", str(error))])
        failures = [sdk.CheckFailure(path, reason) for path, reason in checks.problems(kind, plain)]
        namespace = self._options.namespace or (self._connection.namespace if self._connection else "default")
        old = to_json(request.old_inputs)
        completed = checks.complete(kind, inputs, old, request.name, request.random_seed, namespace)
        return sdk.CheckResponse(completed, failures)

    async def diff(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        """Compare with the inputs that were applied last, and find out what only a new object can have."""
        recorded, new = to_json(request.old_state), to_json(request.new_inputs)
        old = recorded.get(state.INPUTS) or {}
        kind = resolve(request.type, new)
        found = list(diff.differences(old, new))
        if state.FIELD_MANAGER not in recorded:
            # Imported: fields that the program doesn't name belong to others, and applying it wouldn't remove them.
            found = [difference for difference in found if difference.change is not diff.Change.DELETE]
        replaced = diff.replaced_by(kind, old, new, found, self._options.mutable)
        if found and not replaced and kind.form is Form.OBJECT and not has_unknown(new):
            target = self._target(request.urn, kind, new, recorded, request.ignore_changes)
            refusal = await self._operations(kind).try_update(target, new, recorded)
            replaced = diff.refused_as_immutable(refusal, found) if refusal else []
        replaces = [difference.property_path for difference in replaced]
        if _is_failed_job(kind, new, recorded):
            replaces.append("status")
        detailed = {
            difference.property_path: sdk.PropertyDiff(
                _KINDS_OF_CHANGE[difference.change, difference in replaced], True
            )
            for difference in found
        }
        return sdk.DiffResponse(
            changes=bool(detailed or replaces),
            replaces=replaces,
            delete_before_replace=bool(replaces) and diff.must_delete_first(old, new),
            diffs=sorted({str(difference.path[0]) for difference in found}),
            detailed_diff=detailed,
        )

    async def create(self, request: sdk.CreateRequest) -> sdk.CreateResponse:
        """Make the object, or show what it would be."""
        inputs = to_json(request.properties)
        kind = resolve(request.type, inputs)
        target = self._target(request.urn, kind, inputs, {})
        operations = self._operations(kind)
        with _keeping_secrets(request.properties):
            if request.preview:
                predicted = await operations.preview_create(target, inputs)
                return sdk.CreateResponse("", state.properties(predicted, request.properties, target.manager))
            with _saved(request.urn, kind, request.properties, target.manager):
                live = await operations.create(target, inputs, request.timeout)
        properties = state.properties(live, request.properties, target.manager)
        return sdk.CreateResponse(state.identity(request.urn, kind, live), properties)

    async def update(self, request: sdk.UpdateRequest) -> sdk.UpdateResponse:
        """Apply new inputs to the object, or show what would become of it."""
        inputs, recorded = to_json(request.news), to_json(request.olds)
        kind = resolve(request.type, inputs)
        target = self._target(request.urn, kind, inputs, recorded, request.ignore_changes)
        operations = self._operations(kind)
        with _keeping_secrets(request.news, request.olds):
            if request.preview:
                predicted = await operations.preview_update(target, inputs, recorded)
                return sdk.UpdateResponse(state.properties(predicted, request.news, target.manager))
            with _saved(request.urn, kind, request.news, target.manager):
                live = await operations.update(target, inputs, recorded, request.timeout)
        return sdk.UpdateResponse(state.properties(live, request.news, target.manager))

    async def read(self, request: sdk.ReadRequest) -> sdk.ReadResponse:
        """The object as it is now, for refresh, import and ``.get()``."""
        recorded, known = to_json(request.properties), state.known_inputs(request.properties, request.inputs)
        kind = resolve(request.type, to_json(known))
        if kind.form is Form.LIST and not recorded:
            raise PluginError(f"a {kind.name} can't be imported or looked up as a whole; do so with its items")
        namespace, _, name = request.resource_id.rpartition("/")
        inputs: Json = to_json(known)
        target = self._target(request.urn, kind, {"metadata": {"name": name, "namespace": namespace or None}}, recorded)
        operations = self._operations(kind)
        with _keeping_secrets(known):
            live = await operations.read(target, recorded)
            if live is None:
                return sdk.ReadResponse("")
            if inputs:
                inputs = await operations.live_inputs(target, inputs, recorded, live)
            else:
                inputs = drift.imported_inputs(live)
        # An object that was only imported is nobody's yet, see `diff`.
        manager = recorded.get(state.FIELD_MANAGER)
        checked = state.inputs(inputs, known)
        properties = state.properties(live, checked, manager)
        identity = state.identity(request.urn, kind, live)
        if manager and (reasons := await operations.not_ready(target, live)):
            raise InitFailedError(identity, properties, reasons, checked)
        return sdk.ReadResponse(identity, properties, checked)

    async def delete(self, request: sdk.DeleteRequest) -> None:
        """Delete the object and wait until it's gone."""
        recorded = to_json(request.properties)
        kind = resolve(request.type, recorded)
        namespace, _, name = request.resource_id.rpartition("/")
        target = self._target(request.urn, kind, {"metadata": {"name": name, "namespace": namespace or None}}, recorded)
        try:
            await self._operations(kind).delete(target, recorded, request.timeout)
        except NotReadyError as error:
            raise PluginError("; ".join(error.reasons)) from None

    async def invoke(self, request: sdk.InvokeRequest) -> sdk.InvokeResponse:
        """Refuse functions: rendering YAML, Helm charts and Kustomize folders takes the official plugin."""
        refuse_unsupported(request.tok)
        raise PluginError(f"the embedded kubernetes plugin has no function {request.tok}")

    async def call(self, request: sdk.CallRequest) -> sdk.CallResponse:
        """Refuse methods; there are none."""
        raise PluginError(f"the embedded kubernetes plugin has no method {request.tok}")

    async def construct(self, request: sdk.ConstructRequest) -> sdk.ConstructResponse:
        """Make the objects of a chart; refuse other components: YAML and Kustomize take the official plugin."""
        if request.resource_type == chart.TOKEN:
            return await chart.construct(request, self._connected(), self._options, self._log, self._interrupt)
        refuse_unsupported(request.resource_type)
        raise PluginError(f"the embedded kubernetes plugin has no component {request.resource_type}")

    async def parameterize(self, request: sdk.ParameterizeRequest) -> sdk.ParameterizeResponse:  # noqa: ARG002
        """Refuse packages made from CRDs."""
        raise PluginError("the embedded kubernetes plugin makes no packages from CRDs; use CustomResource")

    def _operations(self, kind: Kind) -> Operations | ListOperations:
        single = Operations(self._connected(), self._options, self._log, self._interrupt)
        return ListOperations(single) if kind.form is Form.LIST else single

    def _connected(self) -> "Client":
        if self._client is None:
            if self._connection is None:
                raise PluginError("the kubernetes provider isn't configured")
            # Imported when first needed: a preview in which nothing has changed asks the cluster nothing, and shouldn't
            # pay for an HTTP client.
            from .client import Client

            self._client = Client(self._connection)
        return self._client

    def _target(self, urn: str, kind: Kind, inputs: Json, recorded: Json, ignored: Iterable[str] = ()) -> Target:
        metadata = inputs.get("metadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        manager = annotations.field_manager(inputs) or recorded.get(state.FIELD_MANAGER) or naming.field_manager(urn)
        return Target(urn, kind, metadata.get("name") or "", metadata.get("namespace"), manager, tuple(ignored))


def _is_other_cluster(old: Json, new: Json) -> bool:
    before, after = options.parse(old), options.parse(new)
    if before.cluster_identifier or after.cluster_identifier:
        return before.cluster_identifier != after.cluster_identifier
    try:
        first = kubeconfig.load(before.kubeconfig, before.context, before.cluster)
        second = kubeconfig.load(after.kubeconfig, after.context, after.cluster)
    except PluginError:
        # What can't be read can't be compared; `configure` says what is wrong with the new one.
        return False
    return first.identity != second.identity


def _is_failed_job(kind: Kind, new: Json, recorded: Json) -> bool:
    conditions = (recorded.get("status") or {}).get("conditions") or []
    failed = any(each.get("type") == "Failed" and each.get("status") == "True" for each in conditions)
    return kind.name == "Job" and failed and annotations.is_on(new, annotations.REPLACE_UNREADY)


@contextmanager
def _saved(urn: str, kind: Kind, inputs: Mapping[str, PropertyValue], manager: str) -> Iterator[None]:
    """Have the engine keep an object that was applied but isn't ready, so that the next update goes on from there."""
    try:
        yield
    except NotReadyError as error:
        properties = state.properties(error.live, inputs, manager)
        raise InitFailedError(state.identity(urn, kind, error.live), properties, error.reasons) from None


@contextmanager
def _keeping_secrets(*values: Mapping[str, PropertyValue]) -> Iterator[None]:
    """Keep secret inputs out of errors: the API server may quote what it refuses."""
    try:
        yield
    except (PluginError, InitFailedError) as error:
        secrets = sorted(
            {text for value in values for text in secret_texts(value) if len(text) > 3}, key=len, reverse=True
        )
        if not any(secret in str(error) for secret in secrets):
            raise
        if isinstance(error, InitFailedError):
            reasons = [_without(secrets, reason) for reason in error.reasons]
            raise InitFailedError(error.resource_id, error.properties, reasons, error.inputs) from None
        raise PluginError(_without(secrets, str(error))) from None


def _without(secrets: list[str], text: str) -> str:
    for secret in secrets:
        text = text.replace(secret, "[secret]")
    return text
