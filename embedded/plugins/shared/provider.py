"""A provider of resources that are in Pulumi's state and nowhere else: made once, kept there, and deleted with it."""

import asyncio
from collections.abc import Mapping
from typing import NoReturn

from pulumi.provider.experimental import provider as pulumi_provider
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.provider import PropertyDiff, PropertyDiffKind

from .errors import PluginError
from .kinds import Kind
from .values import COMPUTED, Values, plain_map, significant, to_property

Properties = dict[str, PropertyValue]

REPLACING = {
    PropertyDiffKind.ADD: PropertyDiffKind.ADD_REPLACE,
    PropertyDiffKind.DELETE: PropertyDiffKind.DELETE_REPLACE,
    PropertyDiffKind.UPDATE: PropertyDiffKind.UPDATE_REPLACE,
}


class StateProvider(pulumi_provider.Provider):
    """Makes the resources of some kinds.

    Args:
        plugin: What to call the plugin, as in "the embedded ... plugin".
        kinds: The resources by their types.
    """

    def __init__(self, plugin: str, kinds: Mapping[str, Kind]) -> None:
        self._plugin = plugin
        self._kinds = kinds

    def kind(self, type_: str) -> Kind:
        """The kind of a resource.

        Raises:
            PluginError: Only the official plugin has it.
        """
        type_ = own_type(type_)
        if type_ not in self._kinds:
            self._refuse(type_)
        return self._kinds[type_]

    async def get_schema(self, _: pulumi_provider.GetSchemaRequest) -> pulumi_provider.GetSchemaResponse:
        """Refused: the SDKs come ready-made."""
        raise PluginError(f"the embedded {self._plugin} plugin has no schema; install the official plugin to make SDKs")

    async def configure(self, _: pulumi_provider.ConfigureRequest) -> pulumi_provider.ConfigureResponse:
        """Say that secrets and previews are understood."""
        return pulumi_provider.ConfigureResponse(accept_secrets=True, supports_preview=True)

    async def check(self, request: pulumi_provider.CheckRequest) -> pulumi_provider.CheckResponse:
        """Validate the inputs."""
        kind = self.kind(request.type)
        # Without the property: the engine would show its value, which may be long, or a secret.
        failures = [pulumi_provider.CheckFailure("", text) for text in kind.problems(plain_map(request.new_inputs))]
        return pulumi_provider.CheckResponse(inputs=_with_secrets(kind, request.new_inputs), failures=failures)

    async def diff(self, request: pulumi_provider.DiffRequest) -> pulumi_provider.DiffResponse:
        """Almost every difference makes another one."""
        kind = self.kind(request.type)
        state, inputs = plain_map(request.old_state), kind.complete(plain_map(request.new_inputs))
        details = _differences(kind, state, inputs) | self.changes(kind, state, inputs)
        details = {name: detail for name, detail in details.items() if name not in request.ignore_changes}
        return pulumi_provider.DiffResponse(
            changes=bool(details),
            replaces=sorted(name for name, detail in details.items() if detail.kind in REPLACING.values()),
            diffs=sorted(details),
            detailed_diff=details,
        )

    def changes(
        self,
        kind: Kind,  # noqa: ARG002 (all three are for plugins that override it)
        state: Values,  # noqa: ARG002
        inputs: Values,  # noqa: ARG002
    ) -> dict[str, PropertyDiff]:
        """What has changed besides the inputs, by the names of outputs."""
        return {}

    async def create(self, request: pulumi_provider.CreateRequest) -> pulumi_provider.CreateResponse:
        """Make one; in a preview, say what is known without doing so."""
        kind = self.kind(request.type)
        if request.preview:
            computed = dict.fromkeys(kind.outputs, COMPUTED)
            return pulumi_provider.CreateResponse("", _state(kind, request.properties, computed))
        # In a thread: a large RSA key takes seconds.
        resource_id, made = await asyncio.to_thread(kind.make, kind.complete(plain_map(request.properties)))
        outputs = {name: to_property(value) for name, value in made.items()}
        return pulumi_provider.CreateResponse(resource_id, _state(kind, request.properties, outputs))

    async def update(self, request: pulumi_provider.UpdateRequest) -> pulumi_provider.UpdateResponse:
        """Keep what there is, with the inputs that don't make another one."""
        kind = self.kind(request.type)
        kept = {name: value for name, value in request.olds.items() if name in kind.outputs}
        return pulumi_provider.UpdateResponse(_state(kind, request.news, kept))

    async def read(self, request: pulumi_provider.ReadRequest) -> pulumi_provider.ReadResponse:
        """Confirm what is in the state, or import."""
        kind = self.kind(request.type)
        if not kind.outputs.isdisjoint(request.properties):
            return pulumi_provider.ReadResponse(
                request.resource_id, _with_secrets(kind, request.properties), request.inputs
            )
        if kind.load is None:
            raise PluginError(
                f"{own_type(request.type)} {request.resource_id!r} can't be imported: it exists only in the "
                "state of the stack that made it; declare it without import, and run pulumi up to make a new one"
            )
        found = await asyncio.to_thread(kind.load, request.resource_id)
        inputs = {name: to_property(value) for name, value in found.inputs.items()}
        outputs = {name: to_property(value) for name, value in found.outputs.items()}
        return pulumi_provider.ReadResponse(found.id, _state(kind, inputs, outputs), inputs)

    async def delete(self, request: pulumi_provider.DeleteRequest) -> None:
        """Nothing: it is gone with the state."""

    async def invoke(self, request: pulumi_provider.InvokeRequest) -> pulumi_provider.InvokeResponse:
        """Refused by name."""
        self._refuse(request.tok)

    async def call(self, request: pulumi_provider.CallRequest) -> pulumi_provider.CallResponse:
        """Refused by name."""
        self._refuse(request.tok)

    async def cancel(self) -> None:
        """Nothing: what is under way ends by itself."""

    def _refuse(self, token: str) -> NoReturn:
        raise PluginError(
            f"{token} is not supported by the embedded {self._plugin} plugin; install the official plugin"
        )


