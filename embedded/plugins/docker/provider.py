"""The provider: `docker.Image` as Pulumi's own Docker plugin documents it, and nothing else."""

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from pulumi.provider.experimental import provider as pulumi_provider
from pulumi.provider.experimental.property_value import PropertyValue

from ..shared.errors import PluginError
from ..shared.server import Messages
from ..shared.values import COMPUTED, is_unknown, plain, plain_map
from .context import BuildContext
from .credentials import Credentials
from .diff import differences
from .image import Image, Name, context_of, dockerfile_of, problems
from .values import with_entry

T = TypeVar("T")

IMAGE = "docker:index/image:Image"

INPUTS = "__inputs"
"""Where the state keeps the inputs, as the official plugin has it: the engine hands back only the state."""

REFUSED_OPTIONS = {"context", "caMaterial", "certMaterial", "keyMaterial", "sshOpts"}
"""Provider options that only the official plugin follows."""


class DockerProvider(pulumi_provider.Provider):
    """Builds and pushes images.

    Args:
        messages: Where the user sees progress and warnings.
    """

    def __init__(self, messages: Messages) -> None:
        self._messages = messages
        self._host = ""
        self._certificates = ""
        self._credentials = Credentials()
        self._cancelled = asyncio.Event()

    async def get_schema(  # the SDK calls it with one argument
        self, _: pulumi_provider.GetSchemaRequest
    ) -> pulumi_provider.GetSchemaResponse:
        """Refused: the SDKs come ready-made."""
        raise PluginError("the embedded Docker plugin has no schema; install the official plugin to make SDKs")

    async def check_config(self, request: pulumi_provider.CheckRequest) -> pulumi_provider.CheckResponse:
        """Refuse provider options that only the official plugin follows."""
        failures = [
            pulumi_provider.CheckFailure(
                key, f"provider option {key} is not supported by the embedded Docker plugin; use host or certPath"
            )
            for key, value in sorted(request.new_inputs.items())
            if key in REFUSED_OPTIONS and value.value is not None
        ]
        return pulumi_provider.CheckResponse(inputs=request.new_inputs, failures=failures)

    async def configure(self, request: pulumi_provider.ConfigureRequest) -> pulumi_provider.ConfigureResponse:
        """Take the provider's options; nothing is contacted."""
        options = plain_map(request.args)
        self._host = _text(options.get("host"))
        self._certificates = _text(options.get("certPath"))
        entries = options.get("registryAuth")
        if is_unknown(entries):
            entries = None  # only in a preview, which talks to no registry
        self._credentials = Credentials(json.loads(entries) if isinstance(entries, str) else entries or [])
        return pulumi_provider.ConfigureResponse(accept_secrets=True, supports_preview=True)

    async def check(self, request: pulumi_provider.CheckRequest) -> pulumi_provider.CheckResponse:
        """Validate the inputs and add the digest of the build context to them."""
        _refuse_others(request.type)
        inputs = dict(request.new_inputs)
        values = plain_map(inputs)
        found = list(problems(values))
        if found:
            failures = [pulumi_provider.CheckFailure(property_, reason) for property_, reason in found]
            return pulumi_provider.CheckResponse(inputs=inputs, failures=failures)
        build = values.get("build", {})
        if is_unknown([build.get("context"), build.get("dockerfile")]):
            digest = COMPUTED
        else:
            context = BuildContext(context_of(build), dockerfile_of(build))
            digest = PropertyValue(await asyncio.to_thread(context.digest))
            if build.get("builderVersion") != "BuilderV1":
                context.needs_buildkit()  # said in the preview if it can't be
            if refused := await asyncio.to_thread(self._refusal, build, context.text()):
                failure = pulumi_provider.CheckFailure("build.dockerfile", refused)
                return pulumi_provider.CheckResponse(inputs=inputs, failures=[failure])
        inputs["build"] = with_entry(inputs.get("build"), "contextDigest", digest)
        registry = inputs.get("registry")
        if registry is not None and isinstance(registry.value, Mapping) and "password" in registry.value:
            password = registry.value["password"].with_secret(True)
            inputs["registry"] = with_entry(registry, "password", password)
        return pulumi_provider.CheckResponse(inputs=inputs)

    async def diff(self, request: pulumi_provider.DiffRequest) -> pulumi_provider.DiffResponse:
        """What of the inputs makes another image; where a context lies, and who logs in, doesn't."""
        stored = request.old_state.get(INPUTS)
        old = plain(stored) if stored is not None else {}
        changed = differences(old, plain_map(request.new_inputs), request.ignore_changes)
        return pulumi_provider.DiffResponse(
            changes=bool(changed),
            diffs=sorted({path.split(".")[0] for path in changed}),
            detailed_diff={path: pulumi_provider.PropertyDiff(kind, True) for path, kind in changed.items()},
        )

    async def create(self, request: pulumi_provider.CreateRequest) -> pulumi_provider.CreateResponse:
        """Build and push; in a preview, say what is known without doing so."""
        if request.preview:
            return pulumi_provider.CreateResponse("", _previewed(request.properties))
        outputs = await self._in_thread(partial(self._build_and_push, request.urn, request.properties))
        return pulumi_provider.CreateResponse(_text(plain(request.properties["imageName"])), outputs)

    async def update(self, request: pulumi_provider.UpdateRequest) -> pulumi_provider.UpdateResponse:
        """Build and push again; in a preview, say what is known without doing so."""
        if request.preview:
            return pulumi_provider.UpdateResponse(_previewed(request.news))
        return pulumi_provider.UpdateResponse(
            await self._in_thread(partial(self._build_and_push, request.urn, request.news))
        )

    async def read(self, request: pulumi_provider.ReadRequest) -> pulumi_provider.ReadResponse:
        """Ask the registry whether it still holds the image; one that has vanished is dropped from the state."""
        _refuse_others(request.type)
        if INPUTS not in request.properties:
            raise PluginError(
                f"{request.type} {request.resource_id!r} can't be imported: a registry doesn't say which folder an "
                "image was built from; declare it with its build context, and run pulumi up"
            )
        gone = await self._in_thread(partial(self._is_gone, request.urn, plain_map(request.properties)))
        if gone:
            return pulumi_provider.ReadResponse(resource_id="")
        return pulumi_provider.ReadResponse(request.resource_id, request.properties, request.inputs)

    async def delete(self, request: pulumi_provider.DeleteRequest) -> None:
        """Nothing: as documented, tags are deleted neither locally nor remotely."""

    async def invoke(self, request: pulumi_provider.InvokeRequest) -> pulumi_provider.InvokeResponse:
        """Refused by name."""
        raise PluginError(f"{request.tok} is not supported by the embedded Docker plugin; install the official plugin")

    async def call(self, request: pulumi_provider.CallRequest) -> pulumi_provider.CallResponse:
        """Refused by name."""
        raise PluginError(f"{request.tok} is not supported by the embedded Docker plugin; install the official plugin")

    async def cancel(self) -> None:
        """Give up what is under way."""
        self._cancelled.set()

    def _refusal(self, build: dict[str, Any], dockerfile: str) -> str:
        """Say which image a Dockerfile names that can't be had; empty where there is a registry for it, or none is."""
        from . import made_here

        def present(image: str) -> bool:
            from .engine import Engine, EngineOptions

            try:
                return Engine(EngineOptions(self._host, self._certificates)).has(image)
            except PluginError:
                return False  # a preview does without the Engine

        arguments = build.get("args", {})
        known = made_here.names()
        if not known or is_unknown(arguments):
            return ""
        return "; ".join(made_here.refusal(dockerfile_of(build), dockerfile, arguments, known, present) or ())

    def _build_and_push(self, urn: str, inputs: dict[str, PropertyValue]) -> dict[str, PropertyValue]:
        from . import registry
        from .engine import Engine, EngineOptions

        image = Image.of(plain_map(inputs))
        report = partial(self._messages.status, urn)
        report(f"Building {image.text}")
        engine = Engine(EngineOptions(self._host, self._certificates))
        built = engine.build(image, report)
        digest = built.id
        if not image.skip_push:
            login = self._credentials.login(image)
            pushed = engine.push(image, login, report)
            digest = f"{image.name.repository}@{pushed}"
            try:
                held = registry.digest_of(image.name, pushed, login)
            except registry.UnreachableError as error:
                # Another machine's Engine may reach registries that this machine doesn't.
                self._messages.warn(urn, f"{image.text} was pushed, but that could not be verified: {error}")
            else:
                if held != pushed:
                    raise PluginError(
                        f"registry {image.registry_server} does not hold {pushed} of {image.text} right after it was "
                        "pushed; check that the Docker Engine and this machine mean the same registry by that name"
                    )
        return _outputs(inputs, image) | {
            "platform": PropertyValue(built.platform),
            "repoDigest": PropertyValue(digest),
        }

    def _is_gone(self, urn: str, state: dict[str, Any]) -> bool:
        from . import registry

        image = Image.of(state[INPUTS])
        _, at, digest = _text(state.get("repoDigest")).rpartition("@")
        if image.skip_push or not at:
            return False
        name = Name.parse(_text(state.get("imageName")))
        try:
            return registry.digest_of(name, digest, self._credentials.login(image)) is None
        except registry.UnreachableError as error:
            self._messages.warn(urn, f"not refreshed: {error}")
            return False

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """The result of ``work``, which blocks; an error as soon as Pulumi is cancelled."""
        working = asyncio.ensure_future(asyncio.to_thread(work))
        cancelled = asyncio.ensure_future(self._cancelled.wait())
        await asyncio.wait({working, cancelled}, return_when=asyncio.FIRST_COMPLETED)
        cancelled.cancel()
        if not working.done():
            raise PluginError("was cancelled")
        return working.result()


