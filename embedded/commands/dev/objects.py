"""What a site that is edited has in the cluster besides the site: all of it goes when the site goes."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from embedded.health.deployed import Json, Kind
from settings.edited import NGINX

DEPLOYMENT = Kind("apps/v1", "Deployment")
POD = Kind("v1", "Pod")
SERVICE = Kind("v1", "Service")
SLICE = Kind("discovery.k8s.io/v1", "EndpointSlice")
INGRESS = Kind("networking.k8s.io/v1", "Ingress")
ROUTE = Kind("gateway.networking.k8s.io/v1", "HTTPRoute")
POLICY = Kind("networking.k8s.io/v1", "NetworkPolicy")

NAME = "app.kubernetes.io/name"
CONTAINER, FILES, FRONT = "site", "files", "front"
"""The containers: the site itself; where files are put; and what is in front of a program."""
BUSYBOX = "docker.io/library/busybox:1.35.0"
EDITED = "/edited"
"""Where the container `FILES` has what the others are given."""
PARTS = {"srv": "/srv", "etc": "/etc/nginx"}
"""The folders in there, and where a server finds them."""
READY = f"{EDITED}/srv/dev/ready"
"""Is there when all has been put there for the first time: the other containers start then."""
LONGEST_SECONDS = 24 * 3600
"""After which a pod ends that nobody has ended."""

_WAIT = 'trap "exit 0" TERM; while :; do sleep 3600 & wait $!; done'
_SMALL = {"requests": {"cpu": "5m", "memory": "16Mi"}, "limits": {"cpu": "250m", "memory": "64Mi"}}
_TOOLS = ("pulumi.com/", "kubectl.kubernetes.io/", "cert-manager.io/", "acme.cert-manager.io/")
"""What annotations begin with that belong to whoever made the Ingress."""


def called(site: str) -> str:
    """Return the name of the objects: a Service's is at most 63 characters."""
    return f"{site[:59].rstrip('-')}-dev"


def host_of(host: str) -> str:
    """Return the host by which a site is seen while it is edited."""
    return f"dev.{host}"


def front_port(program: int) -> int:
    """Return the port of what is in front of a program, which has one itself."""
    return 8081 if program != 8081 else 8082


