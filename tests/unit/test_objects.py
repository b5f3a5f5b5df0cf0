"""The Kubernetes objects that the components make, as data: what a user of them relies on."""

import json
from collections.abc import Callable
from typing import Any, Literal

import pytest

from components import manifests
from components.addons.dashboard import component as dashboard
from components.addons.dashboard import headlamp, kube_web_view
from components.addons.dns import component as dns
from components.addons.ingress import NodePorts
from components.addons.ingress import component as ingress
from components.addons.jaeger import component as jaeger
from components.addons.knative import gateway, programs
from components.addons.logs import collector, loki
from components.addons.metrics_server import component as metrics_server
from components.addons.prometheus import objects as prometheus
from components.addons.registry import component as registry
from components.addons.registry import prune, pruning
from components.addons.storage import component as storage
from components.ingress import IngressOptions
from components.manifests import Manifest
from components.site import component as site
from components.site import network, routes, workload
from components.site.options import SiteOptions
from components.urls import url

IMAGE = f"localhost:32000/blog@sha256:{'0' * 64}"
BLOG = SiteOptions(name="blog", image=IMAGE, host="blog.localhost", health_path="/healthz")
TRAEFIK = ingress.daemon_set("ingress", "traefik", IngressOptions(), on_host=True)
IMAGES = [
    *(each.IMAGE for each in (dns, storage, registry, ingress, headlamp, kube_web_view, jaeger, collector, loki)),
    *(
        metrics_server.IMAGE,
        prometheus.IMAGE,
        storage.HELPER_IMAGE,
        pruning.IMAGE,
        kube_web_view.CADDY_IMAGE,
        programs.image("queue"),
    ),
]
LETTING_IN: dict[str, Callable[[str | None], Manifest]] = {
    "site": lambda peer: network.network_policy("blog", "blog", BLOG, peer),
    "dashboard": lambda peer: dashboard.network_policy("dashboard", peer),
    "prometheus": lambda peer: prometheus.network_policy("prometheus", peer),
    "jaeger": lambda peer: jaeger.network_policy("jaeger", peer),
    "knative": lambda peer: gateway.network_policy("knative-serving", peer),
}


def container(workload: Manifest) -> dict[str, Any]:
    [only] = workload["spec"]["template"]["spec"]["containers"]
    return only  # type: ignore[no-any-return]


def deployed(options: SiteOptions = BLOG) -> Manifest:
    return workload.deployment_args(workload.Pods("blog", "blog", "blog", IMAGE), options)


@pytest.mark.parametrize("image", IMAGES)
def test_images_name_their_registry(image: str) -> None:
    """CRI-O takes no short names."""
    assert "." in image.partition("/")[0]


@pytest.mark.parametrize("policy", LETTING_IN.values(), ids=LETTING_IN)
def test_only_the_ingress_controller_is_let_in_where_it_is_known(policy: Callable[[str | None], Manifest]) -> None:
    def let_in(peer: str | None) -> Any:
        return policy(peer)["spec"]["ingress"][0].get("from")

    assert let_in(None) is None
    assert let_in("ingress") == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}]


@pytest.mark.parametrize(
    "policy", [LETTING_IN["site"](None), LETTING_IN["jaeger"](None), registry.network_policy("registry", [])]
)
def test_what_only_answers_is_let_out_nowhere(policy: Manifest) -> None:
    assert "Egress" in policy["spec"]["policyTypes"]
    assert policy["spec"]["egress"] == []


@pytest.mark.parametrize(
    "policy", [LETTING_IN["dashboard"](None), LETTING_IN["prometheus"](None), pruning.network_policy("n")]
)
def test_who_asks_the_api_server_is_let_out_to_the_ports_that_distributions_give_it(policy: Manifest) -> None:
    rules = [rule for rule in policy["spec"]["egress"] if "to" not in rule]
    assert {443, 6443, 16443} <= {port["port"] for rule in rules for port in rule["ports"]}


@pytest.mark.parametrize("claim", [registry.volume_claim, prometheus.volume_claim, loki.volume_claim])
def test_a_claim_names_a_storage_class_only_if_there_is_one(claim: Callable[..., Manifest]) -> None:
    assert "storageClassName" not in claim("home", "10Gi", None)["spec"]
    spec = claim("home", "10Gi", "fast")["spec"]
    assert (spec["resources"], spec["storageClassName"]) == ({"requests": {"storage": "10Gi"}}, "fast")


