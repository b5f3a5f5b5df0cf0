"""What may break a rule, and why.

By rule, then by object as `KubernetesObject.subject` calls it; ``*`` stands for any namespace. Whoever adds one gives a
reason that others can check.
"""

PROVISIONER_IS_MUTE = (
    "It serves nothing that could be asked: https://github.com/rancher/local-path-provisioner/issues/208."
)
ADMINISTRATOR = {
    "ClusterRoleBinding dashboard-admin": "It is there only where the configuration has addons.dashboard.access: admin."
}

PULLER = "The controller asks registries for digests, with the credentials of the pods' accounts."
KNATIVE_CERTIFICATES = "Certificates of Knative's Ingresses are in Secrets of all namespaces."
ACTIVATOR = "It waits until it has seen the Secrets of its own namespace, where its certificate would be."
WATCHES_KNATIVE = "It watches Knative's objects."

EDITORS = "Whom the configuration names in addons.rbac changes Secrets in these namespaces, and so reads them."

EXEMPTIONS: dict[str, dict[str, str]] = {
    "dashboard-secrets": ADMINISTRATOR,
    "host-path": {
        "DaemonSet logs-collector/otel-collector": (
            "It reads the logs of its node's pods, and keeps there how far it is."
        ),
    },
    "host-ports": {
        "DaemonSet ingress/traefik": "It is what listens on the ports 80 and 443 of the nodes, without nodePorts.",
    },
    "image-version": {
        "Deployment container-registry/registry": (
            "The embedded cluster and upstream have the tag 3 in common; it moves within one major version."
        ),
    },
    "liveness-probe": {
        "Deployment local-path-storage/local-path-provisioner": PROVISIONER_IS_MUTE,
    },
    "non-root": {
        "DaemonSet logs-collector/otel-collector": "Logs are root's on the node; it has no capabilities.",
    },
    "pod-security-restricted": {
        "Namespace cattle-system": "Rancher runs as root, and starts pods there that its chart doesn't show.",
        "Namespace cilium": "Cilium loads programs into the kernel, and writes the node's CNI configuration.",
        "Namespace gpu-operator": "Its pods load drivers into the kernel, and change the node's container runtime.",
        "Namespace ingress": "Host ports need the level privileged, which it has where it has no node ports.",
        "Namespace istio-system": "The CNI agent and ztunnel redirect traffic in the network namespaces of pods.",
        "Namespace linkerd": "An init container of each pod writes iptables rules (NET_ADMIN, NET_RAW).",
        "Namespace logs-collector": "Its pods mount the node's logs; Loki is in a restricted namespace of its own.",
        "Namespace local-path-storage": "The pods that make and remove the folders of volumes mount their parent.",
    },
    "rbac-admin": ADMINISTRATOR,
    "rbac-secrets": {
        **ADMINISTRATOR,
        "ClusterRole knative-serving-controller": PULLER,
        "ClusterRole knative-serving-gateway": KNATIVE_CERTIFICATES,
        "ClusterRoleBinding knative-serving-controller": PULLER,
        "ClusterRoleBinding knative-serving-gateway": KNATIVE_CERTIFICATES,
        "Role knative-serving/knative-serving-activator": ACTIVATOR,
        "RoleBinding knative-serving/knative-serving-activator": ACTIVATOR,
        "ClusterRole traefik": "Certificates of Ingresses are in Secrets of all namespaces.",
        "ClusterRoleBinding traefik": "Certificates of Ingresses are in Secrets of all namespaces.",
        "RoleBinding */rbac-admin": EDITORS,
        "RoleBinding */rbac-edit": EDITORS,
    },
    "readiness-probe": {
        "Deployment dashboard/dashboard": "Of its two containers, Caddy asks kube-web-view when it is asked itself.",
        "Deployment local-path-storage/local-path-provisioner": PROVISIONER_IS_MUTE,
    },
    "service-account-token": {
        "DaemonSet ingress/traefik": "It watches Ingresses and what they route to.",
        "Deployment dashboard/dashboard": (
            "kube-web-view reads the cluster with it; Headlamp only finds the API server where it is mounted."
        ),
        **{
            f"Deployment knative-serving/{program}": WATCHES_KNATIVE
            for program in ("activator", "autoscaler", "controller", "gateway", "webhook")
        },
        "Deployment kube-system/coredns": "It watches Services and EndpointSlices.",
        "Deployment kube-system/metrics-server": "It watches pods and nodes, and asks the kubelets for their metrics.",
        "Deployment local-path-storage/local-path-provisioner": "It watches claims and makes volumes for them.",
        "StatefulSet prometheus/prometheus": "It finds what there is to measure, and asks the kubelets for metrics.",
    },
    "service-type": {
        "Service ingress/traefik": "A load balancer in front of the nodes reaches it at its NodePorts.",
        "Service container-registry/registry": "The nodes and the Docker Engine use the registry at its NodePort.",
    },
}

READS_SECRETS = "Certificates and their keys, and the keys of issuers, are in Secrets of all namespaces."
OF_THE_WEBHOOK = "The authority of the webhook's certificate is in a Secret that it makes itself."
WITHOUT_PROBES = "Upstream's chart gives it none, and it serves nobody."
CERT_MANAGER = (
    "cainjector",
    *(f"controller-{of}" for of in ("certificates", "challenges", "clusterissuers", "issuers", "orders")),
)
"""What the roles of cert-manager that read Secrets are called, after its name."""

OF_CHARTS: dict[str, dict[str, str]] = {
    "liveness-probe": {"Deployment cert-manager/cert-manager-cainjector": WITHOUT_PROBES},
    "rbac-secrets": {
        **{f"ClusterRole cert-manager-{name}": READS_SECRETS for name in CERT_MANAGER},
        **{f"ClusterRoleBinding cert-manager-{name}": READS_SECRETS for name in CERT_MANAGER},
        "Role cert-manager/cert-manager-webhook:dynamic-serving": OF_THE_WEBHOOK,
        "RoleBinding cert-manager/cert-manager-webhook:dynamic-serving": OF_THE_WEBHOOK,
    },
    "readiness-probe": {
        "Deployment cert-manager/cert-manager": WITHOUT_PROBES,
        "Deployment cert-manager/cert-manager-cainjector": WITHOUT_PROBES,
    },
    "service-account-token": {
        "Deployment cert-manager/cert-manager": "It watches Certificates, and issues them.",
        "Deployment cert-manager/cert-manager-cainjector": "It tells the API server which authorities webhooks have.",
        "Deployment cert-manager/cert-manager-webhook": "It asks the API server who may approve a request.",
        "Job cert-manager/cert-manager-startupapicheck": "It asks the API server for a Certificate, to see if it can.",
    },
}
"""The same for objects of charts, which aren't known before Helm has rendered them."""

for _rule, _exempt in OF_CHARTS.items():
    EXEMPTIONS.setdefault(_rule, {}).update(_exempt)
