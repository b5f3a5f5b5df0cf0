"""All rules about Kubernetes objects."""

from policy import exposure, images, pods, rbac, reviewable, workloads

RULES = [
    *images.RULES,
    *pods.RULES,
    *workloads.RULES,
    *exposure.RULES,
    *rbac.RULES,
    *reviewable.RULES,
]
