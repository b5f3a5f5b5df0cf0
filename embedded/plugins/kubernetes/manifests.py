"""From YAML to Kubernetes objects, read as Helm reads it, in the order in which they depend on each other."""

import re
from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter
from typing import Any

import yaml

from .errors import Json, PluginError

DEPENDS_ON = "config.kubernetes.io/depends-on"
"""Annotation with references to other objects, documented by pulumi-kubernetes for components."""

_CRD = "CustomResourceDefinition"

Reference = tuple[str, str, str, str]
"""Group, namespace (empty for none), kind, name."""


class _Loader(yaml.CSafeLoader):
    """YAML 1.1 as Go's yaml.v2 has it: ``1e3`` is a number, ``12:30`` and ``2026-01-02`` are text."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (as the base class has it)
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":int", ":float"))]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_INT = re.compile(r"[-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[1-9][0-9_]*|0)$")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", _INT, list("-+0123456789"))
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


def _integer(loader: yaml.CSafeLoader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node)).replace("_", "")
    digits = text.lstrip("+-")
    is_octal = len(digits) > 1 and digits.isdigit() and digits[0] == "0"
    return int(text, 8) if is_octal else int(text, 0)


_Loader.add_constructor("tag:yaml.org,2002:int", _integer)


def parse(text: str) -> list[Json]:
    """Return the objects of a stream of YAML documents, those inside lists as well.

    Raises:
        PluginError: It isn't YAML, or holds something that isn't a Kubernetes object with a name.
    """
    try:
        documents: list[Any] = list(yaml.load_all(text, Loader=_Loader))
    except yaml.YAMLError as error:
        raise PluginError(f"not valid YAML: {' '.join(str(error).split())}") from None
    return list(_objects(documents))


def _objects(documents: Iterable[Any]) -> Iterable[Json]:
    for each in documents:
        if not each:
            continue
        if not isinstance(each, dict) or not each.get("kind") or not each.get("apiVersion"):
            raise PluginError(f"not a Kubernetes object, which has apiVersion and kind: {_short(each)}")
        if isinstance(each.get("items"), list) and str(each["kind"]).endswith("List"):
            yield from _objects(each["items"])
            continue
        metadata = each.get("metadata")
        if not isinstance(metadata, dict) or not metadata.get("name"):
            raise PluginError(f"an object without metadata.name: {_short(each)}")
        yield each


def _short(value: Any) -> str:
    return f"{str(value)[:80]}…" if len(str(value)) > 80 else str(value)


def annotation(body: Json, name: str) -> str:
    """An annotation of an object; empty if it has none of that name."""
    return str((body["metadata"].get("annotations") or {}).get(name) or "")


def describe(body: Json) -> str:
    """How an object is called in messages: ``Deployment web/site``."""
    _, namespace, kind, name = reference(body)
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"


def reference(body: Json) -> Reference:
    """What tells an object from others."""
    metadata = body["metadata"]
    return _group(body), str(metadata.get("namespace") or ""), str(body["kind"]), str(metadata["name"])


def defined_scopes(objects: Iterable[Json]) -> dict[tuple[str, str], bool]:
    """Whether objects have a namespace, for each group and kind that a CRD among ``objects`` defines."""
    return {_defined(each): each["spec"].get("scope") != "Cluster" for each in objects if each["kind"] == _CRD}


def in_order(objects: list[Json]) -> list[tuple[Json, list[Json]]]:
    """Return each object with those that it depends on, after them.

    An object depends on its Namespace, on the CRD that defines its kind, and on what `DEPENDS_ON` names: the rules of
    the official plugin, which are those of ``sigs.k8s.io/cli-utils``.

    Raises:
        PluginError: An object is there twice, the annotation names something that isn't there, or objects depend on
            each other in a circle.
    """
    there: dict[Reference, Json] = {}
    for each in objects:
        if there.setdefault(reference(each), each) is not each:
            raise PluginError(f"{describe(each)} is there twice")
    namespaces = {each["metadata"]["name"]: reference(each) for each in objects if _is_namespace(each)}
    definitions = {_defined(each): reference(each) for each in objects if each["kind"] == _CRD}
    graph: dict[Reference, list[Reference]] = {}
    for key, each in there.items():
        found = [namespaces.get(key[1]), definitions.get((key[0], key[2])), *_named(each, there)]
        graph[key] = list(dict.fromkeys(needed for needed in found if needed is not None))
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        circle = " → ".join(describe(there[key]) for key in error.args[1])
        raise PluginError(f"objects depend on each other in a circle: {circle}; correct {DEPENDS_ON}") from None
    return [(there[key], [there[needed] for needed in graph[key]]) for key in order]


def _named(body: Json, there: dict[Reference, Json]) -> Iterable[Reference]:
    for text in filter(None, (part.strip() for part in annotation(body, DEPENDS_ON).split(","))):
        key: Reference | None = None
        match text.split("/"):
            case [group, "namespaces", namespace, kind, name]:
                key = (group, namespace, kind, name)
            case [group, kind, name]:
                key = (group, "", kind, name)
        if key is None or key not in there:
            raise PluginError(
                f"{describe(body)}: {DEPENDS_ON} names {text!r}, which isn't among the objects; write "
                "GROUP/namespaces/NAMESPACE/KIND/NAME or GROUP/KIND/NAME"
            )
        yield key


def _group(body: Json) -> str:
    return str(body["apiVersion"]).rpartition("/")[0]


def _defined(crd: Json) -> tuple[str, str]:
    spec = crd["spec"]
    return str(spec["group"]), str(spec["names"]["kind"])


def _is_namespace(body: Json) -> bool:
    return reference(body)[0] == "" and body["kind"] == "Namespace"
