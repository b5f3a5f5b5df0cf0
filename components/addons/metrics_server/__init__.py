"""The resource metrics of nodes and pods: what ``kubectl top`` shows and a HorizontalPodAutoscaler scales by."""

from pydantic import Field

from components.addons.addon import Addon, Detectable, Detection

API = "v1beta1.metrics.k8s.io"


class MetricsServerOptions(Detectable):
    """Options of the metrics server."""

    kubelet_insecure_tls: bool = Field(
        default=False, description="true where kubelets sign their own certificates, as on kubeadm and kind"
    )


METRICS_SERVER = Addon(
    name="metrics-server",
    what="CPU and memory of pods and nodes",
    options=MetricsServerOptions,
    component="MetricsServer",
    detection=Detection(f"/apis/apiregistration.k8s.io/v1/apiservices/{API}", "APIService", API),
    exemptions={
        "service-account-token": {
            "Deployment kube-system/metrics-server": (
                "It watches pods and nodes, and asks the kubelets for their metrics."
            ),
        },
    },
)
