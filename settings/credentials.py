"""How a connection proves who asks, and whom it trusts."""

import base64
import ssl
import tempfile
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from settings.connection import PLUGIN_CONFIG, Cluster, Header, Part, Plugin, User

_IN_NAMES = "!#$&'*+^`|"
"""Characters that the name of a header may have besides those that ``quote`` leaves alone: RFC 9110, "Tokens"."""


class CredentialsError(Exception):
    """There are no credentials to be had: why, and the fix."""


class _Status(Part):
    """What a credential plugin grants."""

    model_config = ConfigDict(alias_generator=to_camel)

    token: Header = ""
    client_certificate_data: str = ""
    """PEM, as the key."""
    client_key_data: str = ""


def granted(plugin: Plugin, cluster: Cluster) -> dict[str, str]:
    """Run a credential plugin, and return what it grants as fields of :class:`settings.connection.User`.

    Raises:
        CredentialsError: It can't be run, fails, or grants nothing.
    """
    from kubernetes.config import ConfigException
    from kubernetes.config.exec_provider import ExecProvider
    from kubernetes.config.kube_config import ConfigNode

    spec = ConfigNode("exec", plugin.model_dump(by_alias=True))
    try:
        status = _Status.model_validate(ExecProvider(spec, None, ConfigNode("cluster", _described(cluster))).run())
    except FileNotFoundError:
        hint = plugin.install_hint or "install it"
        raise CredentialsError(f"exec: executable {plugin.command} not found; {hint}") from None
    except OSError as error:
        raise CredentialsError(
            f"exec: executable {plugin.command} can't be run: {error.strerror}; correct it"
        ) from None
    except ConfigException as error:
        raise CredentialsError(f"{error}; sign in again") from None
    except (TypeError, ValueError):
        # Not what it printed, which holds keys.
        raise CredentialsError("exec: what it printed is no ExecCredential; correct the plugin") from None
    if not status.token and not status.client_certificate_data:
        raise CredentialsError("exec: missing token or clientCertificateData field in plugin output; sign in again")
    if status.client_certificate_data and not status.client_key_data:
        raise CredentialsError("exec: missing clientKeyData field in plugin output; sign in again")
    return {
        "token": status.token,
        "client_certificate_data": base64.b64encode(status.client_certificate_data.encode()).decode(),
        "client_key_data": base64.b64encode(status.client_key_data.encode()).decode(),
    }


def _described(cluster: Cluster) -> dict[str, Any]:
    """Return what a plugin is told of ``cluster`` if it asks for that."""
    told = cluster.model_dump(by_alias=True, exclude_defaults=True, exclude={"extensions"})
    config = {each.name: each.extension for each in cluster.extensions}.get(PLUGIN_CONFIG)
    return told if config is None else {**told, "config": config}


def headers_of(user: User) -> Iterator[tuple[str, str]]:
    """Yield the headers of a request that say who asks; there may be several of a name."""
    if user.token:
        yield "Authorization", f"Bearer {user.token}"
    elif user.username:
        pair = base64.b64encode(f"{user.username}:{user.password}".encode())
        yield "Authorization", f"Basic {pair.decode()}"
    if user.impersonated:
        yield "Impersonate-User", user.impersonated
    if user.as_uid:
        yield "Impersonate-Uid", user.as_uid
    for group in user.as_groups:
        yield "Impersonate-Group", group
    for key, values in user.as_user_extra.items():
        # The API server undoes the escapes of what may not be in the name of a header.
        for value in values:
            yield f"Impersonate-Extra-{quote(key, safe=_IN_NAMES)}", value


def tls_of(cluster: Cluster, user: User) -> ssl.SSLContext:
    """Return whom to trust, by Go's rules where OpenSSL's are others, and what certificate to show.

    Raises:
        ValueError, ssl.SSLError: A certificate or a key isn't one.
    """
    from urllib3.util.ssl_ import create_urllib3_context

    context = create_urllib3_context(
        cert_reqs=ssl.CERT_NONE if cluster.insecure_skip_tls_verify else ssl.CERT_REQUIRED,
        # An authority may be one that another has signed, and certificates lack what only newer Pythons ask for.
        verify_flags=ssl.VERIFY_X509_PARTIAL_CHAIN,
    )
    if cluster.certificate_authority_data:
        # Certificates are ASCII; only comments aren't, and the ssl module wouldn't take these.
        authority = base64.b64decode(cluster.certificate_authority_data).decode("ascii", errors="ignore")
        context.load_verify_locations(cadata=authority)
    else:
        context.load_default_certs()
    if user.client_certificate_data:
        # The ssl module reads keys from files only; this one is private, and gone at once.
        with tempfile.NamedTemporaryFile(prefix="inspiration-") as pair:
            pair.write(base64.b64decode(user.client_certificate_data) + b"\n")
            pair.write(base64.b64decode(user.client_key_data))
            pair.flush()
            # Without a password it would be asked for at the terminal.
            context.load_cert_chain(pair.name, password="")
    return context
