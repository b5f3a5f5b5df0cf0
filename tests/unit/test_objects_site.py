"""What the options of a site make of its objects."""

import base64
from typing import Any

import pytest

from components.manifests import Manifest, selector
from components.site.network import job_policy, network_policy
from components.site.options import Autoscale, Job, SiteOptions, Volume
from components.site.workload import Pods, autoscaler_args, claim_args, cron_job_args, deployment_args

IMAGE = f"localhost:32000/shop@sha256:{'0' * 64}"
PODS = Pods("shop", "shop", "shop", IMAGE, {"TOKEN": "shop-env-1a2b"}, {"data": "shop-data"})
DIGEST = Job(name="digest", schedule="0 4 * * *", command=["python", "digest.py"])
DATA = Volume(name="data", path="/var/lib/shop", size="2Gi")


def shop(**options: Any) -> SiteOptions:
    return SiteOptions(name="shop", host="shop.localhost", image=IMAGE, **options)


def pod(options: SiteOptions) -> Manifest:
    return deployment_args(PODS, options)["spec"]["template"]["spec"]  # type: ignore[no-any-return]


def container(options: SiteOptions) -> Manifest:
    [only] = pod(options)["containers"]
    return only  # type: ignore[no-any-return]


def let_out(options: SiteOptions, database: str | None = "postgres") -> list[Manifest]:
    """Return the rules of the policy, without that of DNS."""
    made = network_policy("shop", "shop", options, "ingress", database=database)
    return [rule for rule in made["spec"]["egress"] if {"port": 53, "protocol": "UDP"} not in rule.get("ports", [])]


def asks_dns(options: SiteOptions) -> bool:
    return len(network_policy("shop", "shop", options, "ingress")["spec"]["egress"]) > len(let_out(options, None))


def test_variables_are_taken_as_they_are_written() -> None:
    env = container(shop(env={"PRICE": "$(TOKEN) is 5$", "DEBUG": "false"}))["env"]
    assert {"name": "DEBUG", "value": "false"} in env
    assert {"name": "PRICE", "value": "$$(TOKEN) is 5$"} in env


def test_a_secret_variable_is_read_from_its_secret() -> None:
    assert container(shop())["env"] == [
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "shop-env-1a2b", "key": "TOKEN"}}}
    ]


def test_a_site_without_options_has_neither_environment_nor_command() -> None:
    made = deployment_args(Pods("shop", "shop", "shop", IMAGE), shop())
    [only] = made["spec"]["template"]["spec"]["containers"]
    assert not {"env", "command", "args"} & only.keys()


def test_command_arguments_and_user_are_the_sites() -> None:
    options = shop(command=["gunicorn"], args=["-b", ":8080"], user=1000)
    assert container(options)["command"] == ["gunicorn"]
    assert container(options)["args"] == ["-b", ":8080"]
    security = pod(options)["securityContext"]
    assert {security[key] for key in ("runAsUser", "runAsGroup", "fsGroup")} == {1000}
    assert security["runAsNonRoot"] is True


def test_a_volume_is_mounted_and_its_pod_ends_before_the_next_begins() -> None:
    options = shop(replicas=1, volumes=[DATA])
    assert {"name": "volume-data", "mountPath": "/var/lib/shop"} in container(options)["volumeMounts"]
    assert {"name": "volume-data", "persistentVolumeClaim": {"claimName": "shop-data"}} in pod(options)["volumes"]
    assert deployment_args(PODS, options)["spec"]["strategy"] == {"type": "Recreate"}


def test_a_shared_volume_is_for_many_pods() -> None:
    shared = DATA.model_copy(update={"shared": True})
    assert deployment_args(PODS, shop(volumes=[shared]))["spec"]["strategy"]["type"] == "RollingUpdate"
    assert claim_args("shop", "shop", shared, None)["spec"]["accessModes"] == ["ReadWriteMany"]


