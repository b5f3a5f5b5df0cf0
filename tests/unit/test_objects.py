"""The Kubernetes objects that the components make, as data."""

import json
from typing import Any, Literal

import pytest

from components import manifests
from components import site as site_component
from components.addons import dns, ingress, registry, storage
from components.site import SiteArgs
from components.urls import url

DIGEST = "sha256:" + "0" * 64
INGRESS: ingress.IngressControllerArgs = {
    "class_name": "nginx",
    "http_port": 80,
    "https_port": 443,
    "address": "127.0.0.1",
}
SITE: SiteArgs = {
    "image": f"localhost:32000/blog@{DIGEST}",
    "host": "blog.localhost",
    "path": "/",
    "port": 8080,
    "health_path": "/healthz",
    "replicas": 2,
    "progress_deadline_seconds": 300,
    "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "500m", "memory": "128Mi"}},
    "ingress_class": "nginx",
}
WORKLOADS = {
    "dns": dns.deployment("coredns", "coredns", 1, dns.corefile(None)),
    "storage": storage.deployment("local-path-storage", "config", "account", storage.config("/volumes")),
    "registry": registry.deployment("container-registry", "config", "claim"),
    "ingress": ingress.daemon_set("ingress", "traefik", INGRESS),
    "site": site_component.deployment("blog", "blog", "blog", SITE),
}


def pod(workload: str) -> dict[str, Any]:
    return WORKLOADS[workload]["spec"]["template"]["spec"]  # type: ignore[no-any-return]


def container(workload: str) -> dict[str, Any]:
    [only] = pod(workload)["containers"]
    return only  # type: ignore[no-any-return]


@pytest.mark.parametrize("workload", WORKLOADS)
def test_pods_are_restricted(workload: str) -> None:
    security = pod(workload)["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] > 0
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(workload)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
    }


@pytest.mark.parametrize("workload", WORKLOADS)
def test_containers_have_requests_and_a_memory_limit(workload: str) -> None:
    resources = container(workload)["resources"]
    assert {"cpu", "memory"} <= resources["requests"].keys()
    assert "memory" in resources["limits"]


@pytest.mark.parametrize("workload", ["dns", "registry", "ingress", "site"])
def test_what_serves_is_probed(workload: str) -> None:
    assert {"readinessProbe", "livenessProbe"} <= container(workload).keys()


@pytest.mark.parametrize("workload", WORKLOADS)
def test_selectors_select_the_pods(workload: str) -> None:
    spec = WORKLOADS[workload]["spec"]
    assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize("workload", ["dns", "storage", "registry", "ingress"])
def test_images_of_addons_have_complete_names_and_fixed_versions(workload: str) -> None:
    registry_host, _, rest = container(workload)["image"].partition("/")
    assert "." in registry_host
    assert rest.rpartition(":")[2] not in ("", "latest")


@pytest.mark.parametrize("workload", ["site", "registry"])
def test_who_does_not_talk_to_the_api_has_no_token(workload: str) -> None:
    assert pod(workload)["automountServiceAccountToken"] is False


def test_the_deployment_of_a_site() -> None:
    labels = {
        "app.kubernetes.io/name": "blog",
        "app.kubernetes.io/component": "site",
        "app.kubernetes.io/instance": "stack",
        "app.kubernetes.io/part-of": "inspiration",
        "app.kubernetes.io/managed-by": "pulumi",
    }
    probe = {"httpGet": {"path": "/healthz", "port": "http"}, "timeoutSeconds": 2}
    assert WORKLOADS["site"] == {
        "metadata": {
            "name": "blog",
            "namespace": "blog",
            "labels": labels,
            "annotations": {"pulumi.com/deletionPropagationPolicy": "background"},
        },
        "spec": {
            "replicas": 2,
            "revisionHistoryLimit": 3,
            "progressDeadlineSeconds": 300,
            "selector": {"matchLabels": {"app.kubernetes.io/name": "blog"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "serviceAccountName": "blog",
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": 10,
                    "securityContext": manifests.POD_SECURITY,
                    "topologySpreadConstraints": [
                        {
                            "maxSkew": 1,
                            "topologyKey": "kubernetes.io/hostname",
                            "whenUnsatisfiable": "ScheduleAnyway",
                            "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "blog"}},
                        }
                    ],
                    "containers": [
                        {
                            "name": "site",
                            "image": f"localhost:32000/blog@{DIGEST}",
                            "ports": [{"name": "http", "containerPort": 8080}],
                            "startupProbe": {**probe, "periodSeconds": 1, "failureThreshold": 60},
                            "readinessProbe": {**probe, "periodSeconds": 5, "failureThreshold": 2},
                            "livenessProbe": {**probe, "periodSeconds": 10, "failureThreshold": 3},
                            "lifecycle": {"preStop": {"sleep": {"seconds": 3}}},
                            "terminationMessagePolicy": "FallbackToLogsOnError",
                            "resources": SITE["resources"],
                            "securityContext": manifests.CONTAINER_SECURITY,
                            "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
                        }
                    ],
                    "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}],
                },
            },
        },
    }