@dataclass(frozen=True)
class Edited:
    """A site as the cluster has it, and how it is served while it is edited."""

    deployment: Json
    reached_by: Json
    """Its Ingress, or its HTTPRoute."""
    policy: Json | None
    modes: Mapping[str, Iterable[str]]
    """The access modes of its claims."""
    pages: bool
    """Whether it is a folder of pages; else it is built by a Dockerfile."""

    @property
    def way(self) -> Kind:
        """What it is reached by."""
        return ROUTE if "parentRefs" in self.reached_by["spec"] else INGRESS

    @property
    def host(self) -> str:
        """The host of its URL."""
        spec = self.reached_by["spec"]
        return str(spec["hostnames"][0] if self.way is ROUTE else spec["rules"][0]["host"])

    @property
    def paths(self) -> list[str]:
        """The paths below which it is."""
        rule = self.reached_by["spec"]["rules"][0]
        if self.way is ROUTE:
            return [each["path"]["value"] for each in rule["matches"]]
        return [each["path"] for each in rule["http"]["paths"]]

    @property
    def site(self) -> str:
        """Name of the site."""
        return str(self.deployment["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """Where all of it is."""
        return str(self.deployment["metadata"]["namespace"])

    @property
    def name(self) -> str:
        """What the objects are called."""
        return called(self.site)

    @property
    def container(self) -> Json:
        """The container of the site."""
        found: Json = next(
            each for each in self.deployment["spec"]["template"]["spec"]["containers"] if each["name"] == CONTAINER
        )
        return found

    @property
    def image(self) -> str:
        """What the site runs."""
        return str(self.container["image"])

    @property
    def repository(self) -> str:
        """Where that is, without tag and digest."""
        name = self.image.partition("@")[0]
        head, slash, last = name.rpartition("/")
        return head + slash + last.partition(":")[0]

    @property
    def port(self) -> int:
        """Where the site listens."""
        return int(self.container["ports"][0]["containerPort"])

    @property
    def served_at(self) -> int:
        """Where the pod listens to visitors."""
        return self.port if self.pages else front_port(self.port)

    @property
    def health_path(self) -> str:
        """What answers where the site can serve."""
        probe = self.container.get("readinessProbe") or {}
        return str((probe.get("httpGet") or {}).get("path", "/"))

    @property
    def left_out(self) -> list[str]:
        """The claims that another pod mustn't have."""
        return [name for name, modes in self.modes.items() if "ReadWriteMany" not in modes]

    def metadata(self) -> Json:
        """Return the metadata of an object of these."""
        its = self.deployment["metadata"]
        return {
            "name": self.name,
            "namespace": self.namespace,
            "labels": {
                **{key: value for key, value in its.get("labels", {}).items() if key.startswith("app.kubernetes.io/")},
                NAME: self.name,
                "app.kubernetes.io/component": "dev",
                "app.kubernetes.io/managed-by": "script-dev",
            },
            "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "Deployment", "name": its["name"], "uid": its["uid"]}
            ],
        }


def pod(edited: Edited, image: str) -> Json:
    """Return the pod that serves what is edited: the site's own, with its environment, beside a way to put files there.

    Args:
        edited: The site.
        image: What the site's container runs.
    """
    spec = copy.deepcopy(edited.deployment["spec"]["template"]["spec"])
    site = copy.deepcopy(edited.container)
    for key in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe"):
        site.pop(key, None)
    site |= {"image": image, "ports": [{"name": "http", "containerPort": edited.port}]}
    small = {"resources": _SMALL, "securityContext": site.get("securityContext", {})}
    given = [{"name": part, "mountPath": path} for part, path in PARTS.items()]
    tmp = {"name": "dev-tmp", "mountPath": "/tmp"}  # noqa: S108 - of the container
    containers = [site]
    if edited.pages:
        site["volumeMounts"] = [*site.get("volumeMounts", []), *given]
    else:
        front = {
            "name": FRONT,
            "image": NGINX,
            "command": ["/usr/sbin/nginx", "-e", "stderr", "-c", "/srv/dev/nginx.conf"],
            **small,
            # Which image it is, is told by a folder of this user's.
            "securityContext": {**small["securityContext"], "runAsUser": 65532, "runAsGroup": 65532},
            "volumeMounts": [given[0], tmp],
        }
        containers.append(front)
        # As the first process of a container, a program that doesn't care for SIGTERM is only killed after two seconds.
        spec["shareProcessNamespace"] = True
    files = {
        "name": FILES,
        "image": BUSYBOX,
        "restartPolicy": "Always",
        "command": ["sh", "-c", _WAIT],
        **small,
        "startupProbe": {"exec": {"command": ["test", "-e", READY]}, "periodSeconds": 1, "failureThreshold": 600},
        "volumeMounts": [{"name": part, "mountPath": f"{EDITED}/{part}"} for part in PARTS],
    }
    spec |= {
        "initContainers": [*spec.get("initContainers", []), files],
        "containers": containers,
        "volumes": [
            *(_volume(each, edited.left_out) for each in spec.get("volumes", [])),
            *({"name": part, "emptyDir": {}} for part in PARTS),
            {"name": "dev-tmp", "emptyDir": {"sizeLimit": "64Mi"}},
        ],
        "terminationGracePeriodSeconds": 1,
        "activeDeadlineSeconds": LONGEST_SECONDS,
    }
    spec.pop("topologySpreadConstraints", None)
    return {"metadata": edited.metadata(), "spec": spec}


def _volume(volume: Json, left_out: list[str]) -> Json:
    """Return a volume of the site's; an empty one in place of a claim that isn't shared."""
    claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
    return {"name": volume["name"], "emptyDir": {}} if claim in left_out else volume


def service(edited: Edited) -> Json:
    """Return the Service of the pod; for a program without a selector, see `slice_of`."""
    return {
        "metadata": edited.metadata(),
        "spec": {
            **({"selector": {NAME: edited.name}} if edited.pages else {}),
            "ports": [{"name": "http", "port": 80, "targetPort": edited.served_at}],
        },
    }


def slice_of(edited: Edited, address: str) -> Json:
    """Return where the Service of a program finds the pod, also while the program is replaced, or fails.

    The pod isn't ready then, and ingress controllers leave out those that aren't, whatever
    ``publishNotReadyAddresses`` says. What is in front of the program answers.

    Args:
        edited: The site.
        address: That of the pod.
    """
    meta = edited.metadata()
    meta["labels"] |= {
        "kubernetes.io/service-name": edited.name,
        "endpointslice.kubernetes.io/managed-by": "script-dev",
    }
    return {
        "metadata": meta,
        "addressType": "IPv6" if ":" in address else "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True, "serving": True}}],
        "ports": [{"name": "http", "port": edited.served_at, "protocol": "TCP"}],
    }


def way(edited: Edited) -> Json:
    """Return the Ingress or the HTTPRoute: the site's own, by plain HTTP, for a host beside it."""
    paths = list(dict.fromkeys([*edited.paths, "/.dev"]))
    return _route(edited, paths) if edited.way is ROUTE else _ingress(edited, paths)


def _route(edited: Edited, paths: Iterable[str]) -> Json:
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": path}} for path in paths],
        "backendRefs": [{"name": edited.name, "port": 80}],
    }
    return {
        "metadata": edited.metadata(),
        "spec": {
            "parentRefs": edited.reached_by["spec"]["parentRefs"],
            "hostnames": [host_of(edited.host)],
            "rules": [rule],
        },
    }


def _ingress(edited: Edited, paths: Iterable[str]) -> Json:
    """Return the Ingress, with what the site's own tells the controller."""
    its = edited.reached_by
    backend = {"service": {"name": edited.name, "port": {"name": "http"}}}
    annotations = {
        key: value for key, value in (its["metadata"].get("annotations") or {}).items() if not key.startswith(_TOOLS)
    }
    return {
        "metadata": {**edited.metadata(), "annotations": annotations},
        "spec": {
            "ingressClassName": its["spec"].get("ingressClassName"),
            "rules": [
                {
                    "host": host_of(edited.host),
                    "http": {"paths": [{"path": path, "pathType": "Prefix", "backend": backend} for path in paths]},
                }
            ],
        },
    }


def policy(edited: Edited) -> Json | None:
    """Return the NetworkPolicy of the pod: the site's own, for this pod; ``None`` if the site has none."""
    if edited.policy is None:
        return None
    spec = copy.deepcopy(edited.policy["spec"])
    spec["podSelector"] = {"matchLabels": {NAME: edited.name}}
    for rule in spec.get("ingress") or []:
        for each in rule.get("ports") or []:
            if each.get("port") == edited.port:
                each["port"] = edited.served_at
    return {"metadata": edited.metadata(), "spec": spec}
