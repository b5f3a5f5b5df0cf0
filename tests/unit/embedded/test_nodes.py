"""Further nodes of the embedded cluster: what each one is given, without starting it."""

from __future__ import annotations

import base64
import ipaddress
import itertools
import json
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from embedded.cluster import access, configuration, joining, pki, plan, preflight, volumes
from embedded.cluster.cluster import Cluster
from embedded.cluster.kubectl import Kubectl
from embedded.cluster.nodes import FurtherNode, FurtherNodes
from embedded.cluster.plan import Files, Ports
from embedded.cluster.programs import node_programs, programs
from embedded.cluster.spreading import spread
from embedded.cluster.supervision import Supervisor
from embedded.errors import Failure

SECOND = plan.further_node(2)


@dataclass(frozen=True)
class Asked(Kubectl):
    """Answers from what is given to it, and remembers what it is told."""

    program: Path = Path("kubectl")
    kubeconfig: Path = Path("kubeconfig")
    answers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    told: list[tuple[str, ...]] = field(default_factory=list)
    given: list[Any] = field(default_factory=list)
    fails: str = ""

    def run(self, *arguments: str, given: Any = None) -> str:
        if arguments[0] == self.fails:
            raise Failure(f"kubectl {self.fails}: first line\nlast line", fix="run script/up again")
        if arguments[0] == "get":
            return json.dumps({"items": self.answers.get(arguments[1], [])})
        self.told.append(arguments)
        self.given.extend([given] if given else [])
        return ""


@pytest.fixture
def files(tmp_path: Path) -> Files:
    made = Files(tmp_path / "state")
    made.make()
    pki.provide(made.pki)
    return made


@pytest.fixture
def second(files: Files) -> Files:
    made = files.node(2)
    made.make()
    pki.provide_node(made.pki, files.pki, SECOND)
    return made


def test_no_two_nodes_have_anything_in_common() -> None:
    nodes = plan.all_nodes()
    assert len(nodes) == plan.MOST_NODES
    assert len({node.name for node in nodes}) == len({node.address for node in nodes}) == len(nodes)
    networks = [ipaddress.ip_network(node.pods) for node in nodes]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(networks, 2))
    # A kubelet removes the cgroups below its own that it doesn't know.
    assert not any(one.name.startswith(f"{other.name}/") for one, other in itertools.permutations(nodes, 2))
    for node in nodes:
        everything = ipaddress.ip_network(plan.CLUSTER_NETWORKS)
        assert ipaddress.ip_network(node.pods).subnet_of(everything)  # type: ignore[arg-type]
        assert ipaddress.ip_network(node.pods).subnet_of(ipaddress.ip_network(plan.ALL_PODS))  # type: ignore[arg-type]
        assert ipaddress.ip_address(node.address) in everything


def test_a_further_node_has_certificates_of_its_own_and_no_key_of_the_authority(files: Files, second: Files) -> None:
    assert sorted(path.name for path in second.pki.iterdir()) == [
        "ca.crt", "kube-proxy.crt", "kube-proxy.key", "kube-router.crt", "kube-router.key",
    ]  # fmt: skip
    assert {stat.S_IMODE(path.stat().st_mode) for path in second.pki.iterdir()} == {0o600}
    names = {
        path.stem: x509.load_pem_x509_certificate(path.read_bytes()).subject.rfc4514_string()
        for path in second.pki.glob("kube-*.crt")
    }
    assert names == {
        "kube-proxy": "O=inspiration:kube-proxies,CN=inspiration:kube-proxy:inspiration-2",
        "kube-router": "O=inspiration:kube-routers,CN=inspiration:kube-router:inspiration-2",
    }
    assert not pki.provide_node(second.pki, files.pki, SECOND)

    (files.pki / "ca.crt").unlink()
    pki.provide(files.pki)

    assert pki.provide_node(second.pki, files.pki, SECOND)
    ca = x509.load_pem_x509_certificate((files.pki / "ca.crt").read_bytes())
    x509.load_pem_x509_certificate((second.pki / "kube-proxy.crt").read_bytes()).verify_directly_issued_by(ca)