@pytest.mark.parametrize(
    ("own", "default", "claimed"), [("fast", "local", "fast"), (None, "local", "local"), (None, None, None)]
)
def test_a_claim_has_the_volumes_class_or_that_of_the_stack(
    own: str | None, default: str | None, claimed: str | None
) -> None:
    made = claim_args("shop", "shop", DATA.model_copy(update={"storage_class": own}), default)["spec"]
    assert made.get("storageClassName") == claimed
    assert made["accessModes"] == ["ReadWriteOnce"]


def test_replicas_are_the_autoscalers_where_there_is_one() -> None:
    options = shop(autoscale=Autoscale(min=2, max=6, cpu=70))
    assert "replicas" not in deployment_args(PODS, options)["spec"]
    assert options.autoscale
    spec = autoscaler_args("shop", "shop", "shop", options.autoscale)["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 6)
    assert spec["metrics"][0]["resource"]["target"]["averageUtilization"] == 70


def test_a_job_has_the_sites_environment_and_volumes_but_not_its_requests() -> None:
    made = cron_job_args(PODS, shop(replicas=1, volumes=[DATA], jobs=[DIGEST]), DIGEST)
    template = made["spec"]["jobTemplate"]["spec"]["template"]
    [only] = template["spec"]["containers"]
    assert only["command"] == ["python", "digest.py"]
    assert [variable["name"] for variable in only["env"]] == ["TOKEN"]
    assert {"name": "volume-data", "mountPath": "/var/lib/shop"} in only["volumeMounts"]
    # The Service and the disruption budget of the site go by its selector.
    assert not selector("shop").items() <= template["metadata"]["labels"].items()


def test_a_job_is_confined_by_a_policy_of_its_own() -> None:
    policy = job_policy("shop", "shop", shop(egress=["10.0.0.0/8"]))["spec"]
    labels = cron_job_args(PODS, shop(), DIGEST)["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    assert policy["ingress"] == []
    assert policy["egress"] == [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]


@pytest.mark.parametrize(
    "options", [{"egress": ["dns"]}, {"egress": ["internet"]}, {"egress": ["site:blog"]}, {"database": True}]
)
def test_who_goes_by_names_may_ask_the_dns(options: dict[str, Any]) -> None:
    assert asks_dns(shop(**options))


@pytest.mark.parametrize("given", [[], ["10.1.2.3/32:80"]])
def test_who_doesnt_may_not(given: list[str]) -> None:
    assert not asks_dns(shop(egress=given))


def test_the_internet_is_neither_the_cluster_nor_the_machines_metadata() -> None:
    [rule] = let_out(shop(egress=["internet"]))
    excluded = {cidr for peer in rule["to"] for cidr in peer["ipBlock"]["except"]}
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7"} <= excluded


def test_ports_of_a_range_are_the_only_ones() -> None:
    [rule] = let_out(shop(egress=["[fd00::/8]:443,8443"]))
    assert rule == {
        "to": [{"ipBlock": {"cidr": "fd00::/8"}}],
        "ports": [{"port": 443, "protocol": "TCP"}, {"port": 8443, "protocol": "TCP"}],
    }


def test_the_database_is_reached_by_who_has_one() -> None:
    [rule] = let_out(shop(database=True))
    assert rule["to"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "postgres"}}}]
    assert rule["ports"] == [{"port": 5432, "protocol": "TCP"}]
    assert let_out(shop()) == []


def test_another_site_is_reached_from_both_ends() -> None:
    [rule] = let_out(shop(egress=["site:blog"]))
    assert rule["to"][0]["podSelector"] == {"matchLabels": selector("blog")}
    blog = SiteOptions(name="blog", host="blog.localhost", image=IMAGE, port=3000)
    let_in = network_policy("blog", "blog", blog, "ingress", callers=["shop"])["spec"]["ingress"]
    assert {
        "ports": [{"port": 3000, "protocol": "TCP"}],
        "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}}],
    } in let_in


def test_secrets_are_not_in_the_manifest_in_plain() -> None:
    options = shop(secret_env={"TOKEN": "s3cret-value"})
    assert "s3cret-value" not in repr(options)
    assert "s3cret-value" not in repr(deployment_args(PODS, options))
    assert base64.b64encode(b"s3cret-value").decode() not in repr(deployment_args(PODS, options))
