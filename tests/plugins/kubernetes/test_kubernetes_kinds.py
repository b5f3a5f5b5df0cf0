"""Type tokens, and what is checked without a cluster."""

from typing import Any

import pytest
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime.rpc import UNKNOWN

from embedded.plugins.kubernetes import checks, options
from embedded.plugins.kubernetes.errors import PluginError
from embedded.plugins.kubernetes.kinds import Form, Kind, known_scope, resolve
from embedded.plugins.kubernetes.values import to_json


@pytest.mark.parametrize(
    ("token", "inputs", "kind"),
    [
        ("kubernetes:core/v1:Service", {}, Kind("v1", "Service")),
        ("my:index:Site$my:index:Part$kubernetes:apps/v1:Deployment", {}, Kind("apps/v1", "Deployment")),
        ("kubernetes:apps/v1:DeploymentPatch", {"kind": "Deployment"}, Kind("apps/v1", "Deployment", Form.PATCH)),
        ("kubernetes:apps/v1:DeploymentPatch", {}, Kind("apps/v1", "Deployment", Form.PATCH)),
        ("kubernetes:core/v1:ConfigMapList", {}, Kind("v1", "ConfigMapList", Form.LIST)),
        ("kubernetes:core/v1:List", {"kind": "List"}, Kind("v1", "List", Form.LIST)),
        ("kubernetes:traefik.io/v1alpha1:IngressRouteTCP", {}, Kind("traefik.io/v1alpha1", "IngressRouteTCP")),
        ("kubernetes:example.com/v1:IPAllowList", {"kind": "IPAllowList"}, Kind("example.com/v1", "IPAllowList")),
        ("kubernetes:example.com/v1:DispatchPatch", {"kind": "DispatchPatch"}, Kind("example.com/v1", "DispatchPatch")),
        ("kubernetes:example.com/v1:ThingPatch", {"kind": "Thing"}, Kind("example.com/v1", "Thing", Form.PATCH)),
        ("kubernetes:v1:ConfigMap", {"apiVersion": "v1", "kind": "ConfigMap"}, Kind("v1", "ConfigMap")),
    ],
)
def test_kinds_of_type_tokens(token: str, inputs: dict[str, Any], kind: Kind) -> None:
    assert resolve(token, inputs) == kind


@pytest.mark.parametrize(
    "module", ["helm.sh/v3:Release", "helm.sh/v4:Chart", "yaml/v2:ConfigGroup", "kustomize/v2:Directory"]
)
def test_what_only_the_official_plugin_has(module: str) -> None:
    with pytest.raises(PluginError, match=f"^kubernetes:{module} isn't supported by the embedded kubernetes plugin"):
        resolve(f"kubernetes:{module}", {})


def test_scopes() -> None:
    assert known_scope(Kind("v1", "Namespace")) is False
    assert known_scope(Kind("apps/v1", "Deployment")) is True
    assert known_scope(Kind("example.com/v1", "Thing")) is None


def annotated(**marks: str) -> dict[str, Any]:
    return {"metadata": {"name": "a", "annotations": {f"pulumi.com/{key}": value for key, value in marks.items()}}}


