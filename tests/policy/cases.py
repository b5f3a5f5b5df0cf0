"""What each rule is shown: objects that break it, and objects that follow it."""

from dataclasses import dataclass

from policy.objects import KubernetesObject
from tests.policy.builders import (
    CONTAINER,
    DIGEST,
    GONE,
    account,
    binding,
    container,
    deployment,
    ingress,
    namespace,
    pod,
    resources,
    role,
    secured,
    service,
)


@dataclass(frozen=True)
class Case:
    """An object that breaks a rule, what it is told, and one that follows the rule."""

    rule: str
    breaks: KubernetesObject
    told: str
    follows: KubernetesObject


WEB = "Deployment blog/web: container web: "
CASES = [
    Case(
        "image-digest",
        deployment(container(image="localhost:32000/web:1.2.3"), component="site"),
        f"{WEB}the image localhost:32000/web:1.2.3 may change under its name; name it by digest, name@sha256:…",
        deployment(container(image=f"localhost:32000/web@{DIGEST}"), component="site"),
    ),
    Case(
        "image-digest",
        deployment(container(image=f"web@{DIGEST[:-1]}"), component="site"),
        f"{WEB}the image web@{DIGEST[:-1]} may change under its name; name it by digest, name@sha256:…",
        deployment(container(image="coredns:v1.15.0"), component="dns"),
    ),
    *(
        Case(
            "image-version",
            deployment(container(image=image)),
            f"{WEB}the image {image or '(none)'} has no exact version; name one, as in name:1.2.3, or a digest",
            deployment(container(image=exact)),
        )
        for image, exact in (
            ("nginx:latest", "nginx:1.27.3"),
            ("nginx", "nginx:1.27.3-alpine"),
            ("localhost:5000/nginx", "localhost:5000/nginx:v1.27.3"),
            ("registry:3", f"registry:3@{DIGEST}"),
            ("", f"localhost:5000/nginx@{DIGEST}"),
        )
    ),
    Case(
        "non-root",
        deployment(pod(securityContext=GONE)),
        f"{WEB}it may run as root; set securityContext.runAsNonRoot: true",
        deployment(),
    ),
    Case(
        "non-root",
        deployment(secured(runAsNonRoot=False)),
        f"{WEB}it may run as root; set securityContext.runAsNonRoot: true",
        deployment(pod(containers=[CONTAINER | {"securityContext": {"runAsNonRoot": True}}], securityContext=GONE)),
    ),
    Case(
        "non-root",
        deployment(secured(runAsUser=0.0)),
        f"{WEB}it runs as root; set securityContext.runAsUser to a user above 0",
        deployment(secured(runAsUser=65532.0)),
    ),
    Case(
        "read-only-root",
        deployment(secured(readOnlyRootFilesystem=False)),
        f"{WEB}its root file system is writable; set securityContext.readOnlyRootFilesystem: true "
        "and mount an emptyDir where it writes",
        deployment(),
    ),
    Case(
        "unprivileged",
        deployment(secured(privileged=True)),
        f"{WEB}it is privileged, which is root on the node; remove securityContext.privileged",
        deployment(secured(privileged=False)),
    ),
    Case(
        "unprivileged",
        deployment(container(securityContext={})),
        f"{WEB}it may gain privileges; set securityContext.allowPrivilegeEscalation: false",
        deployment(),
    ),
    Case(
        "capabilities",
        deployment(secured(capabilities={"drop": ["NET_RAW"]})),
        f"{WEB}it keeps the runtime's default capabilities; set securityContext.capabilities.drop: [ALL]",
        deployment(),
    ),
    Case(
        "capabilities",
        deployment(secured(capabilities={"drop": ["ALL"], "add": ["SYS_ADMIN", "NET_BIND_SERVICE"]})),
        f"{WEB}it adds SYS_ADMIN; only NET_BIND_SERVICE may be in securityContext.capabilities.add",
        deployment(secured(capabilities={"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]})),
    ),
    Case(
        "seccomp",
        deployment(secured(seccompProfile={"type": "Unconfined"})),
        f"{WEB}its system calls aren't filtered; set securityContext.seccompProfile.type: RuntimeDefault",
        deployment(secured(seccompProfile={"type": "Localhost", "localhostProfile": "web.json"})),
    ),
    *(
        Case(
            "host-namespaces",
            deployment(pod(**{name: True})),
            f"Deployment blog/web: its pods share a namespace with the node; remove {name}",
            deployment(pod(**{name: False})),
        )
        for name in ("hostNetwork", "hostPID", "hostIPC")
    ),
    Case(
        "host-ports",
        deployment(container(ports=[{"containerPort": 8080, "hostPort": 80.0}])),
        f"{WEB}it holds port 80 of its node; remove hostPort and use a Service",
        deployment(container(ports=[{"containerPort": 8080}])),
    ),
    Case(
        "host-path",
        deployment(pod(volumes=[{"name": "etc", "hostPath": {"path": "/etc"}}])),
        "Deployment blog/web: its volume etc is a folder of the node; use a PersistentVolumeClaim or an emptyDir",
        deployment(pod(volumes=[{"name": "tmp", "emptyDir": {}}])),
    ),
    Case(
        "service-account-token",
        deployment(pod(automountServiceAccountToken=GONE)),
        "Deployment blog/web: its pods hold a token for the API server; set automountServiceAccountToken: false",
        deployment(),
    ),
    Case(
        "service-account-token",
        deployment(pod(volumes=[{"name": "all", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}])),
        "Deployment blog/web: its volume all has a token for the API server; remove serviceAccountToken",
        deployment(pod(volumes=[{"name": "all", "projected": {"sources": [{"configMap": {"name": "c"}}]}}])),
    ),
    Case(
        "service-account-token",
        account(automount=True),
        "ServiceAccount blog/web: pods get its token unasked; set automountServiceAccountToken: false, "
        "and true in the pods that need it",
        account(automount=False),
    ),
    *(
        Case(
            "resources",
            deployment(resources(requests, limits)),
            f"{WEB}it has no resources.{missing}; set it",
            deployment(resources({"cpu": "1", "memory": "1Mi"}, {"memory": "1Mi"})),
        )
        for requests, limits, missing in (
            ({"memory": "1Mi"}, {"memory": "1Mi"}, "requests.cpu"),
            ({"cpu": "1"}, {"memory": "1Mi"}, "requests.memory"),
            ({"cpu": "1", "memory": "1Mi"}, {"cpu": "1"}, "limits.memory"),
        )
    ),
    *(
        Case(rule, deployment(container(**{field: GONE})), f"{WEB}it has no {field}; add one", deployment())
        for rule, field in (("readiness-probe", "readinessProbe"), ("liveness-probe", "livenessProbe"))
    ),
    Case(
        "pod-security",
        namespace(None),
        "Namespace blog: it has no Pod Security level; add the label pod-security.kubernetes.io/enforce: restricted",
        namespace("restricted"),
    ),
    Case(
        "pod-security-restricted",
        namespace("baseline"),
        "Namespace blog: its pods may be baseline; set the label pod-security.kubernetes.io/enforce: restricted",
        namespace("restricted"),
    ),
    Case(
        "ingress-host",
        ingress(rules=[{"host": "blog.localhost"}, {"http": {"paths": []}}]),
        "Ingress blog/web: a rule without a host takes the requests for all hosts; add its host",
        ingress(rules=[{"host": "blog.localhost"}]),
    ),
    Case(
        "ingress-host",
        ingress(defaultBackend={"service": {"name": "web"}}),
        "Ingress blog/web: its defaultBackend takes the requests for all hosts; remove it, and add rules with hosts",
        ingress(rules=[{"host": "blog.localhost"}]),
    ),
    Case(
        "ingress-host",
        ingress(ingressClassName="nginx"),
        "Ingress blog/web: it has no rules; add one with a host",
        ingress(rules=[{"host": "blog.localhost"}]),
    ),
    *(
        Case(
            "ingress-host",
            KubernetesObject(
                f"traefik.io/{kind}", {"metadata": {"name": "web"}, "spec": {"routes": [{"match": all_}]}}
            ),
            f"{kind} web: its route {all_} takes the requests for all hosts; match Host or, of TLS, HostSNI",
            KubernetesObject(f"traefik.io/{kind}", {"metadata": {"name": "web"}, "spec": {"routes": [{"match": own}]}}),
        )
        for kind, all_, own in (
            ("IngressRoute", "PathPrefix(`/`)", "Host(`blog.localhost`) && PathPrefix(`/`)"),
            ("IngressRoute", "Host(`a.localhost`) || PathPrefix(`/`)", "Host(`a.localhost`) || Host(`b.localhost`)"),
            ("IngressRoute", "!Host(`a.localhost`)", "Host(`a.localhost`) && !PathPrefix(`/private`)"),
            ("IngressRouteTCP", "HostSNI(`*`)", "HostSNI(`blog.localhost`)"),
        )
    ),
    Case(
        "ingress-host",
        KubernetesObject("gateway.networking.k8s.io/TLSRoute", {"metadata": {"name": "web"}, "spec": {"rules": []}}),
        "TLSRoute web: it takes the requests for all hosts; add its hostnames",
        KubernetesObject(
            "gateway.networking.k8s.io/TLSRoute",
            {"metadata": {"name": "web"}, "spec": {"hostnames": ["blog.localhost"]}},
        ),
    ),
    *(
        Case(
            "service-type",
            service(type=kind),
            f"Service blog/web: its type {kind} opens ports outside the cluster; use ClusterIP and an Ingress",
            follows,
        )
        for kind, follows in (("NodePort", service(type="ClusterIP")), ("LoadBalancer", service()))
    ),
    Case(
        "service-type",
        service(externalIPs=["192.0.2.1"]),
        "Service blog/web: its externalIPs take traffic that is meant for others; remove them, and use an Ingress",
        service(externalIPs=[]),
    ),
    *(
        Case("rbac-wildcard", broad, f"ClusterRole reader: a rule has * in {field}; name each that is needed", narrow)
        for field, broad in (
            ("apiGroups", role(["pods"], ["get"], groups=("*",))),
            ("resources", role(["*"], ["get"])),
            ("verbs", role(["pods"], ["*"])),
        )
        for narrow in (role(["pods"], ["get"]),)
    ),
    *(
        Case(
            "rbac-escalation",
            role([resource], [verb]),
            f"ClusterRole reader: it may {verb} {resource}, and so take the rights of others; remove it",
            role([resource], ["get"]),
        )
        for verb, resource in (
            ("impersonate", "users"),
            ("escalate", "clusterroles"),
            ("bind", "roles"),
            ("create", "serviceaccounts/token"),
        )
    ),
    Case(
        "rbac-admin",
        binding("cluster-admin"),
        "ClusterRoleBinding grant: it binds cluster-admin, which may do everything; "
        "bind a role with the rights that are needed",
        binding("view"),
    ),
    *(
        Case(
            "rbac-secrets", reads, f"ClusterRole reader: it may {right}, and so read Secrets; remove that right", not_so
        )
        for reads, right, not_so in (
            (role(["pods", "secrets"], ["get", "list"]), "get, list secrets", role(["secrets"], ["create"])),
            (role(["*"], ["watch"]), "watch *", role(["secrets"], ["get"], groups=("example.com",))),
            (role(["secrets"], ["*"], groups=("*",)), "* secrets", role(["pods"], ["*"])),
        )
    ),
    *(
        Case(
            "rbac-secrets",
            binding(to),
            f"ClusterRoleBinding grant: it binds the ClusterRole {to}, which may read Secrets; bind one that may not",
            binding("view"),
        )
        for to in ("edit", "admin", "cluster-admin", "traefik")
    ),
    Case(
        "dashboard-secrets",
        role(["secrets"], ["get"], name="traefik", component="dashboard"),
        "ClusterRole traefik: it may get secrets, and so read Secrets; remove that right",
        role(["pods"], ["get"], component="dashboard"),
    ),
    Case(
        "dashboard-secrets",
        binding("edit", component="dashboard"),
        "ClusterRoleBinding grant: it binds the ClusterRole edit, which may read Secrets; bind one that may not",
        binding("cluster-admin", component="dashboard", name="dashboard-admin"),
    ),
    Case(
        "reviewable",
        KubernetesObject("helm.sh/Release", {"metadata": {"name": "prometheus"}}),
        "Release prometheus: a preview doesn't show the objects of a helm Release; use helm.v4.Chart",
        deployment(),
    ),
    Case(
        "reviewable",
        KubernetesObject("apps/DeploymentList", {"items": [], "metadata": {"name": "all"}}),
        "DeploymentList all: the rules can't judge a List; declare each Deployment as a resource of its own",
        KubernetesObject("example.com/IPList", {"metadata": {"name": "all"}}),
    ),
    Case(
        "reviewable",
        KubernetesObject("core/NamespacePatch", {"metadata": {"name": "blog"}}),
        "NamespacePatch blog: the rules can't judge a Patch; declare each Namespace as a resource of its own",
        namespace("restricted"),
    ),
    Case(
        "reviewable",
        KubernetesObject(
            "rbac.authorization.k8s.io/ClusterRole", {"metadata": {"name": "all"}, "aggregationRule": {"x": 1}}
        ),
        "ClusterRole all: its aggregationRule takes over rights that aren't shown here; list them in rules",
        role(["pods"], ["get"]),
    ),
]
