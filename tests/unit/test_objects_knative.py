"""The addon knative's objects, as data."""

import pytest

from components.addons.ingress.component import IMAGE
from components.addons.knative import gateway, programs, roles
from components.addons.knative.definitions import (
    DEFINITIONS,
    FINALIZED,
    SERVING,
    Definition,
    custom_resource_definition,
)
from components.addons.knative.programs import ACTIVATOR, CONTROLLER, PROGRAMS, WEBHOOK, Program
from components.manifests import Manifest

KINDS = (*DEFINITIONS, *FINALIZED)
READ = {"get", "list", "watch"}


def settings(**changed: str) -> dict[str, Manifest]:
    return programs.config_maps(
        "knative-serving",
        changed.get("domain", "knative.localhost"),
        changed.get("stable_window", "60s"),
        changed.get("grace", "30s"),
        changed.get("registry", "localhost:32000"),
    )


def rights(role: Manifest) -> dict[tuple[str, str], set[str]]:
    """The verbs by group and resource."""
    found: dict[tuple[str, str], set[str]] = {}
    for rule in role["rules"]:
        for resource in rule["resources"]:
            found.setdefault((rule["apiGroups"][0], resource), set()).update(rule["verbs"])
    return found


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_a_program_has_what_it_looks_for_and_its_service_leads_to_its_ports(program: Program) -> None:
    spec = programs.deployment(program, "knative-serving", program.account)["spec"]["template"]["spec"]
    [container] = spec["containers"]
    environment = {each["name"] for each in container["env"]}
    assert {"POD_NAME", "SYSTEM_NAMESPACE", "CONFIG_LOGGING_NAME", "CONFIG_OBSERVABILITY_NAME"} <= environment
    targets = {port["targetPort"] for port in programs.service(program, "knative-serving")["spec"]["ports"]}
    assert targets == {port["containerPort"] for port in container["ports"]}


def test_services_have_the_names_by_which_the_programs_find_each_other() -> None:
    names = {programs.service(program, "knative-serving")["metadata"]["name"] for program in PROGRAMS}
    assert names == {"controller", "autoscaler", "activator-service", "webhook"}


def test_the_activator_may_hold_requests_for_long() -> None:
    spec = programs.deployment(ACTIVATOR, "knative-serving", "activator")["spec"]["template"]["spec"]
    assert spec["terminationGracePeriodSeconds"] >= 300  # the default timeoutSeconds of a Revision


def test_the_controller_serves_when_it_has_seen_all_kinds() -> None:
    [container] = programs.deployment(CONTROLLER, "knative-serving", "controller")["spec"]["template"]["spec"][
        "containers"
    ]
    assert container["readinessProbe"]["httpGet"]["path"] == "/readiness"
    assert container["livenessProbe"]["httpGet"]["path"] == "/health"


def test_settings_are_those_of_the_configuration() -> None:
    found = settings(domain="apps.localhost", stable_window="10s", grace="6s", registry="localhost:5000")
    assert found["config-domain"]["data"] == {"apps.localhost": ""}
    assert found["config-autoscaler"]["data"] == {"stable-window": "10s", "scale-to-zero-grace-period": "6s"}
    skipped = found["config-deployment"]["data"]["registries-skipping-tag-resolving"]
    assert "localhost:5000" in skipped.split(",")
    assert found["config-deployment"]["data"]["queue-sidecar-image"].endswith("/queue:v1.23.0")


def test_a_host_is_one_label_before_the_domain() -> None:
    template = settings()["config-network"]["data"]["domain-template"]
    assert template == "{{.Name}}-{{.Namespace}}.{{.Domain}}"
    rules = gateway.ingress("knative-serving", "gateway", "apps.localhost", "nginx")["spec"]["rules"]
    assert [rule["host"] for rule in rules] == ["*.apps.localhost"]


def test_all_settings_are_checked_by_the_webhook() -> None:
    hooks = programs.webhooks("knative-serving", "webhook")
    [hook] = hooks["config"]["webhooks"]
    wanted = hook["objectSelector"]["matchLabels"].items()
    assert all(wanted <= each["metadata"]["labels"].items() for each in settings().values())