def test_its_kubelet_asks_for_its_certificates_and_serves_at_its_own_address(second: Files) -> None:
    configuration.write_node(second, Path("/nowhere"), SECOND)
    kubelet = yaml.safe_load((second.config / "kubelet.yaml").read_text())
    assert "tlsCertFile" not in kubelet
    assert (kubelet["rotateCertificates"], kubelet["serverTLSBootstrap"]) == (True, True)
    assert (kubelet["address"], kubelet["cgroupRoot"]) == ("10.215.1.2", "/inspiration-2")
    proxy = yaml.safe_load((second.config / "kube-proxy.yaml").read_text())
    assert (proxy["clusterCIDR"], proxy["hostnameOverride"]) == ("10.212.2.0/24", "inspiration-2")
    chain = json.loads((second.config / "cni" / "10-bridge.conflist").read_text())
    assert chain["plugins"][0]["ipam"]["ranges"] == [[{"subnet": "10.212.2.0/24"}]]
    assert not (second.config / "kubelet.kubeconfig").exists()

    started = {each.name: list(each.command) for each in node_programs(second, Path("/bin"), Path("/router"), SECOND)}
    assert list(started) == ["containerd", "kubelet", "kube-proxy", "kube-router"]
    assert f"--bootstrap-kubeconfig={second.config}/bootstrap-kubelet.kubeconfig" in started["kubelet"]
    assert "--node=inspiration-2" in started["kube-router"]
    assert all(str(second.state) in " ".join(command) for command in started.values())


def test_the_first_node_runs_the_same_programs_however_many_there_are(files: Files) -> None:
    """So nothing is restarted when nodes come and go."""

    def written(*further: plan.Node) -> dict[str, str]:
        configuration.write(files, Path("/nowhere"), further)
        configuration.write_addresses(files, further)
        started = programs(files, Path("/bin"), Path("/router"), Ports(), Path("/dockerd"))
        (files.config / "supervisord.conf").write_text(Supervisor(files)._configuration(started))
        return {path.name: path.read_text() for path in files.config.iterdir() if path.is_file()}

    alone, three = written(), written(SECOND, plan.further_node(3))

    assert {name for name in alone if alone[name] != three[name]} == {"access.yaml", "nodes.txt"}
    assert (alone["nodes.txt"], three["nodes.txt"]) == ("10.215.0.2\n", "10.215.0.2\n10.215.1.2\n10.215.1.3\n")
    added = {each["metadata"]["name"] for each in yaml.safe_load_all(three["access.yaml"])}
    added -= {each["metadata"]["name"] for each in yaml.safe_load_all(alone["access.yaml"])}
    assert added == {f"inspiration:{name}" for name in access.FURTHER}


def test_a_program_whose_settings_change_is_another_one_for_the_supervisor(files: Files) -> None:
    configuration.write(files, Path("/nowhere"), ())

    def started() -> dict[str, str]:
        made = programs(files, Path("/bin"), Path("/router"), Ports(), Path("/dockerd"))
        sections = Supervisor(files)._configuration(made).split("[program:")[1:]
        return {section.partition("]")[0]: section for section in sections}

    before = started()
    for name, by in {
        "containerd.toml": "containerd",
        "kubelet.yaml": "kubelet",
        "admission.yaml": "kube-apiserver",
        "audit-policy.yaml": "kube-apiserver",
    }.items():
        path = files.config / name
        text = path.read_text()
        path.write_text(f"{text}# changed\n")
        assert {each for each, section in started().items() if section != before[each]} == {by}
        path.write_text(text)
    assert started() == before


def test_a_token_lets_one_kubelet_join_and_is_on_no_command_line(second: Files) -> None:
    (second.pki / "kubelet-client-current.pem").write_text("of another authority")
    kubectl = Asked()
    assert not joining.is_joined(second)

    name = joining.invite(second, kubectl)

    [secret] = kubectl.given
    values = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
    token = f"{values['token-id']}.{values['token-secret']}"
    assert secret["metadata"] == {"name": f"bootstrap-token-{values['token-id']}", "namespace": "kube-system"}
    assert values["auth-extra-groups"] == "system:bootstrappers:inspiration"
    assert "usage-bootstrap-signing" not in values
    assert not any(values["token-secret"] in word for words in kubectl.told for word in words)
    written = second.bootstrap_kubeconfig
    assert yaml.safe_load(written.read_text())["users"][0]["user"] == {"token": token}
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert not list(second.pki.glob("kubelet-*"))

    joining.close(second, kubectl, name)

    assert not written.exists()
    assert kubectl.told[-1] == ("delete", "secret", name, "--namespace=kube-system", "--ignore-not-found")