def own_type(type_: str) -> str:
    """A type without those of the parents: the SDK hands out ``a:b:Parent$tls:index/privateKey:PrivateKey``."""
    return type_.rpartition("$")[2]


def _differences(kind: Kind, state: Values, inputs: Values) -> dict[str, PropertyDiff]:
    """How the inputs differ from those in the state, where the official plugin has them too."""
    changes = {}
    before = kind.complete(state)
    for name, each in kind.properties.items():
        old, new = significant(before.get(name)), significant(inputs.get(name))
        if old == new:
            continue
        change = PropertyDiffKind.UPDATE
        if old is None or new is None:
            change = PropertyDiffKind.ADD if old is None else PropertyDiffKind.DELETE
        changes[name] = PropertyDiff(REPLACING[change] if each.replaces else change, input_diff=True)
    return changes


def _with_secrets(kind: Kind, properties: Mapping[str, PropertyValue]) -> Properties:
    """``properties``, with those that are always secret marked so, whatever the program says."""
    secret = kind.secret_outputs | {name for name, each in kind.properties.items() if each.secret}
    return {name: value.with_secret(True) if name in secret else value for name, value in properties.items()}


def _state(kind: Kind, inputs: Mapping[str, PropertyValue], outputs: Mapping[str, PropertyValue]) -> Properties:
    """The state: the inputs by their own names with the defaults, and the outputs, as the official plugin has it."""
    given = {name: value for name, value in inputs.items() if value.value is not None}
    complete = kind.complete(plain_map(given))
    defaults = {name: to_property(value) for name, value in complete.items() if name not in given}
    return _with_secrets(kind, defaults | given | dict(outputs))
