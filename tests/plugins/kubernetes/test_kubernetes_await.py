"""Waiting: until objects are ready, with progress; and with the cause when they don't become so.

The pods name a scheduler that doesn't exist, so that no kubelet takes them; the tests write their status in its place.
What only a kubelet has (logs) is tested where there is a node.
"""

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import pytest

from tests.plugins.kubernetes.conftest import Cluster, KubernetesProject
from tests.waiting import eventually

POD = """
def pods(app, **extra):
    return {"metadata": {"labels": {"app": app}}, "spec": {"scheduler_name": "nobody", **extra, "containers": [
        {"name": "main", "image": "example.invalid/none:1", "resources": {"requests": {"cpu": "1m"}}}]}}
def deployment(app, metadata, opts=None, **spec):
    return K.apps.v1.Deployment(app, metadata=metadata, opts=opts, spec={
        "replicas": 1, "selector": {"match_labels": {"app": app}}, "template": pods(app), **spec})
"""

READY = {
    "phase": "Running",
    "podIP": "10.9.8.7",
    "podIPs": [{"ip": "10.9.8.7"}],
    "conditions": [{"type": kind, "status": "True"} for kind in ("PodScheduled", "Ready", "ContainersReady")],
}

ENDPOINTS = """
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
endpoints: [{addresses: [10.9.8.7], conditions: {ready: true}}]
"""

VOLUME: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "PersistentVolume",
    "spec": {
        "capacity": {"storage": "1Mi"},
        "accessModes": ["ReadWriteOnce"],
        "persistentVolumeReclaimPolicy": "Delete",
        "hostPath": {"path": "/unused"},  # Kubernetes itself removes those below /tmp
    },
}


@dataclass
class Running:
    """``pulumi up`` or ``pulumi destroy``, while the test does something."""

    process: subprocess.Popen[str]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def shows(self, *progress: str) -> bool:
        """Whether it says all this while it waits; reads its output that far."""
        assert self.process.stdout
        missing = set(progress)
        for line in self.process.stdout:
            if "isn't ready" not in line:  # as in an error
                missing -= {text for text in missing if text in line}
            if not missing:
                return True
        return False

    def finish(self, fails: bool = False) -> str:
        """Wait for it, and return its output."""
        output, _ = self.process.communicate()
        assert (self.process.returncode != 0) == fails, output
        return output


def start(project: KubernetesProject, verb: str = "up") -> Running:
    # The engine's own limit, four times the cores, would have some resources wait for others.
    command = ["pulumi", verb, "--yes", "--skip-preview", "--non-interactive", "--parallel", "32"]
    pipe, end = subprocess.PIPE, subprocess.STDOUT
    process = subprocess.Popen(command, cwd=project.folder, env=project.variables, stdout=pipe, stderr=end, text=True)
    return Running(process)


def container(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "phase": "Pending",
        "conditions": [{"type": "PodScheduled", "status": "True"}],
        "containerStatuses": [
            {"name": "main", "image": "x", "imageID": "", "ready": False, "restartCount": 0, "state": state, **more}
        ],
    }


class Kubelet:
    """Writes the status of pods, by the value of their label ``app``."""

    def __init__(self, cluster: Cluster, namespace: str, statuses: dict[str, dict[str, Any]]) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.left = dict(statuses)

    def __call__(self) -> bool:
        """Do what there is to do; whether all is done."""
        for pod in self.cluster.object("pods", "-n", self.namespace)["items"]:
            if status := self.left.pop(pod["metadata"]["labels"].get("app"), None):
                self.cluster.set_status("pod", pod["metadata"]["name"], self.namespace, status)
        return not self.left


def done(cluster: Cluster, namespace: str, kind: str, name: str, status: dict[str, Any]) -> Callable[[], bool]:
    """Write a status as soon as the object is there."""

    def attempt() -> bool:
        if not cluster.exists(kind, name, "-n", namespace):
            return False
        cluster.set_status(kind, name, namespace, status)
        return True

    return attempt


