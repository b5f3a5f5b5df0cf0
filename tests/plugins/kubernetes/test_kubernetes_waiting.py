"""What Pulumi's provider waits for, and what its errors say when that doesn't come.

That a pod finds no node, or isn't made at all, is left out of them, and of a crash they have the log only where the
container says so (``terminationMessagePolicy``): ``script/up --status`` names these causes in addition.
"""

import json
import re
from collections.abc import Iterator

import pytest

from tests.plugins.kubernetes.conftest import Cluster, KubernetesProject
from tests.waiting import eventually

PODS = """
NEVER = {"readiness_probe": {"exec": {"command": ["false"]}}}
LOGGED = {"termination_message_policy": "FallbackToLogsOnError"}
CRASH = {"command": ["sh", "-c", "echo step 1; echo no such file; exit 7"]}
def pods(app, pod={}, **container):
    return {"metadata": {"labels": {"app": app}}, "spec": {"termination_grace_period_seconds": 0, **pod, "containers": [
        {"name": "main", "image": "docker.io/library/busybox:1.35.0", "command": ["sleep", "1000"], **container}]}}
def deployment(app, marks={}, opts=None, replicas=1, **template):
    return K.apps.v1.Deployment(app, metadata=named(app, **marks), opts=opts, spec={
        "replicas": replicas, "selector": {"match_labels": {"app": app}}, "template": pods(app, **template)})
def service(name, app, marks={}, opts=None, **spec):
    return K.core.v1.Service(name, metadata=named(name, **marks), opts=opts, spec={
        "selector": {"app": app}, "ports": [{"port": 80}], **spec})
def job(name, marks={}, **container):
    return K.batch.v1.Job(name, metadata=named(name, **marks), spec={
        "backoff_limit": 0, "template": pods(name, {"restart_policy": "Never"}, **container)})
"""


def up(project: KubernetesProject, fails: bool = False) -> str:
    """Update, with all resources at once: the engine's own limit, four times the cores, would have some wait."""
    return project.pulumi("up", "--yes", "--skip-preview", "--parallel", "32", fails=fails)


def test_up_waits_until_all_is_ready(project: KubernetesProject, cluster_access: Cluster) -> None:
    """A Service is ready ten seconds after its endpoints have settled, also if there are none."""
    project.declare(PODS, """
    deployment("web", readiness_probe={"exec": {"command": ["sh", "-c", "test -e /tmp/ready || ! touch /tmp/ready"]},
                                       "period_seconds": 1})
    service("web-service", "web")
    service("empty", "zero", opts=Options(depends_on=deployment("zero", replicas=0)))
    service("headless", "set", cluster_ip="None")
    K.apps.v1.StatefulSet("set", metadata=named("set"), spec={
        "service_name": "headless", "selector": {"match_labels": {"app": "set"}}, "template": pods("set")})
    job("job", command=["sleep", "1"])
    """)  # fmt: skip
    up(project)
    where = ("-n", project.namespace)
    found = {kind: cluster_access.object(kind, *where) for kind in ("deployment/web", "statefulset/set", "job/job")}
    assert [each["status"].get("readyReplicas", 0) for each in found.values()] == [1, 1, 0]
    assert found["job/job"]["status"]["succeeded"] == 1
    project.assert_no_change()