def test_nothing_of_knative_is_made_unchecked() -> None:
    hooks = programs.webhooks("knative-serving", "webhook")
    assert {hook["metadata"]["name"] for hook in hooks.values()} == {
        "webhook.serving.knative.dev",
        "validation.webhook.serving.knative.dev",
        "config.webhook.serving.knative.dev",
    }
    for part in ("defaulting", "validation"):
        [hook] = hooks[part]["webhooks"]
        assert hook["name"] == hooks[part]["metadata"]["name"]
        assert hook["failurePolicy"] == "Fail"
        assert hook["clientConfig"]["service"] == {"name": "webhook", "namespace": "knative-serving"}
        resources = [name for rule in hook["rules"] for name in rule["resources"]]
        assert {"services", "routes", "revisions", "podautoscalers", "domainmappings/status"} <= set(resources)
        assert all({"CREATE", "UPDATE"} <= set(rule["operations"]) for rule in hook["rules"])
        # The webhook sorts them, and writes them again where they differ.
        order = [(rule["apiGroups"], rule["apiVersions"], rule["resources"]) for rule in hook["rules"]]
        assert order == sorted(order)
    assert WEBHOOK.environment["WEBHOOK_PORT"] == str(WEBHOOK.ports["https-webhook"][1])


def test_the_controller_changes_knatives_objects_and_what_it_makes_of_them() -> None:
    controller = rights(roles.controller_role())
    for kind in KINDS:
        for suffix in ("", "/status", "/finalizers"):
            assert controller[kind.group, f"{kind.plural}{suffix}"] >= READ | {"create", "update", "patch", "delete"}
    assert controller["apps", "deployments"] >= READ | {"create", "delete"}
    assert controller["", "secrets"] == READ
    assert "create" not in controller["admissionregistration.k8s.io", "mutatingwebhookconfigurations"]
    own = rights(roles.controller_own_role("knative-serving"))
    assert own["", "secrets"] == {"create", "update", "patch"}


def test_people_see_and_change_knative_services() -> None:
    found = roles.people_roles()
    view, edit = rights(found["view"]), rights(found["edit"])
    assert view[SERVING, "services"] == READ
    assert edit[SERVING, "services"] == {"create", "update", "patch", "delete"}
    assert {group for group, _ in edit} == {SERVING}
    for role, manifest in found.items():
        assert manifest["metadata"]["labels"][f"rbac.authorization.k8s.io/aggregate-to-{role}"] == "true"


def test_the_gateway_is_the_traefik_of_the_ingress_controller() -> None:
    spec = gateway.deployment("knative-serving", "gateway", "knative-serving")["spec"]["template"]["spec"]
    [container] = spec["containers"]
    assert container["image"] == IMAGE
    assert {"--experimental.knative=true", "--providers.knative=true"} <= set(container["args"])
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert {f"--entryPoints.{name}.address=:{ports[name]}" for name in ("public", "internal")} <= set(container["args"])


def test_the_gateway_tells_knative_its_services() -> None:
    arguments = dict(each.split("=", 1) for each in gateway.arguments("knative-serving"))
    services = {
        gateway.service(name, "knative-serving", port)["metadata"]["name"]: port
        for name, port in ((gateway.NAME, "public"), (gateway.INTERNAL, "internal"))
    }
    assert services[arguments["--providers.knative.publicService.name"]] == "public"
    assert services[arguments["--providers.knative.privateService.name"]] == "internal"
    assert arguments["--providers.knative.publicEntryPoints"] == "public"
    assert arguments["--providers.knative.privateEntryPoints"] == "internal"


def test_only_the_ingress_controller_comes_in_by_the_public_port() -> None:
    public, internal = gateway.network_policy("knative-serving", "ingress")["spec"]["ingress"]
    assert public["ports"] == [{"port": "public", "protocol": "TCP"}]
    assert public["from"][0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "ingress"}
    assert internal["ports"] == [{"port": "internal", "protocol": "TCP"}]
    assert "from" not in internal


@pytest.mark.parametrize("definition", [*DEFINITIONS, *FINALIZED], ids=lambda definition: definition.plural)
def test_a_definition_has_no_empty_list(definition: Definition) -> None:
    """The API server leaves it out, and Pulumi would show it as missing in each preview."""
    names = custom_resource_definition(definition)["spec"]["names"]
    assert [key for key, value in names.items() if value == []] == []
