"""The provider: keys, certificate requests and certificates as Pulumi's own TLS plugin documents them.

There is nothing outside Pulumi's state: what is made is kept there, and deleted with it.
"""

import asyncio
from collections.abc import Mapping

from pulumi.provider.experimental import provider as pulumi_provider
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.provider import PropertyDiff, PropertyDiffKind

from . import certificates
from .errors import PluginError
from .kinds import KINDS, Kind
from .renewal import READY, is_due
from .server import Messages
from .values import COMPUTED, Values, is_unknown, plain_map, significant, to_property

Properties = dict[str, PropertyValue]

REPLACING = {
    PropertyDiffKind.ADD: PropertyDiffKind.ADD_REPLACE,
    PropertyDiffKind.DELETE: PropertyDiffKind.DELETE_REPLACE,
    PropertyDiffKind.UPDATE: PropertyDiffKind.UPDATE_REPLACE,
}


class TlsProvider(pulumi_provider.Provider):
    """Makes keys and certificates.

    Args:
        messages: Where the user sees warnings.
    """

    def __init__(self, messages: Messages) -> None:
        self._messages = messages

    async def get_schema(self, _: pulumi_provider.GetSchemaRequest) -> pulumi_provider.GetSchemaResponse:
        """Refused: the SDKs come ready-made."""
        raise PluginError("the embedded TLS plugin has no schema; install the official plugin to make SDKs")

    async def check_config(self, request: pulumi_provider.CheckRequest) -> pulumi_provider.CheckResponse:
        """Refuse the one provider option, which is for functions that only the official plugin has."""
        failures = []
        if "proxy" in plain_map(request.new_inputs):
            reason = "provider option proxy is not supported by the embedded TLS plugin, which connects to nothing"
            failures.append(pulumi_provider.CheckFailure("proxy", f"{reason}; remove it"))
        return pulumi_provider.CheckResponse(inputs=request.new_inputs, failures=failures)

    async def configure(self, _: pulumi_provider.ConfigureRequest) -> pulumi_provider.ConfigureResponse:
        """Say that secrets and previews are understood."""
        return pulumi_provider.ConfigureResponse(accept_secrets=True, supports_preview=True)

    async def check(self, request: pulumi_provider.CheckRequest) -> pulumi_provider.CheckResponse:
        """Validate the inputs."""
        kind = _kind(request.type)
        # Without the property: the engine would show its value, which may be long, or a secret.
        failures = [pulumi_provider.CheckFailure("", text) for text in kind.problems(plain_map(request.new_inputs))]
        return pulumi_provider.CheckResponse(inputs=_with_secrets(kind, request.new_inputs), failures=failures)

    async def diff(self, request: pulumi_provider.DiffRequest) -> pulumi_provider.DiffResponse:
        """Almost every difference makes another one, and so does the time."""
        kind = _kind(request.type)
        state, inputs = plain_map(request.old_state), kind.complete(plain_map(request.new_inputs))
        details = {
            name: PropertyDiff(change, input_diff=True) for name, change in _differences(kind, state, inputs).items()
        }
        if kind.expires and not is_unknown(early := inputs["earlyRenewalHours"]) and is_due(state, early):
            details[READY] = PropertyDiff(PropertyDiffKind.UPDATE_REPLACE, input_diff=False)
        details = {name: detail for name, detail in details.items() if name not in request.ignore_changes}
        return pulumi_provider.DiffResponse(
            changes=bool(details),
            replaces=sorted(name for name, detail in details.items() if detail.kind in REPLACING.values()),
            diffs=sorted(details),
            detailed_diff=details,
        )

    async def create(self, request: pulumi_provider.CreateRequest) -> pulumi_provider.CreateResponse:
        """Make one; in a preview, say what is known without doing so."""
        kind = _kind(request.type)
        inputs = kind.complete(plain_map(request.properties))
        if request.preview:
            computed = dict.fromkeys(kind.outputs, COMPUTED)
            return pulumi_provider.CreateResponse("", _state(kind, request.properties, computed))
        # In a thread: a large RSA key takes seconds.
        resource_id, made = await asyncio.to_thread(kind.make, inputs)
        if "caCertPem" in inputs and not certificates.is_authority(certificates.load_certificate(inputs["caCertPem"])):
            self._messages.warn(
                request.urn, "caCertPem is not the certificate of a certificate authority: clients may refuse this one"
            )
        outputs = {name: to_property(value, name in kind.secret_outputs) for name, value in made.items()}
        return pulumi_provider.CreateResponse(resource_id, _state(kind, request.properties, outputs))

    async def update(self, request: pulumi_provider.UpdateRequest) -> pulumi_provider.UpdateResponse:
        """Keep what there is: only the early renewal can have changed."""
        kind = _kind(request.type)
        kept = {name: value for name, value in request.olds.items() if name in kind.outputs}
        if kind.expires:
            kept[READY] = PropertyValue(False)
        return pulumi_provider.UpdateResponse(_state(kind, request.news, kept))

    async def read(self, request: pulumi_provider.ReadRequest) -> pulumi_provider.ReadResponse:
        """Say whether a certificate is ready for renewal; all else is in the state and nowhere else."""
        kind = _kind(request.type)
        state = dict(request.properties)
        if kind.outputs.isdisjoint(state):
            raise PluginError(
                f"{request.type.rpartition('$')[2]} {request.resource_id!r} can't be imported: it exists only in the "
                "state of the stack that made it; declare it without import, and run pulumi up to make a new one"
            )
        if kind.expires:
            values = kind.complete(plain_map(state))
            state[READY] = PropertyValue(is_due(values, values["earlyRenewalHours"]))
        return pulumi_provider.ReadResponse(request.resource_id, state, request.inputs)

    async def delete(self, request: pulumi_provider.DeleteRequest) -> None:
        """Nothing: it is gone with the state."""

    async def invoke(self, request: pulumi_provider.InvokeRequest) -> pulumi_provider.InvokeResponse:
        """Refused by name."""
        raise PluginError(f"{request.tok} is not supported by the embedded TLS plugin; install the official plugin")

    async def call(self, request: pulumi_provider.CallRequest) -> pulumi_provider.CallResponse:
        """Refused by name."""
        raise PluginError(f"{request.tok} is not supported by the embedded TLS plugin; install the official plugin")

    async def cancel(self) -> None:
        """Nothing: what is under way ends by itself."""