def test_up_waits_until_all_is_ready(project: KubernetesProject, cluster_access: Cluster) -> None:
    project.declare(POD, """
    K.core.v1.Service("headless", metadata=named("headless"), spec={
        "cluster_ip": "None", "selector": {"app": "sts"}, "ports": [{"port": 80}]})
    K.core.v1.Service("named", metadata=named("named"), spec={"type": "ExternalName", "external_name": "x.test"})
    service = K.core.v1.Service("web", metadata=named("web"), spec={
        "selector": {"app": "web"}, "ports": [{"port": 80}]})
    deployment("web", named("web"))
    K.apps.v1.StatefulSet("sts", metadata=named("sts"), spec={
        "service_name": "headless", "selector": {"match_labels": {"app": "sts"}}, "template": pods("sts")})
    K.batch.v1.Job("job", metadata=named("job"), spec={"template": pods("job", restart_policy="Never")})
    K.core.v1.Pod("pod", metadata={**named("pod"), "labels": {"app": "pod"}}, spec=pods("pod")["spec"])
    K.core.v1.PersistentVolumeClaim("claim", metadata=named("claim"), spec={
        "access_modes": ["ReadWriteOnce"], "storage_class_name": "none", "resources": {"requests": {"storage": "1Mi"}}})
    K.networking.v1.Ingress("ingress", metadata=named("ingress"), spec={"ingress_class_name": "none", "rules": [{
        "host": "a.test", "http": {"paths": [{"path": "/", "path_type": "Prefix", "backend": {"service": {
            "name": service.metadata.name, "port": {"number": 80}}}}]}}]})
    """)  # fmt: skip
    address = {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}
    pods: dict[str, dict[str, Any]] = {"web": READY, "sts": READY, "pod": READY, "job": {"phase": "Succeeded"}}
    with start(project) as up:
        # Each of them waits for what is done below.
        assert up.shows("0 of 1 pods are available", "it isn't bound to a volume", "it has no ready endpoint")
        assert eventually(done(cluster_access, project.namespace, "pvc", "claim", {"phase": "Bound"}))
        assert eventually(Kubelet(cluster_access, project.namespace, pods))
        # Pods without a node get no endpoints from the controller.
        cluster_access.kubectl("create", "-n", project.namespace, "-f", "-", stdin=ENDPOINTS)
        # The Ingress is made when its Service is ready.
        assert eventually(done(cluster_access, project.namespace, "ingress", "ingress", address))
        shown = up.finish()
    assert "10 created" in shown
    project.assert_no_change()


