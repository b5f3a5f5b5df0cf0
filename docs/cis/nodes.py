"""Sections 4 and 5 of the benchmark: the kubelet, kube-proxy, and what runs in the cluster."""

from __future__ import annotations

from docs.cis import Check, Field, Flag, Mode, points

KUBELET = "kubelet.yaml"

NODE = (
    Check(
        points("4.1", 1, 2),
        "mode and owner of the kubelet's service file",
        "not applicable",
        (Mode("config/supervisord.conf", 0o600),),
        "Supervisor starts it as this file says",
    ),
    Check(
        points("4.1", 3, 4, 5, 6),
        "modes and owners of the kubeconfigs of kube-proxy and the kubelet",
        "met",
        (Mode("config/kube-proxy.kubeconfig", 0o600), Mode("config/kubelet.kubeconfig", 0o600)),
    ),
    Check(points("4.1", 7, 8), "mode and owner of the authority's certificate", "met", (Mode("pki/ca.crt", 0o600),)),
    Check(
        points("4.1", 9, 10),
        "mode and owner of the kubelet's configuration",
        "met",
        (Mode(f"config/{KUBELET}", 0o600),),
    ),
    Check(
        points("4.2", 1, 2),
        "the kubelet: nobody without a name, and all are asked for their rights",
        "met",
        (Field(KUBELET, "authentication.anonymous.enabled", False), Field(KUBELET, "authorization.mode", "Webhook")),
    ),
    Check(
        points("4.2", 3, 4),
        "certificates of clients; no port for everybody",
        "met",
        (Flag("kubelet", "config"), Field(KUBELET, "readOnlyPort", 0)),
        "`authentication.x509.clientCAFile`",
    ),
    Check(
        points("4.2", 5, 6, 8),
        "idle connections end; iptables chains of its own; events aren't lost",
        "met",
        (
            Field(KUBELET, "streamingConnectionIdleTimeout", None),
            Field(KUBELET, "makeIPTablesUtilChains", None),
            Field(KUBELET, "eventRecordQPS", None),
        ),
        "unset, as the defaults are these",
    ),
    Check(
        points("4.2", 7),
        "the node is called by its host name",
        "differs",
        (Flag("kubelet", "hostname-override", "inspiration"),),
        "a machine that gets another name keeps its cluster; the kubelet's certificate has this name",
    ),
    Check(
        points("4.2", 9),
        "the kubelet's server has a certificate of the cluster's authority",
        "met",
        (Flag("kubelet", "config"), Mode("pki/kubelet.key", 0o600)),
        "`tlsCertFile`, `tlsPrivateKeyFile`",
    ),
    Check(
        points("4.2", 10, 11),
        "its certificates are renewed",
        "differs",
        (Field(KUBELET, "serverTLSBootstrap", None),),
        "by `script/up`, as all of the cluster's: they are good for ten years and made anew in the last one",
    ),
    Check(
        points("4.2", 12),
        "strong ciphers only",
        "met",
        (Field(KUBELET, "tlsMinVersion", "VersionTLS13"),),
        "TLS 1.3 has no others",
    ),
    Check(
        points("4.2", 13, 14),
        "a bound on a pod's processes; seccomp by default",
        "met",
        (Field(KUBELET, "podPidsLimit", 4096), Field(KUBELET, "seccompDefault", True)),
    ),
    Check(
        points("4.3", 1),
        "kube-proxy's metrics are on loopback",
        "met",
        (Field("kube-proxy.yaml", "metricsBindAddress", "127.0.0.1:10249"),),
    ),
)

POLICIES = (
    Check(
        points("5.1", 1, 7),
        "cluster-admin and system:masters only where required",
        "met",
        (),
        "the administrator's kubeconfig alone; the policy `rbac-admin` forbids it to the stack's own accounts, but for "
        "those that the configuration makes administrators",
    ),
    Check(
        points("5.1", 2, 3, 4, 8, 9, 10, 11, 12, 13),
        "few may read Secrets, make pods and volumes, or give rights; no wildcards",
        "met",
        (),
        "the policies `rbac-*` look at every Role of a preview; exceptions have a reason in `policy/exemptions.py`",
    ),
    Check(
        points("5.1", 5, 6),
        "no default accounts; tokens only where needed",
        "met",
        (),
        "each workload that asks the API has an account of its own, the pods of the others have no token; the policy "
        "`service-account-token`",
    ),
    Check(
        points("5.2", *range(1, 13)),
        "no privileged pods, host namespaces, root, capabilities, host paths and ports",
        "met",
        (),
        "Pod Security `restricted` is enforced in each namespace that can have it: [see there](pod-security.md)",
    ),
    Check(
        points("5.3", 1, 2),
        "NetworkPolicies are enforced, and each namespace has one",
        "differs",
        (),
        "[enforced](decisions/10-network-policies.md); sites, registry and addons with data have one, not so what "
        "everybody may ask (DNS, the ingress controller) or nobody does (storage)",
    ),
    Check(
        points("5.4", 1),
        "Secrets as files, not environment variables",
        "met",
        (),
        "mounted; no container of the stack has an environment variable from a Secret",
    ),
    Check(
        points("5.4", 2),
        "Secrets in an external store",
        "differs",
        (),
        "none on one machine; they are encrypted in etcd and in Pulumi's state",
    ),
    Check(
        points("5.5", 1),
        "where images come from is checked at admission",
        "differs",
        (),
        "no webhook; sites run by digest, to which the policy `image-digest` holds every preview",
    ),
    Check(
        points("5.6", 1, 2, 3, 4),
        "namespaces; seccomp; security contexts; nothing in `default`",
        "met",
        (Field(KUBELET, "seccompDefault", True),),
        "a namespace a site and an addon; the rest is in `components/manifests.py`",
    ),
)

CHECKS = (*NODE, *POLICIES)
