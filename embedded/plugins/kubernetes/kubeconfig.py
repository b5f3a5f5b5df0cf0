"""Which cluster, as whom: reads kubeconfig files the way kubectl does, and says what is wrong with them."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from .errors import Json, PluginError

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds its own credentials (Kubernetes documentation, "Accessing the API from within a Pod")."""

# Entries of a kubeconfig that name a file, relative to the kubeconfig's own folder.
_FILES = ("certificate-authority", "client-certificate", "client-key", "tokenFile")


@dataclass(frozen=True)
class Connection:
    """One context of a kubeconfig, resolved."""

    server: str
    """URL of the API server, without a slash at the end."""
    namespace: str
    """The context's namespace, ``default`` if it names none."""
    context: str
    source: str
    """Where it was found, for messages: a path, or "the provider's kubeconfig text"."""
    cluster: Json = field(repr=False)
    """The ``cluster`` entry; paths in it are absolute."""
    user: Json = field(repr=False)
    """The ``user`` entry; paths in it are absolute."""

    @property
    def identity(self) -> str:
        """Equal for two connections to the same cluster: its certificate authority, else its address.

        An address changes with the network that a machine is in; the authority's key is the cluster's own.
        """
        authority = self.cluster.get("certificate-authority-data")
        if not authority and (path := self.cluster.get("certificate-authority")):
            authority = Path(path).read_text() if Path(path).is_file() else None
        return str(authority or self.server)


def is_text(kubeconfig: str) -> bool:
    """Whether a provider's ``kubeconfig`` is the text of one rather than a path."""
    return "\n" in kubeconfig or kubeconfig.lstrip().startswith(("{", "apiVersion:", "kind:", "clusters:"))


def load(kubeconfig: str | None = None, context: str | None = None, cluster: str | None = None) -> Connection:
    """Find the cluster to talk to.

    Args:
        kubeconfig: Text or path of a kubeconfig (several paths with ``:`` between them, as in ``KUBECONFIG``). Without
            it: ``KUBECONFIG``, ``~/.kube/config``, then the service account of the pod that this runs in.
        context: Context to use instead of the current one.
        cluster: Cluster entry to use instead of the context's.

    Raises:
        PluginError: Nothing there, not readable, no such context, or an entry that's missing or incomplete.
    """
    if kubeconfig and is_text(kubeconfig):
        return _resolve(_parse(kubeconfig, _TEXT, Path()), _TEXT, context, cluster)
    paths = kubeconfig or os.environ.get("KUBECONFIG") or ""
    if not paths:
        default = Path("~/.kube/config").expanduser()
        if not default.is_file() and (host := os.environ.get("KUBERNETES_SERVICE_HOST")):
            return _in_cluster(host)
        paths = str(default)
    wanted = [Path(path).expanduser() for path in paths.split(os.pathsep) if path]
    # As kubectl: of several files some may be missing, a single one must be there.
    present = [path for path in wanted if len(wanted) == 1 or path.exists()]
    if not present:
        raise PluginError(f"none of the kubeconfig files {paths} exists; {_HOW_TO_SET}")
    source = f"kubeconfig {', '.join(str(path.absolute()) for path in present)}"
    return _resolve(_merge([_read(path) for path in present]), source, context, cluster)


_TEXT = "the provider's kubeconfig text"
_HOW_TO_SET = "set the provider's kubeconfig (pulumi config set kubernetes:kubeconfig PATH) or KUBECONFIG"


def _read(path: Path) -> Json:
    try:
        text = path.read_text()
    except FileNotFoundError:
        raise PluginError(f"kubeconfig {path.absolute()} doesn't exist; {_HOW_TO_SET}") from None
    except IsADirectoryError:
        raise PluginError(f"kubeconfig {path.absolute()} is a folder, not a file; {_HOW_TO_SET}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise PluginError(f"kubeconfig {path.absolute()} can't be read: {error}") from None
    return _parse(text, f"kubeconfig {path.absolute()}", path.absolute().parent)


def _parse(text: str, source: str, folder: Path) -> Json:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        # Only the place: the text around it may hold credentials.
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise PluginError(f"{source} isn't valid YAML{where}; write it again with your cluster's tool") from None
    if not isinstance(document, dict) or not isinstance(document.get("contexts") or [], list):
        raise PluginError(f"{source} isn't a kubeconfig: it has no clusters, users and contexts")
    for entry in [*(document.get("clusters") or []), *(document.get("users") or [])]:
        body = entry.get("cluster") or entry.get("user") or {}
        body.update({key: str(folder / body[key]) for key in _FILES if body.get(key)})
    return document


def _merge(documents: list[Json]) -> Json:
    """Several kubeconfigs as one: of entries with the same name the first wins, as with kubectl."""
    merged: Json = {"current-context": next((d["current-context"] for d in documents if d.get("current-context")), "")}
    for section in ("clusters", "users", "contexts"):
        merged[section] = [entry for document in documents for entry in document.get(section) or []]
    return merged


def _entry(document: Json, section: str, name: str) -> Json | None:
    key = section.removesuffix("s")
    for entry in document.get(section) or []:
        if entry.get("name") == name:
            return entry.get(key) or {}
    return None


def _resolve(document: Json, source: str, context: str | None, cluster: str | None) -> Connection:
    names = [str(entry.get("name")) for entry in document.get("contexts") or []]
    there = f"it has {', '.join(names)}" if names else "it has none"
    name = context or document.get("current-context")
    if not name:
        raise PluginError(f"{source} has no current context ({there}); set the provider's context")
    chosen: Any = _entry(document, "contexts", name)
    if chosen is None:
        raise PluginError(f"{source} has no context {name!r} ({there}); correct the provider's context")
    cluster_name = cluster or chosen.get("cluster") or ""
    found = _entry(document, "clusters", cluster_name)
    if found is None:
        raise PluginError(f"{source} has no cluster {cluster_name!r}, which context {name!r} asks for")
    if not found.get("server"):
        raise PluginError(f"{source}: cluster {cluster_name!r} has no server address")
    user_name = chosen.get("user") or ""
    user = _entry(document, "users", user_name) if user_name else {}
    if user is None:
        raise PluginError(f"{source} has no user {user_name!r}, which context {name!r} asks for")
    if "auth-provider" in user:
        raise PluginError(f"{source}: user {user_name!r} has an auth-provider, which Kubernetes dropped; use exec")
    return Connection(found["server"].rstrip("/"), chosen.get("namespace") or "default", name, source, found, user)


def _in_cluster(host: str) -> Connection:
    host = f"[{host}]" if ":" in host else host
    server = f"https://{host}:{os.environ.get('KUBERNETES_SERVICE_PORT', '443')}"
    namespace = (SERVICE_ACCOUNT / "namespace").read_text().strip()
    cluster = {"certificate-authority": str(SERVICE_ACCOUNT / "ca.crt")}
    user = {"tokenFile": str(SERVICE_ACCOUNT / "token")}
    return Connection(server, namespace, "in-cluster", str(SERVICE_ACCOUNT), cluster, user)