@pytest.mark.parametrize(
    ("kind", "inputs", "found"),
    [
        (Kind("v1", "ConfigMap"), annotated(skipAwait="true", timeoutSeconds="5"), []),
        (
            Kind("v1", "ConfigMap"),
            annotated(timeoutSeconds="1h"),
            [('metadata.annotations["pulumi.com/timeoutSeconds"]', "must be a number of seconds, not '1h'")],
        ),
        (
            Kind("v1", "ConfigMap"),
            annotated(waitFor="x"),
            [
                (
                    'metadata.annotations["pulumi.com/waitFor"]',
                    "isn't supported by the embedded kubernetes plugin; remove it",
                )
            ],
        ),
        (
            Kind("v1", "ConfigMap"),
            annotated(deletionPropagationPolicy="later"),
            [
                (
                    'metadata.annotations["pulumi.com/deletionPropagationPolicy"]',
                    "must be one of Foreground, Background, Orphan, not 'later'",
                )
            ],
        ),
        (
            Kind("v1", "ConfigMap", Form.PATCH),
            {},
            [("metadata.name", "is needed: it says which ConfigMap is to be patched")],
        ),
        (Kind("v1", "ConfigMap"), {"metadata": UNKNOWN}, []),
        (Kind("v1", "ConfigMap", Form.PATCH), {"metadata": UNKNOWN}, []),
        (
            Kind("v1", "List", Form.LIST),
            {"items": [{"metadata": {"name": "a"}}, {"apiVersion": "v1", "kind": "Pod"}]},
            [
                ("items[0]", "needs apiVersion and kind"),
                ("items[1].metadata.name", "is needed: items of a List get no generated names"),
            ],
        ),
    ],
)
def test_problems_of_inputs(kind: Kind, inputs: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert checks.problems(kind, inputs) == found


def complete(kind: Kind, metadata: Any, old: dict[str, Any] | None = None) -> Any:
    inputs = {} if metadata is None else {"metadata": metadata}
    return to_json(checks.complete(kind, inputs, old or {}, "web", b"seed", "here"))["metadata"]


def test_names_and_namespaces_are_filled_in() -> None:
    name = complete(Kind("v1", "Pod"), None)["name"]
    assert complete(Kind("v1", "Pod"), None) == {
        "name": name,
        "namespace": "here",
        "annotations": {"pulumi.com/autonamed": "true"},
    }
    given = PropertyValue({"name": PropertyValue("a"), "namespace": PropertyValue("there")})
    assert complete(Kind("v1", "Pod"), given) == {"name": "a", "namespace": "there"}
    assert complete(Kind("v1", "Namespace"), PropertyValue({"name": PropertyValue("a")})) == {"name": "a"}
    assert complete(Kind("example.com/v1", "Thing"), PropertyValue({"name": PropertyValue("a")})) == {"name": "a"}
    prefix = PropertyValue({"generateName": PropertyValue("x-")})
    assert complete(Kind("v1", "Namespace"), prefix)["name"].startswith("x-")


def test_a_generated_name_is_kept_and_a_given_one_isnt() -> None:
    old = annotated(autonamed="true")
    assert complete(Kind("v1", "Pod"), None, old)["name"] == "a"
    assert complete(Kind("v1", "Pod"), None, {"metadata": {"name": "a"}})["name"].startswith("web-")


def test_unknown_metadata_is_left_alone() -> None:
    assert complete(Kind("v1", "Pod"), PropertyValue(UNKNOWN)) == UNKNOWN
    name = PropertyValue({"name": PropertyValue(UNKNOWN)})
    assert complete(Kind("v1", "Pod"), name) == {"name": UNKNOWN, "namespace": "here"}


def test_secret_metadata_stays_secret() -> None:
    given = PropertyValue({"name": PropertyValue("a")}, is_secret=True)
    completed = checks.complete(Kind("v1", "Pod"), {"metadata": given}, {}, "web", b"", "here")
    assert completed["metadata"].is_secret


def test_options(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = options.parse({"context": "c", "namespace": "", "enablePatchForce": "true", "version": "4.34.2"})
    assert (parsed.context, parsed.namespace, parsed.patch_force, parsed.upsert) == ("c", None, True, False)
    monkeypatch.setenv("PULUMI_K8S_UPSERT_EXISTING_OBJECTS", "1")
    monkeypatch.setenv("PULUMI_K8S_ENABLE_SECRET_MUTABLE", "TRUE")
    assert options.parse({}).upsert
    assert options.parse({}).mutable == frozenset({"Secret"})
    assert not options.parse({"upsertExistingObjects": False}).upsert


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ({"kubeClientSettings": '{"qps": 1}'}, "the provider option kubeClientSettings isn't supported by"),
        ({"renderYamlToDirectory": "x"}, "the provider option renderYamlToDirectory isn't supported by"),
        ({"enableServerSideApply": "false"}, "enableServerSideApply: false isn't supported"),
        ({"enablePatchForce": "yes"}, "enablePatchForce must be true or false"),
    ],
)
def test_options_that_are_refused(args: dict[str, Any], text: str) -> None:
    with pytest.raises(PluginError, match=text):
        options.parse(args)
