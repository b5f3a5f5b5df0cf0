"""The program under mocks: what waits for what, with all addons."""

import pytest

from tests.graph.recorder import Recording, Resource

DATA = {
    ("inspiration-deployment", "metadata"): {"inspiration-namespace"},
    ("inspiration-deployment", "spec"): {"inspiration-docker", "inspiration-account"},
    ("inspiration-ingress", "spec"): {"inspiration-service", "ingress-daemonset", "ingress-class"},
    ("inspiration-policy", "spec"): {"ingress-namespace"},
    ("inspiration-docker", "imageName"): {"registry-service"},
    ("ingress-startup", "spec"): {"ingress-class", "ingress-itself"},
    ("ingress-binding", "roleRef"): {"ingress-role"},
    ("registry-claim", "spec"): {"storage-class", "storage-deployment"},
    ("registry-deployment", "spec"): {"registry-claim", "registry-config"},
    ("storage-deployment", "spec"): {"storage-config"},
    ("dns-deployment", "spec"): {"dns-config"},
    ("dns-service", "spec"): {"dns-kubernetes"},
    ("dashboard-deployment", "spec"): {"dashboard-tls-secret", "dashboard-tls-certificate"},
    ("dashboard-tls-certificate", "caCertPem"): {"ca-certificate"},
    ("dashboard-policy", "spec"): {"ingress-namespace"},
    ("dashboard-ingress-ingress", "spec"): {"dashboard-service", "ingress-daemonset"},
    ("rbac-edit-inspiration", "metadata"): {"inspiration-namespace"},
    ("rbac-view", "subjects"): {"rbac-namespace"},
    ("rbac-view-cluster", "roleRef"): {"rbac-role"},
    ("metrics-server-deployment", "spec"): {"metrics-server-tls-secret"},
    ("metrics-server-api", "spec"): {"ca-certificate", "metrics-server-service"},
    ("prometheus-statefulset", "spec"): {
        "prometheus-claim", "prometheus-config", "prometheus-web", "prometheus-tls-secret",
    },
    ("prometheus-web", "data"): {"prometheus-password"},
    ("prometheus-claim", "spec"): {"storage-deployment"},
    ("prometheus-policy", "spec"): {"ingress-namespace"},
    ("prometheus-ingress-ingress", "spec"): {"prometheus-service"},
    ("knative-defaulting", "webhooks"): {"knative-webhook-service"},
    ("knative-validation", "webhooks"): {"knative-webhook-service"},
    ("knative-config", "webhooks"): {"knative-webhook-service"},
    ("knative-gateway-ingress", "spec"): {"knative-gateway-service", "ingress-class"},
    ("jaeger-deployment", "spec"): {"jaeger-config"},
    ("jaeger-policy", "spec"): {"ingress-namespace"},
    ("jaeger-service", "metadata"): {"jaeger-namespace"},
    ("logs-statefulset", "spec"): {"logs-claim", "logs-loki-config"},
    ("logs-claim", "spec"): {"storage-deployment"},
    ("logs-collector-config", "data"): {"logs-service"},
    ("logs-daemonset", "spec"): {"logs-collector-config"},
    ("cert-chart", "namespace"): {"cert-namespace"},
    ("cert-authority", "data"): {"ca-key", "ca-certificate"},
    # Issuers wait for the chart by what they are made of.
    ("cert-issuer", "spec"): {"cert-chart", "cert-authority"},
    ("cert-acme-issuer", "spec"): {"cert-chart", "ingress-class"},
    ("cilium-chart", "values"): {"cilium-server-tls-secret", "cilium-relay-tls-secret"},
    ("istio-ztunnel", "namespace"): {"istio-namespace"},
    ("linkerd-anchor-certificate", "privateKeyPem"): {"linkerd-anchor-key"},
    ("linkerd-issuer-certificate", "caCertPem"): {"linkerd-anchor-certificate"},
    ("linkerd-issuer-certificate", "caPrivateKeyPem"): {"linkerd-anchor-key"},
    ("linkerd-control-plane", "namespace"): {"linkerd-namespace"},
    ("linkerd-control-plane", "values"): {
        "linkerd-anchor-certificate", "linkerd-issuer-secret", "ca-certificate",
        "linkerd-proxy-injector-tls-secret", "linkerd-sp-validator-tls-secret", "linkerd-policy-validator-tls-secret",
    },
    ("rancher-chart", "values"): {"rancher-tls-secret", "rancher-password", "ingress-class", "ingress-daemonset"},
}  # fmt: skip
"""A resource and a field of it, and the resources that something of the field comes from."""

HIDDEN = {
    "inspiration-deployment": {"inspiration-policy"},
    "inspiration-service": {"inspiration-deployment"},
    "registry-deployment": {"registry-policy"},
    "registry-service": {"registry-deployment"},
    "dns-deployment": {"dns-binding"},
    "dns-service": {"dns-deployment"},
    "storage-deployment": {"storage-cluster-binding", "storage-binding"},
    "ingress-daemonset": {"ingress-binding", "ingress-startup"},
    "dashboard-deployment": {"dashboard-policy", "dashboard-view", "dashboard-view-cluster"},
    "dashboard-service": {"dashboard-deployment"},
    "prometheus-statefulset": {"prometheus-policy", "prometheus-binding"},
    "prometheus-service": {"prometheus-statefulset"},
    "jaeger-deployment": {"jaeger-policy"},
    "logs-statefulset": {"logs-loki-policy"},
    "logs-service": {"logs-statefulset"},
    "logs-daemonset": {"logs-collector-policy"},
    # What comes after is removed before: the controller lets Knative's objects go.
    "knative-controller": {
        f"knative-{plural}"
        for plural in ("services", "configurations", "revisions", "ingresses", "podautoscalers", "images")
    },
    "knative-routes": {"knative-controller"},
    "knative-domainmappings": {"knative-controller"},
    "knative-controller-service": {"knative-routes", "knative-domainmappings"},
    "knative-webhook": {"knative-routes", "knative-domainmappings"},
    "istio-istiod": {"istio-base"},
    "istio-cni": {"istio-istiod"},
    "istio-ztunnel": {"istio-cni"},
    "linkerd-control-plane": {"linkerd-crds"},
    "rancher-chart": {"rancher-authority"},
}
"""A resource, and those that it waits for though no field of it shows it."""


def named(recording: Recording, name: str) -> Resource:
    [found] = [r for r in recording.resources.values() if r.name == name and not r.type.startswith("inspiration:")]
    return found


@pytest.mark.parametrize(("name", "field"), DATA)
def test_data_edges(everything: Recording, name: str, field: str) -> None:
    assert DATA[name, field] <= named(everything, name).made_of(field)


@pytest.mark.parametrize("name", HIDDEN)
def test_edges_that_no_field_shows(everything: Recording, name: str) -> None:
    resource = named(everything, name)
    assert HIDDEN[name] <= resource.after
    assert HIDDEN[name].isdisjoint(set[str]().union(*map(resource.made_of, resource.property_dependencies)))


def test_nothing_waits_for_what_it_does_without(everything: Recording) -> None:
    # Its namespace doesn't wait for the image that will run in it.
    assert not named(everything, "inspiration-namespace").after
    # Traces are sent as soon as there is somebody to take them.
    assert named(everything, "ingress-daemonset").after.isdisjoint({"jaeger-deployment", "jaeger-service"})
