"""The cluster's image registry: CNCF Distribution on a NodePort."""

import json

import pulumi

from components import manifests
from components.addons.registry import NAMESPACE, RegistryAddonOptions, pruning
from components.kinds import ConfigMap, Deployment, Namespace, NetworkPolicy, PersistentVolumeClaim, Service
from components.manifests import (
    CONTAINER_SECURITY,
    POD_SECURITY,
    Manifest,
    checksum,
    config_map,
    labels,
    metadata,
    namespace_args,
    selector,
)
from components.registry import RegistryOptions

IMAGE = "docker.io/library/registry:3"
NAME = "registry"
PORT = 5000


class Registry(pulumi.ComponentResource):
    """An image registry with a volume of its own, on the same port of every node.

    Args:
        name: What the names of its resources begin with.
        options: The addon's options.
        registry: Where the Docker Engine and the nodes reach it.
        storage_class: StorageClass of the volume; default: the cluster's default one.
        opts: Pulumi's options.
    """

    address: pulumi.Output[str]
    """``host:port`` for image names; known when the registry answers."""

    def __init__(
        self,
        name: str,
        options: RegistryAddonOptions,
        registry: RegistryOptions,
        storage_class: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("inspiration:index:Registry", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)

        namespace = Namespace(f"{name}-namespace", **namespace_args(NAMESPACE, "registry", "restricted"), opts=child)
        ns = namespace.metadata["name"]
        mounted = ConfigMap(f"{name}-config", **config_map(NAME, ns, "registry", {"config.yml": config()}), opts=child)
        claim = PersistentVolumeClaim(f"{name}-claim", **volume_claim(ns, options.size, storage_class), opts=child)
        policy = NetworkPolicy(f"{name}-policy", **network_policy(ns, options.source_ranges or []), opts=child)
        deployment = Deployment(
            f"{name}-deployment",
            **deployment_args(ns, mounted.metadata["name"], claim.metadata["name"]),
            # No pod runs before the policy that confines it.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )
        service = Service(
            f"{name}-service",
            **service_args(ns, registry.node_port),
            # The Service is ready when a pod answers behind it; without this, both would report the same failure.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[deployment]),
        )
        hosting = {"localRegistryHosting.v1": json.dumps({"host": registry.address})}
        # How developers' tools find the registry: KEP-1755, "Communicating a local registry".
        ConfigMap(
            f"{name}-hosting",
            **config_map("local-registry-hosting", "kube-public", "registry", hosting),
            opts=child,
        )
        if options.keep is not None:
            pruning.declare(f"{name}-prune", options.keep, ns, claim.metadata["name"], self)
        self.address = service.id.apply(lambda _: registry.address)
        self.register_outputs({"address": self.address})


def config() -> str:
    """Return the registry's configuration file; JSON is YAML.

    Source: https://distribution.github.io/distribution/about/configuration/
    """
    return json.dumps(
        {
            "version": 0.1,
            "log": {"accesslog": {"disabled": False}, "level": "warn", "formatter": "json"},
            "storage": {
                "filesystem": {"rootdirectory": "/var/lib/registry"},
                "delete": {"enabled": True},
                # The volume is the cache; one in memory would only grow.
                "maintenance": {"uploadpurging": {"enabled": True, "age": "24h", "interval": "6h", "dryrun": False}},
            },
            "http": {"addr": f":{PORT}", "headers": {"X-Content-Type-Options": ["nosniff"]}},
            "health": {"storagedriver": {"enabled": True, "interval": "10s", "threshold": 3}},
        },
        indent=2,
    )


def volume_claim(ns: pulumi.Input[str], size: str, storage_class: pulumi.Input[str] | None) -> Manifest:
    """Return the claim of the volume that holds the images."""
    return manifests.volume_claim(metadata(NAME, ns, "registry"), size, storage_class)


def deployment_args(ns: pulumi.Input[str], mounted: pulumi.Input[str], claim: pulumi.Input[str]) -> Manifest:
    """Return the Deployment of the registry."""
    probe = {"httpGet": {"path": "/v2/", "port": "http"}, "timeoutSeconds": 5}
    container = {
        "name": "registry",
        "image": IMAGE,
        "command": ["/bin/registry", "serve", "/etc/distribution/config.yml"],
        # The image's default exporter would look for a collector on localhost.
        "env": [{"name": "OTEL_TRACES_EXPORTER", "value": "none"}],
        "ports": [{"name": "http", "containerPort": PORT}],
        "startupProbe": {**probe, "periodSeconds": 1, "failureThreshold": 60},
        "readinessProbe": {**probe, "periodSeconds": 10},
        "livenessProbe": {**probe, "periodSeconds": 30},
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": CONTAINER_SECURITY,
        "volumeMounts": [
            {"name": "config", "mountPath": "/etc/distribution", "readOnly": True},
            {"name": "images", "mountPath": "/var/lib/registry"},
        ],
    }
    return {
        "metadata": metadata(NAME, ns, "registry"),
        "spec": {
            # One writer: uploads keep their state in the process and on a volume that one node mounts.
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": selector(NAME)},
            "template": {
                "metadata": {"labels": labels(NAME, "registry"), "annotations": checksum(config())},
                "spec": {
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": 10,
                    "securityContext": POD_SECURITY,
                    "containers": [container],
                    "volumes": [
                        {"name": "config", "configMap": {"name": mounted}},
                        {"name": "images", "persistentVolumeClaim": {"claimName": claim}},
                    ],
                },
            },
        },
    }


def network_policy(ns: pulumi.Input[str], ranges: list[str]) -> Manifest:
    """Return the NetworkPolicy that lets in connections from ``ranges``, and nothing out.

    The registry asks nobody who they are: who connects may replace an image. Nodes pull, and people push, from
    addresses that aren't those of pods, which leaves the pods out. What a node sends to its own pods is always let in.
    """
    peers = [{"ipBlock": {"cidr": cidr}} for cidr in ranges]
    return {
        "metadata": metadata(NAME, ns, "registry"),
        "spec": {
            "podSelector": {"matchLabels": selector(NAME)},
            "policyTypes": ["Ingress", "Egress"],
            # A rule without peers would let in everybody.
            "ingress": [{"from": peers, "ports": [{"port": "http", "protocol": "TCP"}]}] if peers else [],
            "egress": [],
        },
    }


def service_args(ns: pulumi.Input[str], node_port: int) -> Manifest:
    """Return the Service that makes the registry reachable on ``node_port`` of every node.

    From elsewhere, on its pod's node alone: passed on by another one, a connection would have the address of that node,
    and the NetworkPolicy would take whoever it is for a node.
    """
    return {
        "metadata": metadata(NAME, ns, "registry"),
        "spec": {
            "type": "NodePort",
            "externalTrafficPolicy": "Local",
            "selector": selector(NAME),
            "ports": [{"name": "http", "port": PORT, "targetPort": "http", "nodePort": node_port}],
        },
    }