def test_what_the_errors_say(project: KubernetesProject, cluster_access: Cluster) -> None:
    project.declare(PODS, """
    T = {"timeoutSeconds": "20"}
    deployment("pull", T, image="127.0.0.1:1/none:1")
    deployment("crash", T, **CRASH, **NEVER)
    deployment("logged", T, **CRASH, **NEVER, **LOGGED)
    deployment("unready", T, **NEVER)
    service("unready-service", "unready", T)
    deployment("nowhere", T, pod={"node_selector": {"test.local/no": "node"}})
    quota = K.core.v1.ResourceQuota("quota", metadata=named("quota"), spec={"hard": {"requests.test.local/a": "0"}})
    deployment("quota-app", T, Options(depends_on=quota), resources={"limits": {"test.local/a": 1}})
    job("job", T, **CRASH, **LOGGED)
    K.networking.v1.Ingress("ingress", metadata=named("ingress", **T), spec={"ingress_class_name": "none", "rules": [{
        "host": "a.test", "http": {"paths": [{"path": "/", "path_type": "Prefix", "backend": {"service": {
            "name": "missing", "port": {"number": 80}}}}]}}]})
    deployment("soon", {"timeoutSeconds": "600"}, Options(custom_timeouts={"create": "5s"}), **NEVER)
    deployment("skipped", {"skipAwait": "true"}, **NEVER)
    """)  # fmt: skip
    shown = up(project, fails=True)
    _, _, diagnostics = shown.partition("Diagnostics:")
    for name in ("pull", "crash", "logged", "unready", "nowhere", "quota-app", "ingress", "soon"):
        assert f"'{name}' timed out waiting to be Ready" in diagnostics
    parts = re.split(r"^  kubernetes:\S+ \((.+)\):$", diagnostics, flags=re.MULTILINE)
    errors = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert re.search(r"\[main\]\[(ErrImagePull|ImagePullBackOff)\] .*127\.0\.0\.1:1/none:1", errors["pull"])
    assert "(Error: exit code 7)" in errors["crash"]
    assert "no such file" not in errors["crash"]
    for name in "logged", "job":
        assert "step 1\n    no such file" in errors[name]
    assert "containers with unready status: [main]" in errors["unready"]
    assert "Service does not target any Pods. Selected Pods may not be ready" in errors["unready-service"]
    for name in "nowhere", "quota-app":
        assert "Minimum number of live Pods was not attained" in errors[name]
        assert "[Pod " not in errors[name], "the cause would be here"
    assert "[BackoffLimitExceeded] Job has reached the specified backoff limit" in errors["job"]
    assert "Ingress .status.loadBalancer field was not updated with a hostname/IP address" in errors["ingress"]
    assert 'No matching service found for ingress rule: "a.test/" -> "missing"' in shown
    assert project.resource("pull")["initErrors"]
    assert not project.resource("skipped").get("initErrors")

    # What is there already is waited for again, not made again.
    uid = cluster_access.object("deployment/pull", "-n", project.namespace)["metadata"]["uid"]
    project.declare(PODS, 'deployment("pull", image="127.0.0.1:1/none:1", replicas=0)')
    assert "1 updated" in up(project)
    assert cluster_access.object("deployment/pull", "-n", project.namespace)["metadata"]["uid"] == uid
    assert not project.resource("pull").get("initErrors")


@pytest.fixture
def volume(namespace: str, cluster_access: Cluster) -> Iterator[str]:
    """A volume for the claim ``claim``, in the class of the same name."""
    spec = {
        "capacity": {"storage": "1Mi"},
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": namespace,
        "claimRef": {"namespace": namespace, "name": "claim"},
        "hostPath": {"path": "/tmp"},
    }
    body = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": namespace}, "spec": spec}
    cluster_access.kubectl("create", "-f", "-", stdin=json.dumps(body))
    yield namespace
    cluster_access.kubectl("delete", "pv", namespace, "--wait=false", "--ignore-not-found")
    cluster_access.kubectl("delete", "storageclass", namespace, "--ignore-not-found")


def test_a_claim_in_use_can_be_changed(project: KubernetesProject, cluster_access: Cluster, volume: str) -> None:
    """With ``pulumi.com/skipAwait``, as all claims of this stack have it.

    Without, a claim whose class waits for the first consumer counts as ready as long as it is unbound, and a change of
    one that is bound fails after five minutes, whatever its timeout.
    """
    program = """
    late = K.storage.v1.StorageClass("late", metadata={{"name": NS}}, provisioner="kubernetes.io/no-provisioner",
                                     volume_binding_mode="WaitForFirstConsumer")
    K.core.v1.PersistentVolumeClaim("claim", metadata={{**named("claim", skipAwait="true"), "labels": {{"a": "{0}"}}}},
        spec={{"access_modes": ["ReadWriteOnce"], "storage_class_name": late.metadata.name, "volume_name": NS,
              "resources": {{"requests": {{"storage": "1Mi"}}}}}})
    """
    where = ("-n", project.namespace)
    project.declare(program.format(1))
    project.up()
    assert eventually(lambda: cluster_access.object("pvc/claim", *where)["status"]["phase"] == "Bound")
    project.declare(program.format(2))
    assert "1 updated" in project.up()
    assert cluster_access.object("pvc/claim", *where)["metadata"]["labels"] == {"a": "2"}
    project.pulumi("destroy", "--yes", "--skip-preview")
    assert not cluster_access.exists("pvc/claim", *where), "its deletion is waited for nevertheless"