def _kind(type_: str) -> Kind:
    # The SDK hands out the types of the parents too: `a:b:Parent$tls:index/privateKey:PrivateKey`.
    type_ = type_.rpartition("$")[2]
    if type_ not in KINDS:
        raise PluginError(f"{type_} is not supported by the embedded TLS plugin; install the official plugin")
    return KINDS[type_]


def _differences(kind: Kind, state: Values, inputs: Values) -> dict[str, PropertyDiffKind]:
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
        changes[name] = REPLACING[change] if each.replaces else change
    return changes


def _with_secrets(kind: Kind, inputs: Mapping[str, PropertyValue]) -> Properties:
    """``inputs``, with private keys marked as secrets, whatever the program says."""
    secret = {name for name, each in kind.properties.items() if each.secret}
    return {name: value.with_secret(True) if name in secret else value for name, value in inputs.items()}


def _state(kind: Kind, inputs: Mapping[str, PropertyValue], outputs: Mapping[str, PropertyValue]) -> Properties:
    """The state: the inputs by their own names with the defaults, and the outputs, as the official plugin has it."""
    defaults = {name: to_property(each.default) for name, each in kind.properties.items() if each.default is not None}
    given = {name: value for name, value in inputs.items() if value.value is not None}
    return defaults | _with_secrets(kind, given) | dict(outputs)
