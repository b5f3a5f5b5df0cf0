"""How a site is reached, as data: its Ingresses, the server of its redirects, its password, its certificate."""

from __future__ import annotations

import re
from typing import Any

import bcrypt
import pulumi
import pytest

from components.manifests import Manifest
from components.site import acme, basic_auth, redirects, routes
from components.site.options import BasicAuth, SiteOptions

IMAGE = f"ghcr.io/me/shop@sha256:{'0' * 64}"
AUTH = BasicAuth(user="alice", password="correct horse")
ISSUER = "/apis/cert-manager.io/v1/clusterissuers/inspiration-acme"
CHALLENGES = "/apis/acme.cert-manager.io/v1/namespaces/shop/challenges"
ORDERS = "/apis/acme.cert-manager.io/v1/namespaces/shop/orders"
CERTIFICATE = "/apis/cert-manager.io/v1/namespaces/shop/certificates/shop"


def site(**options: Any) -> SiteOptions:
    return SiteOptions.model_validate({"name": "shop", "image": IMAGE, "host": "shop.example.com", **options})


def hosts(made: Manifest) -> list[str]:
    return [rule["host"] for rule in made["spec"]["rules"]]


def test_all_hosts_lead_to_the_site_by_one_certificate() -> None:
    options = site(hosts=["shop.example.org"], path="/en", redirects=[{"from": "a.example", "to": "shop.example.com"}])
    made = routes.ingress("shop", "shop", "shop", "shop-tls", "public", options)
    assert hosts(made) == ["shop.example.com", "shop.example.org"]
    assert {path["path"] for rule in made["spec"]["rules"] for path in rule["http"]["paths"]} == {"/en"}
    assert made["spec"]["tls"] == [{"hosts": hosts(made), "secretName": "shop-tls"}]


def test_an_ingress_says_what_it_is_told_besides() -> None:
    plain = routes.ingress("shop", "shop", "shop", None, "public", site())["metadata"]["annotations"]
    told = routes.ingress("shop", "shop", "shop", None, "public", site(), {"a/b": "c"})["metadata"]["annotations"]
    assert told == plain | {"a/b": "c"}
    assert set(plain) == {"pulumi.com/timeoutSeconds"}


def test_a_server_answers_for_each_host_that_is_redirected() -> None:
    made = redirects.nginx_conf(
        {"www.example.com": "https://example.com", "old.example.com": "https://example.com:8443"}
    )
    servers = re.findall(r"server_name (\S+);\s+return 301 (\S+);", made)
    assert servers == [
        ("www.example.com", "https://example.com$request_uri"),
        ("old.example.com", "https://example.com:8443$request_uri"),
    ]
    assert made.count("{") == made.count("}")


@pytest.mark.parametrize("certificate", [None, "shop-tls"])
def test_plain_http_is_redirected_at_once(certificate: str | None) -> None:
    made = redirects.ingress_args("shop-redirects", "shop", ["a.example"], "shop-redirects", certificate, "public")
    annotations = made["metadata"]["annotations"]
    assert hosts(made) == ["a.example"]
    assert "spec" in made
    assert (certificate is not None) == ("tls" in made["spec"])
    assert (certificate is not None) == (annotations.get("nginx.ingress.kubernetes.io/ssl-redirect") == "false")


def test_the_name_of_the_longest_site_leaves_room_for_what_is_behind_it() -> None:
    name = redirects.app_name("a" * 63)
    assert len(name) == 63
    assert name.endswith("-redirects")


def test_changed_redirects_are_changed_pods() -> None:
    def pods(configured: str) -> Manifest:
        made = redirects.deployment_args("shop-redirects", "shop", "shop-redirects", configured)
        return made["spec"]["template"]["metadata"]  # type: ignore[no-any-return]

    one, other = pods("one"), pods("other")
    assert one["labels"] == other["labels"]
    assert one["annotations"] != other["annotations"]


def test_the_hash_of_a_password_is_the_same_each_time_and_of_that_password() -> None:
    made = basic_auth.password_hash("shop", AUTH)
    assert made == basic_auth.password_hash("shop", AUTH)
    assert bcrypt.checkpw(b"correct horse", made.encode())
    assert not bcrypt.checkpw(b"correct house", made.encode())
    assert made.startswith("$2y$05$")


@pytest.mark.parametrize(("site_name", "user"), [("shop", "bob"), ("blog", "alice")])
def test_the_same_password_of_others_has_another_hash(site_name: str, user: str) -> None:
    other = BasicAuth(user=user, password=AUTH.password)
    assert basic_auth.password_hash(site_name, other) != basic_auth.password_hash("shop", AUTH)