def test_a_pod_of_a_site_has_time_to_end_after_its_pause() -> None:
    pause = container("site")["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pause < pod("site")["terminationGracePeriodSeconds"]


def test_the_service_of_a_site_names_the_port_of_its_container() -> None:
    [port] = site_component.service("blog", "blog")["spec"]["ports"]
    assert port == {"name": "http", "port": 80, "targetPort": "http"}


def test_the_ingress_of_a_site() -> None:
    made = site_component.ingress("blog", "blog", "blog", None, {**SITE, "path": "/en"})
    # Without a controller there is an error after so many seconds.
    assert made["metadata"]["annotations"] == {"pulumi.com/timeoutSeconds": "180"}
    assert made["spec"] == {
        "ingressClassName": "nginx",
        "rules": [
            {
                "host": "blog.localhost",
                "http": {
                    "paths": [
                        {
                            "path": "/en",
                            "pathType": "Prefix",
                            "backend": {"service": {"name": "blog", "port": {"name": "http"}}},
                        }
                    ]
                },
            }
        ],
    }


def test_the_network_policy_of_the_registry_lets_in_whom_it_is_told() -> None:
    assert registry.network_policy("container-registry", ["192.0.2.0/24", "198.51.100.7/32"])["spec"] == {
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "registry"}},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [
            {
                "from": [{"ipBlock": {"cidr": "192.0.2.0/24"}}, {"ipBlock": {"cidr": "198.51.100.7/32"}}],
                "ports": [{"port": "http", "protocol": "TCP"}],
            }
        ],
        "egress": [],
    }


@pytest.mark.parametrize(
    ("peer", "sources"),
    [
        (None, {}),
        (
            "ingress",
            {"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}]},
        ),
    ],
)
def test_the_network_policy_of_a_site(peer: str | None, sources: dict[str, Any]) -> None:
    assert site_component.network_policy("blog", "blog", 8080, peer)["spec"] == {
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "blog"}},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"ports": [{"port": 8080, "protocol": "TCP"}], **sources}],
        "egress": [],
    }


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
    labels = manifests.namespace("blog", "site", "restricted")["metadata"]["labels"]
    modes = {key: value for key, value in labels.items() if key.startswith("pod-security.")}
    assert modes == {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}


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
    ports = {port["name"]: port["containerPort"] for port in container("dns")["ports"]}
    assert dns.corefile(None).startswith(f".:{ports['dns']} {{")
    assert {port["targetPort"] for port in dns.service("10.96.0.10")["spec"]["ports"]} == ports.keys()


def test_the_storage_is_where_it_was_asked_for() -> None:
    files = storage.config("/volumes")
    assert json.loads(files["config.json"])["nodePathMap"][0]["paths"] == ["/volumes"]
    [helper] = json.loads(files["helperPod.yaml"])["spec"]["containers"]
    assert helper["image"] == storage.HELPER_IMAGE


def test_another_storage_path_means_new_pods() -> None:
    one, two = (storage.deployment("n", "c", "a", storage.config(path)) for path in ("/one", "/two"))
    assert one["spec"]["template"]["metadata"]["annotations"] != two["spec"]["template"]["metadata"]["annotations"]


def test_the_storage_class_is_the_default_one() -> None:
    annotations = storage.local_path_class()["metadata"]["annotations"]
    assert annotations == {"storageclass.kubernetes.io/is-default-class": "true"}


def test_a_claim_may_ask_for_more_later() -> None:
    assert storage.local_path_class()["allow_volume_expansion"] is True


def test_images_can_be_deleted_from_the_registry() -> None:
    assert json.loads(registry.config())["storage"]["delete"] == {"enabled": True}


