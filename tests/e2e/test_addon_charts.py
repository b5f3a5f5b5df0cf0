"""Charts in the configuration: installed, previewed, upgraded and removed with everything else of the stack."""

from __future__ import annotations

from pathlib import Path

from tests.charts import HOOK, served, write_chart
from tests.checkout import Checkout
from tests.e2e.previews import changes, fields, steps

DEPLOYED = "shop-chart:shop/shop"
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}"}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app.kubernetes.io/name: shop}}
  template:
    metadata: {labels: {app.kubernetes.io/name: shop}}
    spec:
      automountServiceAccountToken: false
      securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: shop
        image: {{ .Values.image }}
        ports: [{containerPort: 8080}]
        readinessProbe: {httpGet: {path: /healthz, port: 8080}}
        livenessProbe: {httpGet: {path: /healthz, port: 8080}}
        resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {memory: 64Mi}}
        securityContext:
          allowPrivilegeEscalation: false
          readOnlyRootFilesystem: true
          capabilities: {drop: [ALL], add: [NET_BIND_SERVICE]}
        volumeMounts: [{name: tmp, mountPath: /tmp}]
      volumes: [{name: tmp, emptyDir: {}}]
"""


def configure(checkout: Checkout, **values: str) -> None:
    """Set keys of the first chart in the configuration; dots in a key are written as two underscores."""
    for key, value in values.items():
        path = f"charts[0].{key.replace('__', '.')}"
        done = checkout.pulumi("config", "set", "--plaintext", "--path", path, value)
        assert done.returncode == 0, done.stderr


def ready(checkout: Checkout) -> int:
    """How many pods are ready; the status of their Deployment may be a little behind."""
    jsonpath = "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}"
    return checkout.kubectl("get", "pods", "-n", "shop", "-o", jsonpath).split().count("True")


def test_a_folder_of_the_project(undone: Checkout) -> None:
    image = undone.outputs()["images"]["inspiration"]
    write_chart(undone.path / "charts" / "shop", {"shop.yaml": DEPLOYMENT}, replicas=1)
    configure(undone, name="shop", chart="charts/shop", values__image=image)
    undone.up()
    assert ready(undone) == 1
    assert steps(undone, "--policy-pack", "policy") == []

    configure(undone, values__replicas="2")
    assert changes(undone) == {DEPLOYED: "update"}
    assert fields(undone, DEPLOYED) == ["spec.replicas"]
    undone.up()
    assert ready(undone) == 2

    done = undone.pulumi("config", "rm", "charts")
    assert done.returncode == 0, done.stderr
    undone.up()
    assert "shop" not in undone.kubectl("get", "namespaces", "-o", "name").replace("namespace/", "").split()


def test_a_repository(undone: Checkout, tmp_path: Path) -> None:
    image = undone.outputs()["images"]["inspiration"]
    folder = write_chart(tmp_path / "shop", {"shop.yaml": DEPLOYMENT}, version="1.2.3", replicas=1)
    configure(undone, name="shop", chart="shop", repository="http://127.0.0.1:1", values__image=image)
    refused = undone.pulumi("preview")
    assert refused.returncode != 0
    assert "charts[0]: shop needs a version: the newest one isn't the same for ever" in refused.stdout + refused.stderr

    with served(tmp_path / "repository", folder) as host:
        configure(undone, version="1.2.3", repository=f"http://{host}")
        undone.up()
        assert ready(undone) == 1
        assert steps(undone) == []
        done = undone.pulumi("config", "rm", "charts")
        assert done.returncode == 0, done.stderr
        undone.up()


def test_a_release_with_hooks(undone: Checkout) -> None:
    write_chart(undone.path / "charts" / "shop", {"hook.yaml": HOOK})
    configure(undone, name="shop", chart="charts/shop", hooks="true")
    undone.up()
    assert "configmap/migrate" in undone.kubectl("get", "configmaps", "-n", "shop", "-o", "name").split()
    assert steps(undone) == []
    done = undone.pulumi("config", "rm", "charts")
    assert done.returncode == 0, done.stderr
    undone.up()
