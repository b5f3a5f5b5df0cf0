"""Storage for PersistentVolumeClaims: folders on the node, made by the local-path provisioner."""

from pydantic import Field

from components.addons.addon import Addon, Detectable, Detection
from components.options import NodePath

NAMESPACE = "local-path-storage"
CLASS = "local-path"

_MUTE = "It serves nothing that could be asked: https://github.com/rancher/local-path-provisioner/issues/208."


class StorageOptions(Detectable):
    """Options of the storage."""

    path: NodePath = Field(
        default="/opt/local-path-provisioner", description="folder on each node that holds the volumes"
    )


STORAGE = Addon(
    name="storage",
    what="volumes in a folder of the node",
    options=StorageOptions,
    component="Storage",
    default="auto",
    optional=False,
    namespaces=(NAMESPACE,),
    detection=Detection("/apis/storage.k8s.io/v1/storageclasses", "StorageClass", CLASS, default_only=True),
    exemptions={
        "liveness-probe": {"Deployment local-path-storage/local-path-provisioner": _MUTE},
        "readiness-probe": {"Deployment local-path-storage/local-path-provisioner": _MUTE},
        "pod-security-restricted": {
            "Namespace local-path-storage": (
                "The pods that make and remove the folders of volumes mount their parent."
            ),
        },
        "service-account-token": {
            "Deployment local-path-storage/local-path-provisioner": "It watches claims and makes volumes for them.",
        },
    },
)
