"""A password that the ingress controller asks for, by its own means."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from typing import TypeAlias

import bcrypt
import pulumi

from components.ingress import IngressArgs, Strategy
from components.kinds import IngressClass, KubernetesObject, Secret
from components.manifests import Manifest, metadata, opaque_secret
from components.site.options import BasicAuth
from components.tls_passthrough import DEAF, HAPROXY_PREFIXES, STRATEGIES, family

ROUNDS = 5
"""Logarithm of bcrypt's rounds: as htpasswd has it, since the controller computes them for each request."""

_STANDARD = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_BCRYPT = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

NGINX = "nginx.ingress.kubernetes.io"
HAPROXY = "haproxy.org"
"""Prefixes of annotations; that of the controller of HAProxy Technologies is the one for those that aren't known."""
MIDDLEWARES = "traefik.ingress.kubernetes.io/router.middlewares"

Annotations: TypeAlias = Mapping[str, pulumi.Input[str]]


def protect(
    name: str,
    ns: pulumi.Input[str],
    auth: BasicAuth,
    ingress: IngressArgs,
    declare_ingress: Callable[[Annotations], object],
    child: pulumi.ResourceOptions,
) -> None:
    """Declare what the ingress controller needs to ask for a password, and the Ingress that says so.

    Args:
        name: Name of the site.
        ns: Its namespace.
        auth: Its user and password.
        ingress: The ingress controller.
        declare_ingress: Declares the Ingress with the annotations that it is given.
        child: Pulumi's options of the resources, with their parent.

    Raises:
        pulumi.RunError: It isn't known how the controller is told.
    """

    def declare(controller: str) -> None:
        strategy = told_by(name, controller, ingress.options.passthrough)
        prefix = HAPROXY_PREFIXES.get(family(controller), HAPROXY) if strategy == "haproxy" else NGINX
        held = Secret(f"{name}-auth", **secret(name, ns, auth, by_user=prefix == HAPROXY), opts=child).metadata["name"]
        if strategy == "traefik":
            made = KubernetesObject(f"{name}-auth-middleware", **middleware(name, ns, held), opts=child)
            names = pulumi.Output.all(ns, made.id)
            reference = names.apply(lambda known: f"{known[0]}-{secret_name(name)}@kubernetescrd")
            declare_ingress({MIDDLEWARES: reference})
        else:
            declare_ingress(annotations(name, prefix, held))

    if ingress.controller is not None:
        declare(ingress.controller)
    else:
        ingress_class = IngressClass.get(f"{name}-class", ingress.class_name, child)
        # What it will be depends on what is read, in a preview as well: it isn't unknown there.
        ingress_class.spec["controller"].apply(declare)


def told_by(name: str, controller: str, passthrough: Strategy) -> Strategy:
    """Return how an ingress controller is told to ask for a password.

    Args:
        name: Name of the site.
        controller: Controller of the IngressClass.
        passthrough: How it is told to pass TLS through, which says what it understands if it isn't known.

    Raises:
        pulumi.RunError: It isn't known.
    """
    understood = STRATEGIES.get(family(controller))
    if understood is None and controller not in DEAF and passthrough not in ("auto", "gateway"):
        understood = passthrough
    if understood is None:
        raise pulumi.RunError(
            f"basicAuth of the site {name}: the controller of the IngressClass, {controller}, isn't known to ask for "
            "a password; allowed: ingress-nginx, Traefik or HAProxy, or a site that asks by itself"
        )
    return understood


def secret_name(name: str) -> str:
    """Return the name of the Secret, and of what is made of it, of the site ``name``."""
    return f"{name}-auth"


def secret(name: str, ns: pulumi.Input[str], auth: BasicAuth, *, by_user: bool) -> Manifest:
    """Return the Secret with the hash of the password, as `users` has it."""
    held = opaque_secret(secret_name(name), ns, "site", users(name, auth, by_user=by_user))
    return {**held, "metadata": metadata(secret_name(name), ns, "site", name)}


def users(name: str, auth: BasicAuth, *, by_user: bool) -> dict[str, str]:
    """Return the content of the Secret.

    ``by_user``: as HAProxy Technologies' controller has it, a key for each user; else as htpasswd writes it, as all
    others do.
    """
    hashed = password_hash(name, auth)
    return {auth.user: hashed} if by_user else {"auth": f"{auth.user}:{hashed}\n"}


def password_hash(name: str, auth: BasicAuth) -> str:
    """Return the bcrypt hash of a password. It is the same each time, or each preview would have a change."""
    seed = "\0".join((pulumi.get_stack(), name, auth.user)).encode()
    salt = base64.b64encode(hashlib.sha256(seed).digest()[:16]).decode().rstrip("=")
    prefix = f"$2y${ROUNDS:02}$"
    made = bcrypt.hashpw(auth.password.encode(), (prefix + salt.translate(str.maketrans(_STANDARD, _BCRYPT))).encode())
    return made.decode()


def annotations(name: str, prefix: str, held: pulumi.Input[str]) -> Annotations:
    """Return the annotations of ingress-nginx or of an HAProxy controller; the Secret ``held`` has the hash.

    Source: https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations/#authentication,
    https://github.com/haproxytech/kubernetes-ingress/blob/master/documentation/annotations.md#authentication and
    https://haproxy-ingress.github.io/docs/configuration/keys/#auth-basic
    """
    kind = {NGINX: "basic", HAPROXY: "basic-auth"}.get(prefix)
    return {
        **({f"{prefix}/auth-type": kind} if kind else {}),
        f"{prefix}/auth-secret": held,
        f"{prefix}/auth-realm": name,
    }


def middleware(name: str, ns: pulumi.Input[str], held: pulumi.Input[str]) -> Manifest:
    """Return Traefik's own object, which its chart and MicroK8s' and k3s' addons know.

    Source: https://doc.traefik.io/traefik/reference/routing-configuration/http/middlewares/basicauth/
    """
    return {
        "apiVersion": "traefik.io/v1alpha1",
        "kind": "Middleware",
        "metadata": metadata(secret_name(name), ns, "site", name),
        # The password is for Traefik only.
        "spec": {"basicAuth": {"secret": held, "realm": name, "removeHeader": True}},
    }
