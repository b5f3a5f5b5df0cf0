"""What a site that is edited has in the cluster besides the site."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from components.site.component import service_args
from components.site.network import network_policy
from components.site.options import SiteOptions
from components.site.workload import Pods, deployment_args
from embedded.commands.dev import content, objects
from embedded.commands.dev.objects import Edited
from tests.unit.embedded.test_dev_content import unpacked


def edited(*, pages: bool = True, modes: dict[str, Any] | None = None, **options: Any) -> Edited:
    """A site as the cluster has it, made by the component."""
    image = f"r.example:5000/blog@sha256:{'a' * 64}"
    site = SiteOptions.model_validate({"name": "blog", "host": "blog.localhost", "image": image, **options})
    claims = {volume.name: f"blog-{volume.name}" for volume in site.volumes}
    live = deployment_args(
        Pods("blog", "blog", "blog", "r.example:5000/blog@sha256:1", {"TOKEN": "blog-env"}, claims), site
    )
    live = copy.deepcopy(live)
    live["metadata"]["uid"] = "u"
    ingress = {
        "metadata": {
            "annotations": {
                "pulumi.com/timeoutSeconds": "180",
                "cert-manager.io/issuer": "x",
                "nginx.ingress.kubernetes.io/auth-type": "basic",
            }
        },
        "spec": {
            "ingressClassName": "nginx",
            "tls": [{"hosts": ["blog.localhost"], "secretName": "blog-tls"}],
            "rules": [
                {"host": "blog.localhost", "http": {"paths": [{"path": "/news", "pathType": "Prefix"}]}},
                {"host": "www.blog.localhost", "http": {"paths": [{"path": "/news", "pathType": "Prefix"}]}},
            ],
        },
    }
    return Edited(live, ingress, copy.deepcopy(network_policy("blog", "blog", site, "ingress")), modes or {}, pages)


def containers(pod: dict[str, Any]) -> dict[str, dict[str, Any]]:
    spec = pod["spec"]
    return {each["name"]: each for each in (*spec["initContainers"], *spec["containers"])}


def test_the_pod_is_the_site_s_own_beside_a_way_to_put_files_there() -> None:
    site = edited(env={"LEVEL": "info"})
    pod = objects.pod(site, site.image)
    found = containers(pod)
    assert list(found) == ["files", "site"]
    assert found["site"]["image"] == "r.example:5000/blog@sha256:1"
    assert [each["name"] for each in found["site"]["env"]] == ["LEVEL", "TOKEN"]
    mounts = {each["name"]: each["mountPath"] for each in found["site"]["volumeMounts"]}
    assert mounts == {"tmp": "/tmp", "srv": "/srv", "etc": "/etc/nginx"}
    # The pod waits for what it is to serve.
    assert found["files"]["restartPolicy"] == "Always"
    assert found["files"]["startupProbe"]["exec"]["command"] == ["test", "-e", "/edited/srv/dev/ready"]


@pytest.mark.parametrize("pages", [True, False])
def test_it_keeps_what_pod_security_asks_for_in_each_container(pages: bool) -> None:
    site = edited(pages=pages)
    pod = objects.pod(site, "image")
    assert pod["spec"]["securityContext"]["runAsNonRoot"]
    assert pod["spec"]["automountServiceAccountToken"] is False
    for each in containers(pod).values():
        assert each["securityContext"]["allowPrivilegeEscalation"] is False
        assert each["securityContext"]["readOnlyRootFilesystem"]
        assert each["securityContext"]["capabilities"]["drop"] == ["ALL"]
        assert each["resources"]["limits"]["memory"]


def test_the_site_s_own_objects_dont_know_it_and_it_goes_with_the_site() -> None:
    site = edited()
    pod = objects.pod(site, "image")
    labels = pod["metadata"]["labels"]
    assert labels["app.kubernetes.io/name"] == "blog-dev"
    assert service_args("blog", "blog")["spec"]["selector"].items() - labels.items()
    assert site.deployment["spec"]["selector"]["matchLabels"].items() - labels.items()
    [owner] = pod["metadata"]["ownerReferences"]
    assert owner == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "blog", "uid": "u"}
    assert pod["spec"]["activeDeadlineSeconds"] == 24 * 3600
    # A deployed site isn't changed by it.
    assert site.deployment["spec"]["template"]["spec"]["containers"][0]["startupProbe"]


def test_a_program_has_a_server_in_front_that_adds_the_script() -> None:
    site = edited(pages=False, port=8081)
    pod = objects.pod(site, "r.example:5000/blog@sha256:2")
    found = containers(pod)
    assert list(found) == ["files", "site", "front"]
    assert found["front"]["image"].startswith("docker.io/library/nginx:")
    assert found["front"]["securityContext"]["runAsUser"] == 65532
    assert [each["name"] for each in found["site"]["volumeMounts"]] == ["tmp"]
    assert pod["spec"]["shareProcessNamespace"]
    there = unpacked(content.front(site))
    assert "listen 8082;" in there["srv/dev/nginx.conf"]
    assert "proxy_pass http://127.0.0.1:8081;" in there["srv/dev/nginx.conf"]
    assert there["srv/dev/listen-ipv6.conf"] == "listen [::]:8082;\n"


def test_only_shared_volumes_are_those_of_the_site() -> None:
    volumes = [
        {"name": "data", "path": "/data", "shared": True},
        {"name": "own", "path": "/own"},
    ]
    site = edited(
        pages=False, replicas=1, volumes=volumes,
        modes={"blog-data": ["ReadWriteMany"], "blog-own": ["ReadWriteOnce"]},
    )  # fmt: skip
    assert site.left_out == ["blog-own"]
    found = {each["name"]: each for each in objects.pod(site, "image")["spec"]["volumes"]}
    assert found["volume-data"]["persistentVolumeClaim"]["claimName"] == "blog-data"
    assert found["volume-own"] == {"name": "volume-own", "emptyDir": {}}


def test_it_is_reached_beside_the_site_by_the_same_controller_with_the_same_password() -> None:
    made = objects.way(edited())
    assert made["metadata"]["annotations"] == {"nginx.ingress.kubernetes.io/auth-type": "basic"}
    assert made["spec"]["ingressClassName"] == "nginx"
    assert "tls" not in made["spec"]
    [rule] = made["spec"]["rules"]
    assert rule["host"] == "dev.blog.localhost"
    assert [each["path"] for each in rule["http"]["paths"]] == ["/news", "/.dev"]
    assert {each["backend"]["service"]["name"] for each in rule["http"]["paths"]} == {"blog-dev"}


def test_a_site_that_is_routed_has_a_route_beside_its_own() -> None:
    site = edited()
    parents = [{"namespace": "ingress", "name": "traefik"}]
    route = {
        "metadata": {"annotations": {"pulumi.com/waitFor": "x"}},
        "spec": {
            "parentRefs": parents,
            "hostnames": ["blog.localhost", "www.blog.localhost"],
            "rules": [{"matches": [{"path": {"type": "PathPrefix", "value": "/news"}}]}],
        },
    }
    routed = Edited(site.deployment, route, site.policy, {}, True)
    made = objects.way(routed)
    assert routed.way is objects.ROUTE
    assert "annotations" not in made["metadata"]
    assert (made["spec"]["parentRefs"], made["spec"]["hostnames"]) == (parents, ["dev.blog.localhost"])
    [rule] = made["spec"]["rules"]
    assert [each["path"]["value"] for each in rule["matches"]] == ["/news", "/.dev"]
    assert rule["backendRefs"] == [{"name": "blog-dev", "port": 80}]


def test_a_service_leads_to_pages_that_are_ready_and_to_a_program_that_may_not_be() -> None:
    assert objects.service(edited())["spec"]["selector"] == {"app.kubernetes.io/name": "blog-dev"}
    program = edited(pages=False)
    assert "selector" not in objects.service(program)["spec"]
    made = objects.slice_of(program, "10.1.2.3")
    assert made["metadata"]["labels"]["kubernetes.io/service-name"] == "blog-dev"
    assert (made["addressType"], made["endpoints"][0]["addresses"]) == ("IPv4", ["10.1.2.3"])
    assert made["ports"][0]["port"] == 8081
    assert objects.slice_of(program, "fd00::1")["addressType"] == "IPv6"


@pytest.mark.parametrize(("pages", "port"), [(True, 8080), (False, 8081)])
def test_it_is_confined_as_the_site_is(pages: bool, port: int) -> None:
    site = edited(pages=pages, egress=["10.0.0.0/8:5432"])
    made = objects.policy(site)
    assert made is not None
    assert site.policy is not None
    assert made["spec"]["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "blog-dev"}}
    assert made["spec"]["egress"] == site.policy["spec"]["egress"]
    assert [each["port"] for each in made["spec"]["ingress"][0]["ports"]] == [port]
    assert made["spec"]["ingress"][0]["from"] == site.policy["spec"]["ingress"][0]["from"]
    assert objects.policy(Edited(site.deployment, site.reached_by, None, {}, pages)) is None


@pytest.mark.parametrize(
    ("site", "name"), [("blog", "blog-dev"), ("a" * 63, f"{'a' * 59}-dev"), ("a" * 58 + "-b", f"{'a' * 58}-dev")]
)
def test_names_are_as_short_as_a_service_s(site: str, name: str) -> None:
    assert objects.called(site) == name


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        ("localhost:32000/blog@sha256:1", "localhost:32000/blog"),
        ("ghcr.io/you/blog:7@sha256:1", "ghcr.io/you/blog"),
        ("blog:7", "blog"),
    ],
)
def test_where_its_images_are(image: str, repository: str) -> None:
    site = edited()
    site.container["image"] = image
    assert site.repository == repository
