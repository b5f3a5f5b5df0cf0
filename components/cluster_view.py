"""What Kubernetes' own role ``view`` lacks: it knows nothing of what has no namespace."""

from components.manifests import Manifest

READABLE = {
    "": ["nodes", "persistentvolumes"],
    "apiextensions.k8s.io": ["customresourcedefinitions"],
    "metrics.k8s.io": ["nodes", "pods"],
    "networking.k8s.io": ["ingressclasses"],
    "scheduling.k8s.io": ["priorityclasses"],
    "storage.k8s.io": ["storageclasses"],
}
"""What people look at, by API group. Nothing of it can hold a Secret."""


def cluster_view(meta: Manifest) -> Manifest:
    """Return the ClusterRole with the metadata ``meta`` to read that, for who has the role ``view`` as well."""
    verbs = ["get", "list", "watch"]
    return {
        "metadata": meta,
        "rules": [{"apiGroups": [group], "resources": names, "verbs": verbs} for group, names in READABLE.items()],
    }
