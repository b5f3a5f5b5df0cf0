"""The kinds of Knative Serving.

Sources: https://github.com/knative/serving/tree/knative-v1.23.0/config/core/300-resources,
https://github.com/knative/networking/tree/main/config and https://github.com/knative/caching/tree/main/config
"""

from dataclasses import dataclass

from components.manifests import Manifest, metadata

SERVING = "serving.knative.dev"
NETWORKING = "networking.internal.knative.dev"
AUTOSCALING = "autoscaling.internal.knative.dev"
CACHING = "caching.internal.knative.dev"


@dataclass(frozen=True)
class Definition:
    """What defines a kind, less what all have in common."""

    group: str
    kind: str
    version: str = "v1alpha1"
    short_names: tuple[str, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()
    """What ``kubectl get`` shows besides whether it is ready: name, and path in the object."""
    scope: str = "Namespaced"

    @property
    def plural(self) -> str:
        """In URLs and in roles: ``services``."""
        name = self.kind.lower()
        return f"{name}es" if name.endswith("s") else f"{name}s"


_URL = (("URL", ".status.url"),)
_REVISIONS = (
    ("LatestCreated", ".status.latestCreatedRevisionName"),
    ("LatestReady", ".status.latestReadyRevisionName"),
)

DEFINITIONS = (
    Definition(SERVING, "Service", "v1", ("kservice", "ksvc"), (*_URL, *_REVISIONS)),
    Definition(SERVING, "Configuration", "v1", ("config", "cfg"), _REVISIONS),
    Definition(
        SERVING,
        "Revision",
        "v1",
        ("rev",),
        (("Config Name", r".metadata.labels['serving\.knative\.dev/configuration']"),),
    ),
    Definition(NETWORKING, "Ingress", short_names=("kingress", "king")),
    Definition(NETWORKING, "ServerlessService", short_names=("sks",), columns=(("Mode", ".spec.mode"),)),
    Definition(NETWORKING, "Certificate", short_names=("kcert",)),
    Definition(NETWORKING, "ClusterDomainClaim", short_names=("cdc",), scope="Cluster"),
    Definition(AUTOSCALING, "PodAutoscaler", short_names=("kpa", "pa")),
    Definition(AUTOSCALING, "Metric"),
    Definition(CACHING, "Image", columns=(("Image", ".spec.image"),)),
)

FINALIZED = (
    Definition(SERVING, "Route", "v1", ("rt",), _URL),
    Definition(SERVING, "DomainMapping", "v1beta1", ("dm",), _URL),
)
"""Kinds whose objects the controller has to let go, by their finalizers."""


def custom_resource_definition(definition: Definition) -> Manifest:
    """Return the CustomResourceDefinition of a kind.

    It has no schema: what is in an object is completed and checked by Knative's webhook, which drops fields that it
    doesn't know. Upstream's has one, of which ``kubectl explain`` tells, and which finds such fields; all are 360 kB.
    """
    # An empty list would be a change in each preview: the API server leaves it out.
    short_names = {"shortNames": list(definition.short_names)} if definition.short_names else {}
    columns = [
        *definition.columns,
        ("Ready", ".status.conditions[?(@.type=='Ready')].status"),
        ("Reason", ".status.conditions[?(@.type=='Ready')].reason"),
    ]
    return {
        "metadata": metadata(f"{definition.plural}.{definition.group}", None, "knative", "knative-serving"),
        "spec": {
            "group": definition.group,
            "scope": definition.scope,
            "names": {
                "kind": definition.kind,
                "listKind": f"{definition.kind}List",
                "plural": definition.plural,
                "singular": definition.kind.lower(),
                **short_names,
                "categories": ["knative", "all"] if definition.group == SERVING else ["knative-internal"],
            },
            "versions": [
                {
                    "name": definition.version,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [
                        {"name": name, "type": "string", "jsonPath": path} for name, path in columns
                    ],
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                }
            ],
        },
    }
