"""Refuses what the program would create, and somebody else has in the cluster already.

Pulumi's Kubernetes provider takes such an object over without a word, and removes it with the stack. So the program
looks for itself, once it has declared everything and before anything is registered; in a preview, too.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

import pulumi

from components.addons.addon import Document
from components.manifests import COMPONENT, INSTANCE, instance
from settings import SettingsError
from settings.cluster_facts import Found, found_in
from settings.problems import qualified

List: TypeAlias = Callable[[str], Document | str | None]
"""Lists the metadata of the objects at a path of the API server: ``None`` if there are none, text if it may not."""


@dataclass(frozen=True)
class Declared:
    """An object with a fixed name, in no namespace, or in one that isn't the stack's."""

    component: str
    kind: str
    name: str
    path: str
    """Of the list that it would be in."""


def declared_by(args: pulumi.ResourceTransformationArgs) -> Declared | None:
    """Return the object that a resource would create; ``None`` if it creates none, or its name isn't fixed."""
    package, _, token = args.type_.partition(":")
    metadata = args.props.get("metadata")
    if package != "kubernetes" or not isinstance(metadata, Mapping) or args.opts.id is not None:
        return None
    name, namespace, labels = metadata.get("name"), metadata.get("namespace"), metadata.get("labels") or {}
    if not isinstance(name, str) or not isinstance(namespace, str | None) or INSTANCE not in labels:
        return None
    version, _, kind = token.partition(":")
    return Declared(labels[COMPONENT], kind, name, list_path(version, kind, namespace))


def list_path(version: str, kind: str, namespace: str | None) -> str:
    """Return where the API server has the objects of a ``kind``; ``version`` is Pulumi's, as in ``core/v1``."""
    group = f"/api/{version.removeprefix('core/')}" if version.startswith("core/") else f"/apis/{version}"
    # The rule by which Kubernetes guesses, too: meta.UnsafeGuessKindToResource of k8s.io/apimachinery.
    lower = kind.lower()
    plural = f"{lower}es" if lower.endswith("s") else f"{lower[:-1]}ies" if lower.endswith("y") else f"{lower}s"
    return f"{group}/namespaces/{namespace}/{plural}" if namespace else f"{group}/{plural}"


def refuse_taken(list_metadata: List) -> None:
    """Have the program fail if the cluster has something of somebody else that it would create.

    To be called before the first resource. Nothing is registered until the program has declared all of them, and what
    it would create has been looked for.
    """
    declared: list[Declared] = []

    async def looked() -> list[pulumi.Resource]:
        # It gets its turn when the program, which waits for nothing, has come to its end.
        if problems := await asyncio.to_thread(lambda: list(taken(declared, list_metadata))):
            raise SettingsError(problems)
        return []

    when_looked = pulumi.ResourceOptions(depends_on=pulumi.Output.from_input(looked()))

    def note(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult:
        if found := declared_by(args):
            declared.append(found)
        return pulumi.ResourceTransformationResult(args.props, pulumi.ResourceOptions.merge(args.opts, when_looked))

    pulumi.runtime.register_stack_transformation(note)


def taken(declared: list[Declared], list_metadata: List) -> Iterator[str]:
    """Yield a problem for each object that is there already, and isn't this stack's."""
    # Not asked for in the threads, which know nothing of Pulumi's context.
    stack = instance()

    def names(path: str) -> Mapping[str, Found]:
        answer = list_metadata(path)
        # What these credentials may not list, they may not create either, and the API server will say so.
        return {each.name: each for each in found_in(answer if isinstance(answer, Mapping) else None, stack)}

    paths = {each.path for each in declared}
    with ThreadPoolExecutor() as pool:
        found = dict(zip(paths, pool.map(names, paths), strict=True))
    for each in declared:
        there = found[each.path].get(each.name)
        if there and there.stack != stack:
            key = qualified(f"addons.{each.component}")
            yield f"{key}: the {each.kind} {each.name} is {there.whose}; set it to false, or remove that {each.kind}"