def test_the_cause_is_in_the_error(project: KubernetesProject, cluster_access: Cluster) -> None:
    project.declare(POD, """
    T = {"timeoutSeconds": "40"}
    for app in ("pull", "crash", "unschedulable", "unready"):
        deployment(app, named(app, **T))
    K.core.v1.Service("nowhere", metadata=named("nowhere", **T), spec={
        "selector": {"app": "nobody"}, "ports": [{"port": 80}]})
    K.core.v1.PersistentVolumeClaim("claim", metadata=named("claim", **T), spec={
        "access_modes": ["ReadWriteOnce"], "storage_class_name": "none", "resources": {"requests": {"storage": "1Mi"}}})
    K.networking.v1.Ingress("ingress", metadata=named("ingress", **T), spec={
        "ingress_class_name": "none", "default_backend": {"service": {"name": "missing", "port": {"number": 80}}}})
    K.batch.v1.Job("job", metadata=named("job"), spec={
        "backoff_limit": 0, "template": pods("job", restart_policy="Never")})
    deployment("stuck", named("stuck"), progress_deadline_seconds=10)
    """)  # fmt: skip
    pull = {"waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "example.invalid/none:1"'}}
    crash = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}
    ended = {"lastState": {"terminated": {"exitCode": 3, "reason": "Error"}}}
    message = "0/1 nodes are available: 1 Insufficient cpu."
    nowhere = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]
    statuses: dict[str, dict[str, Any]] = {
        "pull": container(pull),
        "crash": container(crash, **ended),
        "unschedulable": {"conditions": nowhere},
        "unready": container({"running": {}}) | {"phase": "Running"},
        "job": {"phase": "Failed", "message": "the node is on fire"},
    }
    with start(project) as up:
        assert eventually(Kubelet(cluster_access, project.namespace, statuses))
        shown = up.finish(fails=True)
    ns = project.namespace
    for text in (
        f"Deployment {ns}/pull isn't ready after 40 s: 0 of 1 pods are available",
        'container main: ImagePullBackOff: Back-off pulling image "example.invalid/none:1"',
        "container main crashes again and again (exit code 3)",
        f"no node can take it: {message}",
        "container main is running but not ready",
        f"Service {ns}/nowhere isn't ready after 40 s: it has no ready endpoint",
        f"no pod in namespace {ns} has the labels of its selector, app=nobody",
        f"PersistentVolumeClaim {ns}/claim isn't ready after 40 s: it isn't bound to a volume",
        "there is no StorageClass none",
        f"Ingress {ns}/ingress isn't ready after 40 s: its Service missing doesn't exist",
        "there is no IngressClass none",
        f"Job {ns}/job isn't ready: it failed: ",
        "pod failed: the node is on fire",
        f"Deployment {ns}/stuck isn't ready: 0 of 1 pods are available, and nothing moved for 10 s",
    ):
        assert text in shown
    assert "Traceback" not in shown
    # All of it is kept, so that the next update goes on instead of making it again.
    assert project.resource("pull")["initErrors"]
    assert "9 to update" in project.preview()


def test_an_ingress_class_without_a_controller_is_named(project: KubernetesProject, cluster_access: Cluster) -> None:
    project.declare("""
    IN_CLASS = {"name": NS}
    ours = K.networking.v1.IngressClass("class", metadata=IN_CLASS, spec={"controller": "example.com/nobody"})
    service = K.core.v1.Service("web", metadata=named("web", skipAwait="true"), spec={
        "selector": {"app": "web"}, "ports": [{"port": 80}]})
    K.networking.v1.Ingress("ingress", metadata=named("ingress", timeoutSeconds="15"), spec={
        "ingress_class_name": ours.metadata.name,
        "default_backend": {"service": {"name": service.metadata.name, "port": {"number": 80}}}})
    """)
    cluster_access.kubectl("create", "-n", project.namespace, "-f", "-", stdin=ENDPOINTS)
    shown = project.up(fails=True)
    first = f"Ingress {project.namespace}/ingress isn't ready after 15 s: no ingress controller has given it an address"
    assert first in shown
    assert "its controller would be example.com/nobody; check that it runs" in shown
    project.pulumi("destroy", "--yes")


def test_a_quota_is_named(project: KubernetesProject) -> None:
    project.declare(
        POD,
        """
    quota = K.core.v1.ResourceQuota("quota", metadata=named("quota"), spec={"hard": {"pods": "0"}})
    deployment("app", named("app", timeoutSeconds="15"), Options(depends_on=quota))
    """,
    )
    shown = project.up(fails=True)
    assert "FailedCreate: pods" in shown
    assert "exceeded quota: quota, requested: pods=1, used: pods=0, limited: pods=0" in shown


def test_a_failed_update_can_be_corrected(project: KubernetesProject, cluster_access: Cluster) -> None:
    project.declare(POD, 'deployment("app", named("app", timeoutSeconds="2"))')
    project.up(fails=True)
    uid = cluster_access.object("deployment", "app", "-n", project.namespace)["metadata"]["uid"]
    project.declare(POD, 'deployment("app", named("app", timeoutSeconds="120"), replicas=0)')
    assert "1 updated" in project.up()
    assert cluster_access.object("deployment", "app", "-n", project.namespace)["metadata"]["uid"] == uid
    project.assert_no_change()


