"""Sections 1 to 3 of the benchmark: the control plane's files and flags, etcd, who signs in, the audit log."""

from __future__ import annotations

from docs.cis import Check, Field, Flag, Mode, points

API = "kube-apiserver"
MANAGER = "kube-controller-manager"
SCHEDULER = "kube-scheduler"
TLS_13 = "VersionTLS13"

FILES = (
    Check(
        points("1.1", *range(1, 9)),
        "modes and owners of the pod specifications of the control plane",
        "not applicable",
        (Mode("config/supervisord.conf", 0o600),),
        "the control plane doesn't run in pods: Supervisor starts it from this file",
    ),
    Check(
        points("1.1", 9, 10),
        "mode and owner of the files of the network plugin",
        "met",
        (Mode("config/cni/*", 0o600), Mode("data/cni", 0o700)),
    ),
    Check(points("1.1", 11), "mode of etcd's folder", "met", (Mode("data/etcd", 0o700),)),
    Check(
        points("1.1", 12),
        "owner of etcd's folder is etcd",
        "differs",
        (Mode("data/etcd", 0o700),),
        "it belongs to root: etcd shares its PID namespace with everything else, so another user would protect nothing",
    ),
    Check(
        points("1.1", 13, 14), "mode and owner of the administrator's kubeconfig", "met", (Mode("kubeconfig", 0o600),)
    ),
    Check(
        points("1.1", 15, 16, 17, 18),
        "modes and owners of the kubeconfigs of the scheduler and the controller manager",
        "met",
        (Mode(f"config/{SCHEDULER}.kubeconfig", 0o600), Mode(f"config/{MANAGER}.kubeconfig", 0o600)),
    ),
    Check(
        points("1.1", 19, 20, 21),
        "modes and owners of the certificates and keys",
        "met",
        (Mode("pki", 0o700), Mode("pki/*", 0o600)),
    ),
)

API_SERVER = (
    Check(points("1.2", 1), "no anonymous requests", "met", (Flag(API, "anonymous-auth", "false"),)),
    Check(points("1.2", 2), "no token file", "met", (Flag(API, "token-auth-file", None),)),
    Check(
        points("1.2", 3, 9, 14),
        "DenyServiceExternalIPs, EventRateLimit, NodeRestriction",
        "met",
        (Flag(API, "enable-admission-plugins", "DenyServiceExternalIPs,EventRateLimit,NodeRestriction"),),
    ),
    Check(
        points("1.2", 4, 5),
        "the API server shows the kubelet a certificate, and checks the kubelet's",
        "met",
        (
            Flag(API, "kubelet-client-certificate"),
            Flag(API, "kubelet-client-key"),
            Flag(API, "kubelet-certificate-authority"),
        ),
    ),
    Check(
        points("1.2", 6, 7, 8), "authorization by Node and RBAC", "met", (Flag(API, "authorization-mode", "Node,RBAC"),)
    ),
    Check(
        points("1.2", 10, 12, 13),
        "AlwaysAdmit off; ServiceAccount and NamespaceLifecycle on",
        "met",
        (Flag(API, "disable-admission-plugins", None),),
        "on by default",
    ),
    Check(
        points("1.2", 11),
        "AlwaysPullImages",
        "differs",
        (),
        "the cluster's own images are in containerd and in no registry, so nothing could pull them; the stack names "
        "its images by digest",
    ),
    Check(points("1.2", 15), "no profiling", "met", (Flag(API, "profiling", "false"),)),
    Check(
        points("1.2", 16, 17, 18),
        "an audit log, kept for 30 days, with 10 old files",
        "met",
        (
            Flag(API, "audit-log-path"),
            Flag(API, "audit-log-maxage", "30"),
            Flag(API, "audit-log-maxbackup", "10"),
            Mode("logs/audit.log", 0o600),
        ),
    ),
    Check(
        points("1.2", 19),
        "a file of the audit log is 100 MB",
        "differs",
        (Flag(API, "audit-log-maxsize", "20"),),
        "together they are 220 MB at most, since this is somebody's own machine",
    ),
    Check(
        points("1.2", 20),
        "requests time out",
        "met",
        (Flag(API, "request-timeout", None),),
        "after a minute, the default",
    ),
    Check(
        points("1.2", 21, 22),
        "service accounts are looked up, and their tokens have a key of their own",
        "met",
        (Flag(API, "service-account-lookup", None), Flag(API, "service-account-key-file")),
        "looked up by default",
    ),
    Check(
        points("1.2", 23, 26),
        "etcd is reached over TLS, and both sides are checked",
        "met",
        (Flag(API, "etcd-certfile"), Flag(API, "etcd-keyfile"), Flag(API, "etcd-cafile")),
    ),
    Check(
        points("1.2", 24, 25),
        "the API server uses TLS and checks client certificates",
        "met",
        (Flag(API, "tls-cert-file"), Flag(API, "tls-private-key-file"), Flag(API, "client-ca-file")),
    ),
    Check(
        points("1.2", 27, 28),
        "Secrets are encrypted at rest",
        "met",
        (
            Flag(API, "encryption-provider-config"),
            Field("encryption.yaml", "resources.0.resources.0", "secrets"),
            Mode("config/encryption.yaml", 0o600),
        ),
        "with secretbox and a key made for this cluster",
    ),
    Check(
        points("1.2", 29),
        "strong ciphers only",
        "met",
        (Flag(API, "tls-min-version", TLS_13),),
        "TLS 1.3 has no weak ones",
    ),
    Check(
        points("1.2", 30),
        "pods' tokens aren't extended",
        "differs",
        (Flag(API, "service-account-extend-token-expiration", None),),
        "programs that read their token only once would be locked out after an hour; the audit log marks such tokens "
        "(`authentication.k8s.io/stale-token`)",
    ),
)

