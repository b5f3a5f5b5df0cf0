"""The provider: keys, certificate requests and certificates as Pulumi's own TLS plugin documents them."""

from pulumi.provider.experimental import provider as pulumi_provider
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.provider import PropertyDiff, PropertyDiffKind

from ..shared.kinds import Kind
from ..shared.provider import StateProvider
from ..shared.server import Messages
from ..shared.values import Values, is_unknown, plain_map
from . import certificates
from .kinds import KINDS
from .renewal import READY, is_due


class TlsProvider(StateProvider):
    """Makes keys and certificates.

    Args:
        messages: Where the user sees warnings.
    """

    def __init__(self, messages: Messages) -> None:
        super().__init__("TLS", KINDS)
        self._messages = messages

    async def check_config(self, request: pulumi_provider.CheckRequest) -> pulumi_provider.CheckResponse:
        """Refuse the one provider option, which is for functions that only the official plugin has."""
        failures = []
        if "proxy" in plain_map(request.new_inputs):
            reason = "provider option proxy is not supported by the embedded TLS plugin, which connects to nothing"
            failures.append(pulumi_provider.CheckFailure("proxy", f"{reason}; remove it"))
        return pulumi_provider.CheckResponse(inputs=request.new_inputs, failures=failures)

    def changes(self, kind: Kind, state: Values, inputs: Values) -> dict[str, PropertyDiff]:
        """A certificate is to be made anew when its time is up."""
        if READY not in kind.outputs or is_unknown(early := inputs["earlyRenewalHours"]) or not is_due(state, early):
            return {}
        return {READY: PropertyDiff(PropertyDiffKind.UPDATE_REPLACE, input_diff=False)}

    async def create(self, request: pulumi_provider.CreateRequest) -> pulumi_provider.CreateResponse:
        """Make one, and warn of a certificate that clients may refuse."""
        created = await super().create(request)
        inputs = plain_map(request.properties)
        if not request.preview and "caCertPem" in inputs:
            authority = certificates.load_certificate(inputs["caCertPem"])
            if not certificates.is_authority(authority):
                self._messages.warn(
                    request.urn,
                    "caCertPem is not the certificate of a certificate authority: clients may refuse this one",
                )
        return created

    async def update(self, request: pulumi_provider.UpdateRequest) -> pulumi_provider.UpdateResponse:
        """Keep what there is: only the early renewal can have changed."""
        updated = await super().update(request)
        if READY not in self.kind(request.type).outputs:
            return updated
        return pulumi_provider.UpdateResponse(updated.properties | {READY: PropertyValue(False)})

    async def read(self, request: pulumi_provider.ReadRequest) -> pulumi_provider.ReadResponse:
        """Say whether a certificate is ready for renewal; all else is in the state and nowhere else."""
        found = await super().read(request)
        kind = self.kind(request.type)
        if READY not in kind.outputs:
            return found
        values = kind.complete(plain_map(found.properties))
        ready = PropertyValue(is_due(values, values["earlyRenewalHours"]))
        return pulumi_provider.ReadResponse(found.resource_id, found.properties | {READY: ready}, found.inputs)