def test_a_failed_job_can_be_replaced(project: KubernetesProject, cluster_access: Cluster) -> None:
    project.declare(POD, """
    K.batch.v1.Job("job", metadata=named("job", replaceUnready="true"), spec={
        "backoff_limit": 0, "template": pods("job", restart_policy="Never")})
    """)  # fmt: skip
    with start(project) as up:
        assert eventually(Kubelet(cluster_access, project.namespace, {"job": {"phase": "Failed"}}))
        up.finish(fails=True)
    with start(project) as up:

        def succeed() -> bool:
            pods = cluster_access.object("pods", "-n", project.namespace)["items"]
            fresh = [pod for pod in pods if pod["status"]["phase"] == "Pending"]
            for pod in fresh:
                cluster_access.set_status("pod", pod["metadata"]["name"], project.namespace, {"phase": "Succeeded"})
            return bool(fresh)

        assert eventually(succeed)
        assert "1 replaced" in up.finish()


def test_ctrl_c_ends_the_wait_and_keeps_the_object(project: KubernetesProject, cluster_access: Cluster) -> None:
    project.declare(POD, 'deployment("app", named("app"))')
    with start(project) as up:
        assert up.shows("0 of 1 pods are available")
        up.process.send_signal(signal.SIGINT)
        shown = up.finish(fails=True)
    assert f"the wait for Deployment {project.namespace}/app was interrupted: 0 of 1 pods are available" in shown
    assert project.resource("app")["initErrors"]


def test_an_attempt_after_one_that_was_given_up_has_its_own_time(
    project: KubernetesProject, cluster_access: Cluster
) -> None:
    project.declare(POD, 'deployment("app", named("app"), progress_deadline_seconds=10)')
    given_up = f"Deployment {project.namespace}/app isn't ready: 0 of 1 pods are available, and nothing moved for 10 s"
    assert given_up in project.up(fails=True)

    with start(project) as up:
        assert up.shows("0 of 1 pods are available")
        assert given_up in up.finish(fails=True)

    # What hindered it goes away.
    project.declare(POD, 'deployment("app", named("app"), progress_deadline_seconds=600)')
    with start(project) as up:
        assert up.shows("0 of 1 pods are available")
        assert eventually(Kubelet(cluster_access, project.namespace, {"app": READY}))
        assert "1 updated" in up.finish()
    project.assert_no_change()


@pytest.fixture
def claimed(project: KubernetesProject, cluster_access: Cluster) -> Iterator[str]:
    """The name of a volume that is to be removed with its claim, which the stack has; nobody does that here."""
    name = project.namespace
    claim = {"namespace": name, "name": "claim"}
    volume = VOLUME | {"metadata": {"name": name}, "spec": VOLUME["spec"] | {"claimRef": claim}}
    cluster_access.kubectl("create", "-f", "-", stdin=json.dumps(volume))
    project.declare("""
    K.core.v1.PersistentVolumeClaim("claim", metadata=named("claim"), spec={
        "access_modes": ["ReadWriteOnce"], "storage_class_name": "", "volume_name": NS,
        "resources": {"requests": {"storage": "1Mi"}}})
    """)
    project.up()
    yield name
    cluster_access.kubectl("delete", "persistentvolume", name, "--ignore-not-found")


def test_a_claim_is_deleted_when_its_volume_is(
    project: KubernetesProject, cluster_access: Cluster, claimed: str
) -> None:
    with start(project, "destroy") as destroy:
        assert destroy.shows(f"its volume {claimed}: ")
        assert destroy.process.poll() is None
        cluster_access.kubectl("delete", "persistentvolume", claimed)
        assert "perhaps" not in destroy.finish()
    assert not cluster_access.exists("persistentvolume", claimed)