def test_a_site_runs_as_its_options_say() -> None:
    made = deployed(BLOG.model_copy(update={"port": 3000, "replicas": 3, "progress_deadline_seconds": 60}))
    assert (made["spec"]["replicas"], made["spec"]["progressDeadlineSeconds"]) == (3, 60)
    assert container(made)["image"] == IMAGE
    assert container(made)["ports"] == [{"name": "http", "containerPort": 3000}]
    assert container(made)["resources"] == {
        "requests": {"cpu": "10m", "memory": "32Mi"},
        "limits": {"cpu": "500m", "memory": "128Mi"},
    }
    probes = [container(made)[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")]
    assert probes == [{"path": "/healthz", "port": "http"}] * 3


@pytest.mark.parametrize(
    ("options", "surge"),
    [
        ({}, "100%"),
        ({"replicas": 4}, "100%"),
        ({"replicas": 5}, "25%"),
        ({"autoscale": {"max": 3, "cpu": 50}}, "25%"),
    ],
)
def test_an_update_of_a_site_never_has_fewer_pods_than_it_should(options: dict[str, Any], surge: str) -> None:
    """Few come all at once."""
    many = SiteOptions.model_validate({"name": "blog", "image": IMAGE, "host": "blog.localhost", **options})
    assert deployed(many)["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": surge}


def test_a_pod_of_a_site_has_time_to_end_after_its_pause() -> None:
    pause = container(deployed())["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pause < deployed()["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]


def test_the_ingress_of_a_site_leads_to_its_container() -> None:
    made = routes.ingress("blog", "blog", "blog", None, "public", BLOG.model_copy(update={"path": "/en"}))
    # Without a controller there is an error after so many seconds.
    assert made["metadata"]["annotations"] == {"pulumi.com/timeoutSeconds": "180"}
    assert made["spec"].keys() == {"ingressClassName", "rules"}
    assert made["spec"]["ingressClassName"] == "public"
    [rule] = made["spec"]["rules"]
    [path] = rule["http"]["paths"]
    assert (rule["host"], path["path"], path["pathType"]) == ("blog.localhost", "/en", "Prefix")
    [port] = site.service_args("blog", "blog")["spec"]["ports"]
    assert path["backend"] == {"service": {"name": "blog", "port": {"name": port["name"]}}}
    assert [port["targetPort"]] == [each["name"] for each in container(deployed())["ports"]]


@pytest.mark.parametrize(
    ("scheme", "path", "port", "expected"),
    [
        ("http", "/", 80, "http://blog.localhost/"),
        ("http", "/en", 80, "http://blog.localhost/en"),
        ("http", "/", 8080, "http://blog.localhost:8080/"),
        ("http", "/", 443, "http://blog.localhost:443/"),
        ("https", "/", 443, "https://blog.localhost/"),
        ("https", "/", 8443, "https://blog.localhost:8443/"),
    ],
)
def test_urls_have_the_port_only_if_it_is_not_the_default(
    scheme: Literal["http", "https"], path: str, port: int, expected: str
) -> None:
    assert url(scheme, "blog.localhost", port, path) == expected


def test_a_namespace_has_its_pod_security_level_in_all_modes() -> None:
    labels = manifests.namespace_args("blog", "site", "restricted")["metadata"]["labels"]
    modes = {key: value for key, value in labels.items() if key.startswith("pod-security.")}
    assert modes == {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}


def test_a_drain_is_never_blocked_for_ever() -> None:
    """As `minAvailable: 1` would block it where there is one pod."""
    spec = manifests.disruption_budget("blog", "blog", "site")["spec"]
    assert spec["maxUnavailable"] == 1
    assert "minAvailable" not in spec


@pytest.mark.parametrize(
    ("first", "tenth"),
    [
        ("10.96.0.1", "10.96.0.10"),
        ("10.43.0.1", "10.43.0.10"),
        ("10.152.183.1", "10.152.183.10"),
        ("fd00::1", "fd00::a"),
    ],
)
def test_the_conventional_address_of_the_dns(first: str, tenth: str) -> None:
    assert dns.tenth_address(first) == tenth


@pytest.mark.parametrize(
    ("upstream", "line"),
    [
        (None, "    forward . /etc/resolv.conf {"),
        (["1.1.1.1", "9.9.9.9"], "    forward . 1.1.1.1 9.9.9.9 {"),
    ],
)
def test_names_outside_the_cluster_are_forwarded(upstream: list[str] | None, line: str) -> None:
    assert line in dns.corefile(upstream).splitlines()


def test_names_outside_the_cluster_can_be_left_unknown() -> None:
    assert "forward" not in dns.corefile([])


def test_the_dns_listens_where_its_service_looks() -> None:
    made = container(dns.deployment_args("coredns", "coredns", 1, dns.corefile(None)))
    ports = {port["name"]: port["containerPort"] for port in made["ports"]}
    assert dns.corefile(None).startswith(f".:{ports['dns']} {{")
    assert {port["targetPort"] for port in dns.service_args("10.96.0.10")["spec"]["ports"]} == ports.keys()


def test_the_storage_is_where_it_was_asked_for() -> None:
    files = storage.config("/volumes")
    assert json.loads(files["config.json"])["nodePathMap"][0]["paths"] == ["/volumes"]
    [helper] = json.loads(files["helperPod.yaml"])["spec"]["containers"]
    assert helper["image"] == storage.HELPER_IMAGE


def test_another_storage_path_means_new_pods() -> None:
    one, two = (storage.deployment_args("n", "c", "a", storage.config(path)) for path in ("/one", "/two"))
    assert one["spec"]["template"]["metadata"]["annotations"] != two["spec"]["template"]["metadata"]["annotations"]


def test_the_registry_keeps_its_images_on_its_volume() -> None:
    made = registry.deployment_args("container-registry", "config", "claim")
    folder = json.loads(registry.config())["storage"]["filesystem"]["rootdirectory"]
    mounts = {mount["mountPath"]: mount["name"] for mount in container(made)["volumeMounts"]}
    volume = {"name": mounts[folder], "persistentVolumeClaim": {"claimName": "claim"}}
    assert volume in made["spec"]["template"]["spec"]["volumes"]


def test_the_registry_is_on_its_node_port() -> None:
    spec = registry.service_args("container-registry", 31000)["spec"]
    [port] = spec["ports"]
    assert port["nodePort"] == 31000
    # Or nodes would pass on what comes from anywhere under their own address, which is let in.
    assert spec["externalTrafficPolicy"] == "Local"


def test_a_registry_for_nobody_has_no_rule_without_peers_which_would_be_for_everybody() -> None:
    assert registry.network_policy("container-registry", [])["spec"]["ingress"] == []
    [rule] = registry.network_policy("container-registry", ["192.0.2.0/24", "2001:db8::/32"])["spec"]["ingress"]
    assert rule["from"] == [{"ipBlock": {"cidr": "192.0.2.0/24"}}, {"ipBlock": {"cidr": "2001:db8::/32"}}]


def test_old_releases_are_deleted_by_a_pod_beside_the_registry_s() -> None:
    made = pruning.cron_job("container-registry", 7, "script", "account", "claim")
    pod = made["spec"]["jobTemplate"]["spec"]["template"]
    [term] = pod["spec"]["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    registry_s = registry.deployment_args("container-registry", "config", "claim")["spec"]["template"]["metadata"]
    assert term["labelSelector"]["matchLabels"].items() <= registry_s["labels"].items()
    # Not what the registry's policy and Service select.
    assert not registry.network_policy("n", [])["spec"]["podSelector"]["matchLabels"].items() <= (
        pod["metadata"]["labels"].items()
    )
    [only] = pod["spec"]["containers"]
    environment = {each["name"]: each["value"] for each in only["env"]}
    assert environment["KEEP"] == "7"
    package = f"{environment['PYTHONPATH']}/{only['command'][-1]}"
    assert (package, "program") in {(each["mountPath"], each["name"]) for each in only["volumeMounts"]}
    assert (str(prune.VOLUME), "images") in {(each["mountPath"], each["name"]) for each in only["volumeMounts"]}


def test_who_deletes_old_releases_may_see_all_that_names_an_image_and_do_nothing() -> None:
    rules = pruning.cluster_role()["rules"]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"list"}
    assert {resource for rule in rules for resource in rule["resources"]} == {
        path.rpartition("/")[2] for path in prune.workloads.WORKLOADS
    }


def test_the_ingress_controller_answers_for_its_class_and_publishes_its_address() -> None:
    arguments = ingress.arguments(IngressOptions(class_name="public", address="10.0.0.1"))
    provider = "--providers.kubernetesIngressNGINX"
    assert f"{provider}.ingressClass=public" in arguments
    assert f"{provider}.controllerClass={ingress.nginx_class('public')['spec']['controller']}" in arguments
    assert f"{provider}.publishStatusAddress=10.0.0.1" in arguments


def test_the_ingress_controller_holds_the_ports_of_the_host() -> None:
    ports = {port["name"]: port for port in container(TRAEFIK)["ports"]}
    held = [(port["hostPort"], port["containerPort"]) for port in ports.values() if "hostPort" in port]
    assert held == [(80, 8000), (443, 8443)]
    entries = {"--entryPoints.web.address=:8000", "--entryPoints.websecure.address=:8443"}
    assert entries <= set(container(TRAEFIK)["args"])


def test_the_ingress_controller_behind_node_ports_is_two_pods_while_one_is_replaced() -> None:
    made = ingress.daemon_set("ingress", "traefik", IngressOptions(), on_host=False)
    assert made["spec"]["updateStrategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert not [port for port in container(made)["ports"] if "hostPort" in port]
    ports = ingress.node_port_service("ingress", NodePorts(http=30080, https=30443))["spec"]["ports"]
    assert {port["targetPort"]: port["nodePort"] for port in ports} == {"http": 30080, "https": 30443}
    assert {port["targetPort"] for port in ports} <= {port["name"] for port in container(made)["ports"]}


def test_the_ingress_controller_has_started_when_it_answers_for_an_ingress() -> None:
    probe = container(TRAEFIK)["startupProbe"]["httpGet"]
    assert probe["port"] == 8000
    [rule] = ingress.startup_ingress("ingress", "nginx", "itself")["spec"]["rules"]
    assert probe["httpHeaders"] == [{"name": "Host", "value": rule["host"]}]
    [path] = rule["http"]["paths"]
    assert (path["path"], path["pathType"]) == (probe["path"], "Exact")
    # It asks itself where its own probes do.
    [port] = ingress.probed_service("ingress")["spec"]["ports"]
    assert path["backend"]["service"]["port"] == {"name": port["name"]}
    assert port["targetPort"] == container(TRAEFIK)["readinessProbe"]["httpGet"]["port"]