@pytest.mark.parametrize(
    ("prefix", "told"),
    [
        ("nginx.ingress.kubernetes.io", {"auth-type": "basic", "auth-secret": "held", "auth-realm": "shop"}),
        ("haproxy.org", {"auth-type": "basic-auth", "auth-secret": "held", "auth-realm": "shop"}),
        ("haproxy-ingress.github.io", {"auth-secret": "held", "auth-realm": "shop"}),
    ],
)
def test_controllers_are_told_of_a_password_by_annotations(prefix: str, told: dict[str, str]) -> None:
    assert basic_auth.annotations("shop", prefix, "held") == {f"{prefix}/{key}": value for key, value in told.items()}


def test_the_secret_of_a_password_is_as_the_controller_reads_it() -> None:
    hashed = basic_auth.password_hash("shop", AUTH)
    assert basic_auth.users("shop", AUTH, by_user=False) == {"auth": f"alice:{hashed}\n"}
    assert basic_auth.users("shop", AUTH, by_user=True) == {"alice": hashed}


@pytest.mark.parametrize(
    ("controller", "passthrough", "strategy"),
    [
        ("k8s.io/ingress-nginx", "auto", "nginx"),
        ("traefik.io/ingress-controller", "gateway", "traefik"),
        ("haproxy.org/ingress-controller/mine", "auto", "haproxy"),
        ("example.com/nginx-fork", "nginx", "nginx"),
    ],
)
def test_how_a_controller_is_told_of_a_password(controller: str, passthrough: Any, strategy: str) -> None:
    assert basic_auth.told_by("shop", controller, passthrough) == strategy


@pytest.mark.parametrize(
    ("controller", "passthrough"),
    [("example.com/other", "auto"), ("example.com/other", "gateway"), ("nginx.org/ingress-controller", "nginx")],
)
def test_a_controller_that_would_not_ask_for_a_password_is_an_error(controller: str, passthrough: Any) -> None:
    error = (
        f"basicAuth of the site shop: the controller of the IngressClass, {controller}, isn't known to ask for a "
        "password; allowed: ingress-nginx, Traefik or HAProxy, or a site that asks by itself"
    )
    with pytest.raises(pulumi.RunError, match=f"^{re.escape(error)}$"):
        basic_auth.told_by("shop", controller, passthrough)


def test_a_certificate_is_awaited_and_leaves_that_of_the_stack_alone() -> None:
    made = acme.certificate_args("shop", "shop", ["shop.example.com", "www.example.com"], "inspiration-acme")
    assert made["metadata"]["annotations"] == {"pulumi.com/waitFor": "condition=Ready"}
    assert made["spec"]["dnsNames"] == ["shop.example.com", "www.example.com"]
    assert made["spec"]["secretName"] == "shop-acme-tls"
    assert made["spec"]["issuerRef"]["name"] == "inspiration-acme"


def test_what_is_not_issued_is_an_error_within_two_minutes() -> None:
    assert int(acme.DEADLINE.removesuffix("s")) < 120


def condition(kind: str, status: str, message: str) -> dict[str, Any]:
    return {"status": {"conditions": [{"type": kind, "status": status, "message": message}]}}


READY = condition("Ready", "True", "registered")
PENDING = {
    "items": [
        {"spec": {"dnsName": "a.example"}, "status": {"state": "valid", "reason": "Successfully authorized domain"}},
        {"spec": {"dnsName": "b.example"}, "status": {"state": "pending", "reason": "self check:\n refused"}},
        {"spec": {"dnsName": "c.example"}},
    ]
}
INVALID = {
    "items": [{"spec": {"dnsNames": ["a.example", "b.example"]}, "status": {"state": "invalid", "reason": "CAA"}}]
}


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        (
            {ISSUER: condition("Ready", "False", "no such host"), CHALLENGES: PENDING},
            "the authority can't be asked: no such host; correct its server or caBundle",
        ),
        (
            {ISSUER: READY, CHALLENGES: PENDING, ORDERS: INVALID},
            "no certificate for b.example: self check: refused; the name has to lead to the ingress controller, on "
            "port 80",
        ),
        (
            {ISSUER: READY, CHALLENGES: {"items": []}, ORDERS: INVALID},
            "no certificate for a.example, b.example: CAA; cert-manager asks again within an hour, and at once when "
            "hosts are changed",
        ),
        (
            {ISSUER: "you may not", CERTIFICATE: condition("Issuing", "True", "Issuing certificate")},
            "no certificate yet: Issuing certificate; see the log of cert-manager",
        ),
    ],
)
def test_why_a_certificate_is_not_issued(answers: dict[str, Any], reason: str) -> None:
    assert acme.reasons(answers.get, "shop", "shop", "inspiration-acme") == [reason]


def test_what_is_not_known_of_a_certificate_is_not_said() -> None:
    assert acme.reasons(lambda _: None, "shop", "shop", "inspiration-acme") == []