def test_a_volume_that_may_have_stayed_is_a_warning(
    project: KubernetesProject, cluster_access: Cluster, claimed: str
) -> None:
    with start(project, "destroy") as destroy:
        assert destroy.shows(f"its volume {claimed}: ")
        destroy.process.send_signal(signal.SIGINT)
        shown, _ = destroy.process.communicate()  # whether there is more to destroy after Ctrl-C is the engine's matter
    assert "warning: the claim is gone, its volume is perhaps not: " in shown
    assert f"the deletion of PersistentVolume {claimed} goes on, but isn't waited for any more" in shown
    assert not cluster_access.exists("persistentvolumeclaim", "claim", "-n", claimed)
    assert cluster_access.exists("persistentvolume", claimed)
    assert not any(each["type"].endswith(":PersistentVolumeClaim") for each in project.resources())


def test_an_api_service_that_isnt_available(project: KubernetesProject) -> None:
    project.declare("""
    K.apiregistration.v1.APIService("api", metadata={
        "name": f"v1.{NS}.test", "annotations": {"pulumi.com/timeoutSeconds": "15"}}, spec={
        "group": f"{NS}.test", "version": "v1", "group_priority_minimum": 1, "version_priority": 1,
        "insecure_skip_tls_verify": True, "service": {"namespace": NS, "name": "none", "port": 443}})
    """)
    shown = project.up(fails=True)
    name = f"v1.{project.namespace}.test"
    assert f"APIService {name} isn't ready after 15 s: it isn't available: service/none in" in shown
    project.pulumi("destroy", "--yes")


def test_the_last_lines_of_a_crash_are_shown(project: KubernetesProject, cluster_access: Cluster) -> None:
    image = shell_image(cluster_access)
    if image is None:
        pytest.skip("no node has an image with a shell")
    project.declare(f"""
    SOON = named("job", timeoutSeconds="60")
    K.batch.v1.Job("job", metadata=SOON, spec={{"backoff_limit": 0, "template": {{"spec": {{
        "restart_policy": "Never", "termination_grace_period_seconds": 0, "containers": [{{
            "name": "main", "image": {image!r}, "image_pull_policy": "IfNotPresent",
            "command": ["sh", "-c", "for i in 1 2 3; do echo step $i; done; echo no such file; exit 7"]}}]}}}}}})
    """)
    shown = project.up(fails=True)
    assert "container main crashed (exit code 7)" in shown
    assert "last lines of container main in pod job-" in shown
    lines = [line.strip() for line in shown.splitlines()]
    start = lines.index("step 1")
    assert lines[start : start + 4] == ["step 1", "step 2", "step 3", "no such file"]


def shell_image(cluster: Cluster) -> str | None:
    nodes = cluster.object("nodes")["items"]
    names = [name for node in nodes for image in node["status"].get("images") or [] for name in image["names"]]
    return next((name for name in names if "busybox" in name and "@" not in name), None)


def test_timeouts_skipping_and_progress(project: KubernetesProject) -> None:
    project.declare(POD, """
    deployment("custom", named("custom", timeoutSeconds="600"), Options(custom_timeouts={"create": "15s"}))
    deployment("skipped", named("skipped", skipAwait="true"))
    """)  # fmt: skip
    log = project.folder / "events.json"
    project.variables["PULUMI_DEBUG_COMMANDS"] = "true"
    shown = project.pulumi("up", "--yes", "--skip-preview", "--event-log", str(log), fails=True)
    assert f"Deployment {project.namespace}/custom isn't ready after 15 s" in shown
    assert "no scheduler has chosen a node yet (its schedulerName is nobody)" in shown
    assert not project.resource("skipped").get("initErrors")
    events = [json.loads(line) for line in log.read_text().splitlines()]
    messages = [event["diagnosticEvent"] for event in events if "diagnosticEvent" in event]
    progress = [each for each in messages if each["message"].startswith("0 of 1 pods are available")]
    assert progress
    assert all(each["ephemeral"] for each in progress)