def _outputs(inputs: dict[str, PropertyValue], image: Image) -> dict[str, PropertyValue]:
    return {
        "baseImageName": PropertyValue(image.text),
        "imageName": PropertyValue(image.text),
        "registryServer": PropertyValue(image.registry_server),
        "context": PropertyValue(str(image.context)),
        "dockerfile": PropertyValue(os.path.relpath(image.dockerfile, image.context)),
        INPUTS: PropertyValue(inputs),
    }


def _previewed(inputs: dict[str, PropertyValue]) -> dict[str, PropertyValue]:
    """Outputs without a build: what the inputs say, and a digest that only the registry will know."""
    values = plain_map(inputs)
    unknown = {"repoDigest": COMPUTED, "platform": COMPUTED}
    if is_unknown(values):
        names = ("baseImageName", "imageName", "registryServer", "context", "dockerfile")
        return unknown | dict.fromkeys(names, COMPUTED)
    return _outputs(inputs, Image.of(values)) | unknown


def _refuse_others(type_: str) -> None:
    # The SDK hands out the types of the parents too: `a:b:Parent$docker:index/image:Image`.
    type_ = type_.rpartition("$")[2]
    if type_ != IMAGE:
        raise PluginError(f"{type_} is not supported by the embedded Docker plugin; install the official plugin")


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