def test_the_registry_keeps_its_images_on_its_volume() -> None:
    folder = json.loads(registry.config())["storage"]["filesystem"]["rootdirectory"]
    mounts = {mount["mountPath"]: mount["name"] for mount in container("registry")["volumeMounts"]}
    assert {"name": mounts[folder], "persistentVolumeClaim": {"claimName": "claim"}} in pod("registry")["volumes"]


@pytest.mark.parametrize(("storage_class", "field"), [(None, {}), ("fast", {"storageClassName": "fast"})])
def test_the_volume_of_the_registry(storage_class: str | None, field: dict[str, str]) -> None:
    assert registry.volume_claim("container-registry", "10Gi", storage_class)["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "10Gi"}},
        **field,
    }


def test_the_registry_is_on_its_node_port() -> None:
    spec = registry.service("container-registry", 31000)["spec"]
    [port] = spec["ports"]
    assert port["nodePort"] == 31000
    # Or nodes would pass on what comes from anywhere under their own address, which is let in.
    assert spec["externalTrafficPolicy"] == "Local"


def test_a_registry_for_nobody_has_no_rule_without_peers_which_would_be_for_everybody() -> None:
    assert registry.network_policy("container-registry", [])["spec"]["ingress"] == []
    [rule] = registry.network_policy("container-registry", ["192.0.2.0/24", "2001:db8::/32"])["spec"]["ingress"]
    assert rule["from"] == [{"ipBlock": {"cidr": "192.0.2.0/24"}}, {"ipBlock": {"cidr": "2001:db8::/32"}}]


def test_the_ingress_controller_answers_for_its_class_and_publishes_its_address() -> None:
    arguments = ingress.arguments({**INGRESS, "class_name": "public", "address": "10.0.0.1"})
    provider = "--providers.kubernetesIngressNGINX"
    assert f"{provider}.ingressClass=public" in arguments
    assert f"{provider}.controllerClass={ingress.nginx_class('public')['spec']['controller']}" in arguments
    assert f"{provider}.publishStatusAddress=10.0.0.1" in arguments


def test_the_ingress_controller_holds_the_ports_of_the_host() -> None:
    ports = {port["name"]: port["hostPort"] for port in container("ingress")["ports"] if "hostPort" in port}
    assert ports == {"http": 80, "https": 443}
    arguments = container("ingress")["args"]
    for port, entry in ((8000, "web"), (8443, "websecure")):
        assert f"--entryPoints.{entry}.address=:{port}" in arguments
        assert port in {declared["containerPort"] for declared in container("ingress")["ports"]}


def test_the_ingress_controller_behind_node_ports_is_two_pods_while_one_is_replaced() -> None:
    spec = ingress.daemon_set("ingress", "traefik", {**INGRESS, "node_ports": {"http": 30080, "https": 30443}})["spec"]
    assert spec["updateStrategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    [traefik] = spec["template"]["spec"]["containers"]
    assert not [port for port in traefik["ports"] if "hostPort" in port]
    ports = ingress.node_port_service("ingress", {"http": 30080, "https": 30443})["spec"]["ports"]
    assert {port["targetPort"]: port["nodePort"] for port in ports} == {"http": 30080, "https": 30443}
    assert {port["targetPort"] for port in ports} <= {port["name"] for port in traefik["ports"]}


def test_the_ingress_controller_has_started_when_it_answers_for_an_ingress() -> None:
    probe = container("ingress")["startupProbe"]["httpGet"]
    assert probe["port"] == 8000
    [rule] = ingress.startup_ingress("ingress", "nginx", "itself")["spec"]["rules"]
    assert probe["httpHeaders"] == [{"name": "Host", "value": rule["host"]}]
    [path] = rule["http"]["paths"]
    assert (path["path"], path["pathType"]) == (probe["path"], "Exact")
    # It asks itself where its own probes do.
    [port] = ingress.itself_service("ingress")["spec"]["ports"]
    assert path["backend"]["service"]["port"] == {"name": port["name"]}
    assert port["targetPort"] == container("ingress")["readinessProbe"]["httpGet"]["port"]


@pytest.mark.parametrize(
    "role", [dns.cluster_role(), ingress.cluster_role(), storage.cluster_rights(), storage.rights("x")]
)
def test_no_right_is_a_wildcard(role: dict[str, Any]) -> None:
    for rule in role["rules"]:
        assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]


def test_a_drain_is_never_blocked_for_ever() -> None:
    assert manifests.disruption_budget("blog", "blog", "site")["spec"] == {
        "maxUnavailable": 1,
        "selector": {"matchLabels": {"app.kubernetes.io/name": "blog"}},
    }