def request(user: str, *names: str, signer: str = joining.SERVING, **status: Any) -> dict[str, Any]:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, user)]))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([pki._general_name(name) for name in names]), False)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    spec = {"username": user, "signerName": signer, "request": base64.b64encode(pem).decode()}
    return {"metadata": {"name": f"csr of {user} for {','.join(names)}"}, "spec": spec, "status": status}


def test_a_kubelet_may_serve_as_its_own_node_only() -> None:
    good = request("system:node:inspiration-2", "inspiration-2", "10.215.1.2")
    kubectl = Asked(
        answers={
            "certificatesigningrequests": [
                good,
                request("system:node:inspiration-2", "inspiration-3"),
                request("system:node:inspiration-2", "10.215.0.2"),
                request("system:node:inspiration-2"),
                request("system:node:inspiration-9", "inspiration-9"),
                request("eve", "inspiration-2"),
                request("system:node:inspiration-2", "inspiration-2", signer="kubernetes.io/kube-apiserver-client"),
                request("system:node:inspiration-2", "inspiration-2", conditions=[{"type": "Denied"}]),
            ]
        }
    )

    joining.approve(kubectl, [SECOND])

    assert kubectl.told == [("certificate", "approve", good["metadata"]["name"])]


def test_how_many_nodes_there_are_is_kept(files: Files) -> None:
    further = FurtherNodes(files)
    assert further.count() == 1
    further.record(3)
    assert further.count() == 3
    assert [node.node.name for node in further.wanted(3)] == ["inspiration-2", "inspiration-3"]
    further.record(1)
    assert not files.record.exists()

    files.record.write_text("{}")
    with pytest.raises(Failure) as failure:
        further.count()
    assert str(failure.value) == f"{files.record} can't be read: it is damaged; say how many: script/up --nodes 1"


def volume(path: str, *nodes: str, claim: str | None = "blog/data") -> dict[str, Any]:
    expression = {"key": "kubernetes.io/hostname", "operator": "In", "values": list(nodes)}
    affinity = {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}}
    bound = dict(zip(("namespace", "name"), claim.split("/"), strict=True)) if claim else None
    return {
        "metadata": {
            "name": "pvc-1",
            "uid": "1",
            "resourceVersion": "7",
            "finalizers": ["kubernetes.io/pv-protection"],
        },
        "spec": {"hostPath": {"path": path}, "claimRef": bound, **({"nodeAffinity": affinity} if nodes else {})},
    }


def test_volumes_that_cannot_be_moved_keep_their_node(files: Files) -> None:
    leaving = [FurtherNode(files, 2), FurtherNode(files, 3)]
    fine = [
        volume("/run/inspiration/volumes/one", "inspiration-2"),
        volume("/srv/data", "inspiration"),
        volume("/srv/data", "inspiration", "inspiration-2"),
        volume("/srv/data"),
    ]
    FurtherNodes(files).refuse_loss(leaving, Asked(answers={"persistentvolumes": fine}))

    with pytest.raises(Failure) as failure:
        FurtherNodes(files).refuse_loss(
            leaving, Asked(answers={"persistentvolumes": [*fine, volume("/srv/data", "inspiration-3")]})
        )
    assert str(failure.value) == (
        "volumes that aren't of the StorageClass local-path are on nodes that are to go: blog/data on inspiration-3; "
        "keep these nodes, or delete the claims (kubectl delete pvc) with what is in the volumes"
    )


