"""The component ``helm.v4.Chart``: a chart rendered by Helm, whose objects are resources like all others."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.provider import ConstructRequest, ConstructResponse
from pulumi.runtime.settings import is_dry_run

from . import components, helm, manifests, provided
from .errors import Json, KindMissingError, PluginError
from .kinds import Kind, known_scope
from .operations import Log
from .options import Options
from .secrecy import Secrets
from .values import has_unknown, to_json

if TYPE_CHECKING:
    from .client import Client

TOKEN = "kubernetes:helm.sh/v4:Chart"  # noqa: S105 (a type, not a password)

_HOOK = "helm.sh/hook"
_REFUSED = {
    "postRenderer": "change the objects with a transform",
    "verify": "verify the archive before, and give its path",
    "keyring": "verify the archive before, and give its path",
    "username": "download the chart before, and give its path",
    "password": "download the chart before, and give its path",
}
_CERTIFICATES = {"caFile": "ca-file", "certFile": "cert-file", "keyFile": "key-file"}


async def construct(
    request: ConstructRequest, client: "Client", options: Options, log: Log, interrupt: asyncio.Event
) -> ConstructResponse:
    """Render a chart and register its objects.

    Args:
        request: What the engine asks for.
        client: The cluster.
        options: The provider's.
        log: Gets warnings about the chart.
        interrupt: Ends the rendering.

    Raises:
        PluginError: An input isn't supported, or the chart can't be rendered.
    """
    component = pulumi.ComponentResource(request.resource_type, request.name, None, request.options)
    urn = str(await component.urn.future())
    inputs = request.inputs
    if unknown := sorted(key for key, value in inputs.items() if has_unknown(_json(value))):
        log.warn(urn, f"its objects aren't in this preview: {', '.join(unknown)} isn't known yet")
        return await components.constructed(component, None)
    secrets = Secrets(inputs)
    chart = _chart(request.name, inputs, options.namespace or client.connection.namespace)
    try:
        rendered = await helm.render(provided.located(chart), client.connection, client.capabilities, interrupt)
        objects = manifests.parse(rendered.manifest)
        hooks = [each for each in objects if manifests.annotation(each, _HOOK)]
        objects = [each for each in objects if not manifests.annotation(each, _HOOK)]
        await _place(objects, chart.namespace, client)
        prefix = _text(inputs, "resourcePrefix")
        children = components.register(
            component, objects, request.name if prefix is None else prefix, _is_on(inputs, "skipAwait"), secrets
        )
    except PluginError as error:
        raise PluginError(secrets.removed_from(f"chart {chart.reference}: {error}")) from None
    for text in rendered.warnings:
        log.warn(urn, secrets.removed_from(text))
    left_out = [text for each in hooks if (text := _described_hook(each))]
    if left_out and not options.suppress_hook_warnings:
        log.warn(urn, f"hooks of the chart aren't run, as with the official plugin: {', '.join(left_out)}")
    return await components.constructed(component, children)


def _chart(name: str, inputs: Mapping[str, PropertyValue], namespace: str) -> helm.Chart:
    """What the inputs ask for.

    Raises:
        PluginError: For inputs that aren't supported, or are missing.
    """
    options = _fields(inputs, "repositoryOpts")
    for key, way_out in _REFUSED.items():
        if key in options or (key in inputs and _json(inputs[key]) not in (None, False)):
            raise PluginError(
                f"chart {name}: {key} isn't supported by the embedded kubernetes plugin: {way_out}, or install the "
                "official plugin (pulumi plugin install resource kubernetes)"
            )
    reference = _text(inputs, "chart")
    if not reference:
        raise PluginError(f"chart {name}: the input chart is needed: a folder, an archive, a name or a URL")
    repository = _text(options, "repo")
    # "example/web" is a chart of a repository only in a configuration of Helm that the user points to.
    has_own_repositories = os.environ.keys() & {"HELM_CONFIG_HOME", "HELM_REPOSITORY_CONFIG"}
    if not (repository or "://" in reference or has_own_repositories or Path(reference).exists()):
        raise PluginError(
            f"chart {name}: there is no folder or archive {reference} in {Path.cwd()}; correct the path, or give the "
            "repository that has the chart (repositoryOpts.repo)"
        )
    values = inputs.get("valueYamlFiles")
    files: Any = values.value if values is not None and values.value else ()
    return helm.Chart(
        reference,
        release=_text(inputs, "name") or name,
        namespace=_text(inputs, "namespace") or namespace,
        version=_text(inputs, "version"),
        repository=repository,
        values={key: _json(value) for key, value in _fields(inputs, "values").items()},
        value_files=tuple(_content(file.value) for file in files),
        crds=not _is_on(inputs, "skipCrds"),
        devel=_is_on(inputs, "devel"),
        plain_http=_is_on(inputs, "plainHttp"),
        dependency_update=_is_on(inputs, "dependencyUpdate"),
        certificates={flag: _content(options[key].value) for key, flag in _CERTIFICATES.items() if key in options},
    )


async def _place(objects: list[Json], namespace: str, client: "Client") -> None:
    """Put objects that have a namespace into ``namespace``, unless they name one."""
    defined = manifests.defined_scopes(objects)
    for body in objects:
        kind = Kind(body["apiVersion"].removeprefix("core/"), body["kind"])
        body["apiVersion"] = kind.api_version
        if body["metadata"].get("namespace"):
            continue
        scope = known_scope(kind)
        if scope is None:
            scope = defined.get((kind.group, kind.name))
        if scope is None:
            try:
                scope = (await client.endpoint(kind)).namespaced
            except KindMissingError:
                # What defines it may be made first, in the same run.
                if not is_dry_run():
                    raise
                scope = True
        if scope:
            body["metadata"]["namespace"] = namespace


def _described_hook(body: Json) -> str:
    events = manifests.annotation(body, _HOOK)
    # Tests run when somebody asks for them, not when a chart is installed.
    return "" if events.startswith("test") else f"{manifests.describe(body)} ({events})"


def _text(inputs: Mapping[str, PropertyValue], key: str) -> str | None:
    value = inputs.get(key)
    return None if value is None or value.value is None else str(value.value)


def _is_on(inputs: Mapping[str, PropertyValue], key: str) -> bool:
    return key in inputs and inputs[key].value is True


def _fields(inputs: Mapping[str, PropertyValue], key: str) -> Mapping[str, PropertyValue]:
    value = inputs.get(key)
    return value.value if value is not None and isinstance(value.value, Mapping) else {}


def _json(value: PropertyValue) -> Any:
    """As `to_json`, with null, by which values take a chart's default away, and with the text of assets."""
    inner: Any = value.value
    if isinstance(inner, Mapping):
        return {key: _json(item) for key, item in inner.items()}
    if isinstance(inner, tuple):
        return [_json(item) for item in inner]
    return _content(inner) if isinstance(inner, pulumi.Asset | pulumi.Archive) else to_json(value)


def _content(asset: object) -> str:
    if isinstance(asset, pulumi.StringAsset):
        return asset.text
    if isinstance(asset, pulumi.FileAsset):
        try:
            return Path(asset.path).read_text()
        except OSError as error:
            raise PluginError(f"the file {asset.path} can't be read: {error.strerror}") from None
    raise PluginError("archives and remote assets can't be a chart's values or certificates; give a file or its text")
