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
        "Supervisor starts it from this file",
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
        "the kubelet takes no anonymous requests, and authorizes every request",
        "met",
        (Field(KUBELET, "authentication.anonymous.enabled", False), Field(KUBELET, "authorization.mode", "Webhook")),
    ),
    Check(
        points("4.2", 3, 4),
        "client certificates are checked; no read-only port",
        "met",
        (Flag("kubelet", "config"), Field(KUBELET, "readOnlyPort", 0)),
        "`authentication.x509.clientCAFile`",
    ),
    Check(
        points("4.2", 5, 6, 8),
        "idle connections end; the kubelet manages its iptables chains; events aren't lost",
        "met",
        (
            Field(KUBELET, "streamingConnectionIdleTimeout", None),
            Field(KUBELET, "makeIPTablesUtilChains", None),
            Field(KUBELET, "eventRecordQPS", None),
        ),
        "unset, because these are the defaults",
    ),
    Check(
        points("4.2", 7),
        "the node is called by its host name",
        "differs",
        (Flag("kubelet", "hostname-override", "inspiration"),),
        "the cluster survives when the machine gets another name; the kubelet's certificate has this one",
    ),
    Check(
        points("4.2", 9),
        "the kubelet's server certificate is signed by the cluster's authority",
        "met",
        (Flag("kubelet", "config"), Mode("pki/kubelet.key", 0o600)),
        "`tlsCertFile`, `tlsPrivateKeyFile`",
    ),
    Check(
        points("4.2", 10, 11),
        "its certificates are renewed",
        "differs",
        (Field(KUBELET, "serverTLSBootstrap", None),),
        "`script/up` renews them, like all of the cluster's: they are valid for ten years, and renewed in the last one",
    ),
    Check(
        points("4.2", 12),
        "strong ciphers only",
        "met",
        (Field(KUBELET, "tlsMinVersion", "VersionTLS13"),),
        "TLS 1.3 has no weak ones",
    ),
    Check(
        points("4.2", 13, 14),
        "a limit on a pod's processes; seccomp by default",
        "met",
        (Field(KUBELET, "podPidsLimit", 4096), Field(KUBELET, "seccompDefault", True)),
    ),
    Check(
        points("4.3", 1),
        "kube-proxy serves its metrics on loopback",
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
        "only the administrator's kubeconfig has it; the policy `rbac-admin` forbids it to the stack's own accounts, "
        "except those that the configuration makes administrators",
    ),
    Check(
        points("5.1", 2, 3, 4, 8, 9, 10, 11, 12, 13),
        "few can read Secrets, create pods and volumes, or grant rights; no wildcards",
        "met",
        (),
        "the policies `rbac-*` check every Role in a preview; each addon gives reasons for its exceptions",
    ),
    Check(
        points("5.1", 5, 6),
        "no default accounts; tokens only where needed",
        "met",
        (),
        "each workload that uses the API has an account of its own, and the pods of the others have no token; the "
        "policy `service-account-token` checks that",
    ),
    Check(
        points("5.2", *range(1, 13)),
        "no privileged pods, host namespaces, root, capabilities, host paths and ports",
        "met",
        (),
        "Pod Security `restricted` is enforced in [every namespace that allows it](pod-security.md)",
    ),
    Check(
        points("5.3", 1, 2),
        "NetworkPolicies are enforced, and each namespace has one",
        "differs",
        (),
        "they are [enforced](decisions/10-network-policies.md); sites, the registry and addons with data have one; "
        "those that everybody may ask (DNS, the ingress controller) or nobody asks (storage) have none",
    ),
    Check(
        points("5.4", 1),
        "Secrets as files, not environment variables",
        "met",
        (),
        "Secrets are mounted; no container of the stack takes an environment variable from one",
    ),
    Check(
        points("5.4", 2),
        "Secrets in an external store",
        "differs",
        (),
        "one machine has none; Secrets are encrypted in etcd and in Pulumi's state",
    ),
    Check(
        points("5.5", 1),
        "the origin of images is checked at admission",
        "differs",
        (),
        "there is no webhook; sites run by digest, and the policy `image-digest` checks that in every preview",
    ),
    Check(
        points("5.6", 1, 2, 3, 4),
        "namespaces; seccomp; security contexts; nothing in `default`",
        "met",
        (Field(KUBELET, "seccompDefault", True),),
        "each site and each addon has a namespace; the rest is in `components/manifests.py`",
    ),
)

CHECKS = (*NODE, *POLICIES)