def test_a_volume_moves_to_the_first_node_with_its_claim(files: Files, second: Files) -> None:
    (second.data / "volumes/volumes/one").mkdir(parents=True)
    (second.data / "volumes/volumes/one/file").write_text("kept")
    pods = [
        {
            "metadata": {"name": name},
            "spec": {"nodeName": node, "volumes": [{"persistentVolumeClaim": {"claimName": claim}}]},
        }
        for name, node, claim in (
            ("writer", "inspiration-2", "data"), ("elsewhere", "inspiration", "data"), ("other", "inspiration-2", "x"),
        )
    ]  # fmt: skip
    kubectl = Asked(answers={"pods": pods})
    known = volume("/run/inspiration/volumes/one", "inspiration-2")

    volumes.move(known, second, files, kubectl, dead=False)

    assert (files.data / "volumes/volumes/one/file").read_text() == "kept"
    assert not (second.data / "volumes/volumes/one").exists()
    assert [words[:3] for words in kubectl.told] == [
        ("delete", "pods", "writer"),
        ("delete", "persistentvolume", "pvc-1"),
        ("patch", "persistentvolume", "pvc-1"),
        ("wait", "--for=delete", "persistentvolume/pvc-1"),
        ("apply", "--server-side", "--filename=-"),
    ]
    [made] = kubectl.given
    assert volumes.nodes_of(made) == {"inspiration"}
    assert made["spec"]["claimRef"] == known["spec"]["claimRef"]
    assert not {"uid", "resourceVersion", "finalizers"} & made["metadata"].keys()
    assert not list(files.state.glob("volume-*"))


def test_a_volume_whose_move_was_cut_short_is_made(files: Files, second: Files) -> None:
    with pytest.raises(Failure):
        volumes.move(
            volume("/run/inspiration/volumes/one", "inspiration-2"), second, files, Asked(fails="apply"), dead=False
        )
    kubectl = Asked()

    volumes.finish(files, kubectl)

    assert [volumes.nodes_of(each) for each in kubectl.given] == [{"inspiration"}]
    assert not list(files.state.glob("volume-*"))


def test_pods_that_do_not_leave_keep_their_node(files: Files, second: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    node = FurtherNode(files, 2)
    monkeypatch.setattr(Supervisor, "root", lambda _: object())
    kubectl = Asked(answers={"nodes": [{"metadata": {"name": "inspiration-2"}}]}, fails="drain")

    with pytest.raises(Failure) as failure:
        FurtherNodes(files).remove([node], kubectl)

    assert str(failure.value) == (
        "pods don't leave inspiration-2: last line; see with script/up --status what those wait for that are to take "
        "their place, then run this again"
    )
    assert second.state.exists()
    assert ("delete", "node", "inspiration-2") not in kubectl.told


def test_pods_that_are_together_are_spread_if_nothing_is_lost() -> None:
    def deployment(name: str, replicas: int = 2, unavailable: int | None = 0) -> dict[str, Any]:
        rolling = {"rollingUpdate": {"maxUnavailable": unavailable}} if unavailable is not None else {}
        spec = {"topologySpreadConstraints": [{"maxSkew": 1}]}
        return {
            "metadata": {"namespace": "blog", "name": name},
            "spec": {
                "replicas": replicas,
                "strategy": rolling,
                "selector": {"matchLabels": {"app": name}},
                "template": {"spec": spec},
            },
        }

    def pod(app: str, node: str) -> dict[str, Any]:
        return {"metadata": {"namespace": "blog", "labels": {"app": app}}, "spec": {"nodeName": node}}

    names = ("together", "single", "recreated", "spread")
    pods = [pod(name, node) for name in names for node in ("one", "two" if name == "spread" else "one")]
    kubectl = Asked(
        answers={
            "pods": pods,
            "deployments": [
                deployment("together"), deployment("single", 1), deployment("recreated", 2, None), deployment("spread"),
            ],
        }
    )  # fmt: skip

    assert spread(kubectl) == ["blog/together"]
    assert [words[:3] for words in kubectl.told] == [
        ("rollout", "restart", "deployment/together"),
        ("rollout", "status", "deployment/together"),
    ]


def test_a_state_folder_that_is_too_deep_for_further_nodes_is_refused(tmp_path: Path) -> None:
    room = preflight.LONGEST_SOCKET_PATH - len(preflight.DEEPEST_SOCKET) - len(str(tmp_path)) - 2
    state = tmp_path / ("d" * room)
    preflight.refuse_deep(Files(state), preflight.DEEPEST_SOCKET)
    with pytest.raises(Failure, match="is too long for the sockets in it; keep the state elsewhere"):
        Cluster(state).start(Path("/bin"), Path("/router"), Ports(), Path("/dockerd"), 2)