OTHERS = (
    Check(
        points("1.3", 1, 2, 3),
        "finished pods are removed; no profiling; each controller has an account of its own",
        "met",
        (
            Flag(MANAGER, "terminated-pod-gc-threshold", "50"),
            Flag(MANAGER, "profiling", "false"),
            Flag(MANAGER, "use-service-account-credentials"),
        ),
    ),
    Check(
        points("1.3", 4, 5),
        "the key for service accounts, and the authority that pods trust",
        "met",
        (Flag(MANAGER, "service-account-private-key-file"), Flag(MANAGER, "root-ca-file")),
    ),
    Check(
        points("1.3", 6),
        "kubelets' server certificates can be renewed",
        "met",
        (Flag(MANAGER, "feature-gates", None),),
        "on by default",
    ),
    Check(
        points("1.3", 7),
        "listens on loopback",
        "met",
        (Flag(MANAGER, "bind-address", "127.0.0.1"), Flag(MANAGER, "tls-min-version", TLS_13)),
    ),
    Check(
        points("1.4", 1, 2),
        "the scheduler: no profiling, listens on loopback",
        "met",
        (
            Flag(SCHEDULER, "profiling", "false"),
            Flag(SCHEDULER, "bind-address", "127.0.0.1"),
            Flag(SCHEDULER, "tls-min-version", TLS_13),
        ),
    ),
)

ETCD = (
    Check(
        points("2", 1, 2, 3),
        "etcd uses TLS and checks client certificates; it makes none itself",
        "met",
        (
            Flag("etcd", "cert-file"),
            Flag("etcd", "key-file"),
            Flag("etcd", "client-cert-auth"),
            Flag("etcd", "auto-tls", None),
            Flag("etcd", "listen-client-urls", "https://127.0.0.1:2379"),
        ),
    ),
    Check(
        points("2", 4, 5, 6),
        "the same between etcd's members",
        "met",
        (
            Flag("etcd", "peer-cert-file"),
            Flag("etcd", "peer-key-file"),
            Flag("etcd", "peer-client-cert-auth"),
            Flag("etcd", "peer-auto-tls", None),
        ),
    ),
    Check(
        points("2", 7),
        "etcd has an authority of its own",
        "met",
        (Flag("etcd", "trusted-ca-file"),),
        "`etcd-ca.crt`, which signs only for etcd and the API server",
    ),
)

PEOPLE = (
    Check(
        points("3.1", 1, 2),
        "people don't sign in with certificates or service-account tokens",
        "differs",
        (),
        "a cluster on one machine has no identity provider: the administrator's kubeconfig has a certificate, and the "
        "addons `dashboard` and `rbac` hand out tokens that are valid for hours",
    ),
    Check(
        points("3.1", 3),
        "people don't sign in with bootstrap tokens",
        "met",
        (Flag(API, "enable-bootstrap-token-auth"),),
        "for further nodes: there is a token while one joins, it is good for asking for a kubelet's certificate only, "
        "and it is deleted when the kubelet has that",
    ),
    Check(points("3.2", 1), "there is an audit policy", "met", (Flag(API, "audit-policy-file"),)),
    Check(
        points("3.2", 2),
        "it records who reads Secrets, gets tokens or enters pods, and what is changed",
        "met",
        (
            Field("audit-policy.yaml", "rules.1.level", "Metadata"),
            Field("audit-policy.yaml", "rules.7.level", "Metadata"),
        ),
        "it leaves out heartbeats, and what the cluster's own components only read",
    ),
)

CHECKS = (*FILES, *API_SERVER, *OTHERS, *ETCD, *PEOPLE)
