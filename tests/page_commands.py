"""Which test runs each command that the pages for users name, or why none can."""

from __future__ import annotations

import copy
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SHOWS = (
    'eval "$(script/env)"',
    'eval "$(script/completion bash)"',
    "script/env",
    "script/up --status",
    "script/logs inspiration",
    "kubectl get pods -A",
    "pulumi stack output",
    "pulumi stack output dashboard_login --show-secrets",
    "pulumi stack output ca_certificate > inspiration-ca.pem",
    "certutil -d sql:$HOME/.pki/nssdb -A -n inspiration -t C,, -i inspiration-ca.pem",
    "pulumi preview --diff",
    "pulumi preview --policy-pack policy",
    "pulumi logs decrypt --latest",
    "pulumi cancel",
)
"""Run on the site by ``tests/e2e/test_readme.py``: they leave the stack as it is."""

SWITCHES_ON = "pulumi config set --path addons.cert true"
"""After it there is no room for options of that addon."""

SETS = (
    "pulumi config set domain example.com",
    "pulumi config set prefix staging",
    "pulumi config set --path addons.dashboard false",
    "pulumi config set --path ingress.address 192.0.2.7",
    "pulumi config set --path ingress.httpPort 8080",
    "pulumi config set --path registry.address ghcr.io/you",
    "pulumi config set --path certificateAuthority.certificate < ca.pem",
    "pulumi config set --secret --path certificateAuthority.privateKey < ca.key",
    "pulumi config set --path 'sites[0].tls' true",
    "pulumi config set --path 'sites[0].replicas' 3",
    "pulumi config set --path addons.metrics-server true",
    "pulumi config set --path addons.rbac true",
    SWITCHES_ON,
    "pulumi config set --path addons.cert.acme.email you@example.com",
    "pulumi config set --path 'sites[0].env.LOG_LEVEL' info",
    "pulumi config set --path --secret 'sites[0].secretEnv.API_TOKEN' s3cret-token",
    "pulumi config set-all --path --plaintext 'sites[0].replicas=1' --plaintext 'sites[0].volumes[0].name=data' "
    "--plaintext 'sites[0].volumes[0].path=/var/lib/site'",
    "pulumi config set-all --path --plaintext 'sites[0].egress[0]=internet' "
    "--plaintext 'sites[0].egress[1]=10.20.0.0/16:5432'",
    "pulumi config set-all --path --plaintext 'sites[0].hosts[0]=www.example.com' "
    "--plaintext 'sites[0].redirects[0].from=old.example.com' --plaintext 'sites[0].redirects[0].to=www.example.com'",
    "pulumi config set-all --path --plaintext 'sites[0].basicAuth.user=me' "
    "--secret 'sites[0].basicAuth.password=correct-horse'",
    "pulumi config set --path 'sites[0].tls' acme",
    "pulumi config set --path addons.postgres true",
    "pulumi config set --path 'sites[0].database' true",
    "pulumi config set-all --path --plaintext 'sites[0].jobs[0].name=report' "
    "--plaintext 'sites[0].jobs[0].schedule=@daily' --plaintext 'sites[0].jobs[0].command[0]=/usr/bin/report'",
    "pulumi config set-all --path --plaintext 'charts[0].name=podinfo' --plaintext 'charts[0].chart=podinfo' "
    "--plaintext 'charts[0].repository=https://stefanprodan.github.io/podinfo' --plaintext 'charts[0].version=6.9.2'",
)
"""Run there, too: what each writes into the stack's file is what the program takes."""

OWN = (
    "pulumi stack init mine",
    'pulumi config set context "$(kubectl config current-context)"',
    "pulumi config set context kind-kind",
    "pulumi config set kubeconfig ~/microk8s.kubeconfig",
    "pulumi config set kubeconfig /etc/rancher/k3s/k3s.yaml",
)
"""Run there, in this order, for a stack of one's own: the first two are for the cluster that is there."""

STATUS = "script/up --status --stack mine"
"""Run there, on that stack before anything is deployed."""

UNSET = "pulumi config rm --path addons.cert"
"""Run there, once that is set."""

STUCK = """kubectl patch KIND NAME --type merge -p '{"metadata": {"finalizers": null}}'"""
"""Run there, on an object that is held."""


@dataclass(frozen=True)
class Elsewhere:
    """A test that runs a command besides what else it does."""

    test: str
    """As pytest names it, below ``tests/``."""
    words: tuple[str, ...] | None = None
    """What its module has of the command; all words where none are named."""


_REGISTRY = Elsewhere("e2e/test_addon_registry.py::test_an_image_is_pulled_by_digest_deleted_and_cleaned_away")
_KUBECONFIG = Elsewhere("e2e/test_addon_rbac.py::test_a_viewer_sees_the_cluster")
_LOGS = "e2e/test_logs_command.py::test_a_stack_of_ones_own_is_asked_by_its_own_configuration"
_PUSH = "e2e/test_serve_git.py::test_what_is_pushed_is_served"
_DRIFT = "e2e/test_drift.py::test_a_service_edited_by_hand_is_reported_and_repaired_only_if_asked"
_DUMP = Elsewhere("e2e/test_addon_postgres.py::test_a_dump_brings_back_what_was_deleted")
_CERTIFICATE = Elsewhere("e2e/test_addon_rbac.py::test_a_user_signs_in_with_a_certificate")

_CANARY = "e2e/test_gateway.py::test_a_new_version_gets_a_tenth_of_the_requests_until_it_is_promoted"
_NODES = "faults/test_nodes.py"
_BRANCHES = "e2e/test_preview_site.py::test_two_branches_come_and_go_and_nothing_is_left"

ELSEWHERE = {
    "script/up": Elsewhere("e2e/test_site.py::test_up_again_changes_nothing"),
    "pulumi up": Elsewhere("e2e/test_site.py::test_an_update_loses_no_request"),
    "pulumi config set --path 'sites[1].name' hello": Elsewhere(
        "e2e/test_site.py::test_a_second_site_leaves_the_first_alone"
    ),
    "pulumi config set --path 'sites[1].source' hello": Elsewhere(
        "e2e/test_site.py::test_a_second_site_leaves_the_first_alone"
    ),
    "pulumi config set --path 'sites[1].autoscale.max' 6": Elsewhere(
        "e2e/test_example_guestbook.py::test_load_brings_more_pods", ("autoscale",)
    ),
    "script/releases": Elsewhere("e2e/test_releases.py::test_back_to_a_release_and_forth"),
    "script/releases --prune": Elsewhere(
        "e2e/test_registry_prune.py::test_old_releases_are_deleted_and_their_space_is_given_back"
    ),
    "script/preview-site feature/login": Elsewhere(_BRANCHES),
    "script/preview-site --list": Elsewhere(_BRANCHES),
    "script/preview-site --remove feature/login": Elsewhere(_BRANCHES),
    "script/dev inspiration": Elsewhere("e2e/test_dev.py::test_ten_saves_are_served_and_the_tab_shows_each"),
    "script/rollback inspiration": Elsewhere("e2e/test_releases.py::test_back_to_a_release_and_forth"),
    "script/rollback inspiration --undo": Elsewhere("e2e/test_releases.py::test_back_to_a_release_and_forth"),
    "pulumi config set --path ingress.routes gateway": Elsewhere(_CANARY, ("ingress.routes", "gateway")),
    "pulumi config set --path 'sites[0].canary' 10": Elsewhere(_CANARY, (".canary", "10")),
    "script/promote inspiration": Elsewhere(_CANARY, ("script/promote",)),
    "script/abort inspiration": Elsewhere(
        "e2e/test_gateway.py::test_a_new_version_that_is_given_up_gets_none", ("script/abort",)
    ),
    "script/up --cluster-only": Elsewhere(_PUSH),
    "script/up --nodes 3": Elsewhere(f"{_NODES}::test_the_stack_is_on_all_nodes", ("--nodes", "3")),
    "script/up --nodes 1": Elsewhere(
        f"{_NODES}::test_back_to_one_node_with_all_that_was_on_the_others", ("--nodes", "1")
    ),
    "script/serve-git ~/site.git": Elsewhere(_PUSH, ("script/serve-git", "site.git")),
    "git remote add deploy ~/site.git": Elsewhere(_PUSH, ("remote", "add", "deploy")),
    "git push deploy main": Elsewhere(_PUSH, ("push", "deploy", "main")),
    "script/drift": Elsewhere(_DRIFT, ("script/drift",)),
    "script/drift --repair": Elsewhere(_DRIFT, ("script/drift", "--repair")),
    "pulumi up --refresh": Elsewhere("faults/test_registry.py::test_an_image_that_was_deleted_is_named_and_comes_back"),
    "PULUMI_K8S_DELETE_UNREACHABLE=true pulumi destroy": Elsewhere(
        "faults/test_lost.py::test_a_cluster_that_is_gone_can_be_destroyed"
    ),
    "script/backup FILE": Elsewhere("faults/test_backup.py::test_what_was_backed_up_comes_back"),
    "script/restore FILE": Elsewhere("faults/test_backup.py::test_what_was_backed_up_comes_back"),
    "script/down": Elsewhere("faults/test_down.py::test_down_leaves_the_machine_as_it_was_and_purge_removes_the_data"),
    "script/down --keep": Elsewhere("faults/test_down.py::test_keep_stops_the_cluster_and_up_brings_the_site_back"),
    "script/down --purge": Elsewhere(
        "faults/test_down.py::test_down_leaves_the_machine_as_it_was_and_purge_removes_the_data"
    ),
    "script/logs inspiration --stack mine": Elsewhere(_LOGS, ("script/logs", "--stack")),
    "script/licences": Elsewhere("e2e/test_licences.py::test_everything_shipped_has_a_known_licence"),
    "kubectl top": Elsewhere(
        "e2e/test_addon_metrics_server.py::test_it_tells_what_nodes_and_pods_use_and_leaves_without_a_trace", ("top",)
    ),
    "umask 077": _KUBECONFIG,
    "kubectl config view --minify --flatten --raw > viewer.kubeconfig": _KUBECONFIG,
    "kubectl config unset users --kubeconfig viewer.kubeconfig": _KUBECONFIG,
    "kubectl config set-credentials viewer --kubeconfig viewer.kubeconfig "
    '--token "$(kubectl create token viewer --namespace rbac --duration 8h)"': _KUBECONFIG,
    "kubectl config set-context --current --user viewer --kubeconfig viewer.kubeconfig": _KUBECONFIG,
    "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=alice -keyout alice.key "
    "-out alice.csr": _CERTIFICATE,
    "kubectl apply -f - <<END: CertificateSigningRequest": _CERTIFICATE,
    "kubectl certificate approve alice": _CERTIFICATE,
    "kubectl wait --for=jsonpath='{.status.certificate}' csr/alice --timeout=60s": _CERTIFICATE,
    "kubectl get csr alice -o jsonpath='{.status.certificate}' | base64 -d > alice.crt": _CERTIFICATE,
    "registry=http://$(pulumi stack output registry)/v2": _REGISTRY,
    "curl -s $registry/inspiration/tags/list": _REGISTRY,
    "digest=$(curl -sfI $registry/inspiration/manifests/TAG -H 'Accept: application/vnd.oci.image.manifest.v1+json' "
    "-H 'Accept: application/vnd.docker.distribution.manifest.v2+json' | tr -d '\\r' "
    "| sed -n 's/^docker-content-digest: //Ip')": _REGISTRY,
    "curl -sf -X DELETE $registry/inspiration/manifests/$digest": _REGISTRY,
    "kubectl exec -n container-registry deployment/registry -- "
    "/bin/registry garbage-collect --delete-untagged /etc/distribution/config.yml": _REGISTRY,
    "kubectl exec -n postgres statefulset/postgres -- pg_dump --clean --if-exists shop > shop.sql": _DUMP,
    "kubectl exec -i -n postgres statefulset/postgres -- psql --set=ON_ERROR_STOP=1 --single-transaction shop "
    "< shop.sql": _DUMP,
    "kubectl rollout restart -n postgres statefulset/postgres": Elsewhere(
        "e2e/test_addon_postgres.py::test_a_site_keeps_what_it_writes_whatever_happens_to_the_server_s_pod"
    ),
    "kubectl apply -f - <<END: Service": Elsewhere("e2e/test_addon_knative.py::test_the_service_of_the_page_answers"),
    "curl -G http://127.0.0.1:3100/loki/api/v1/query_range "
    """--data-urlencode 'query={k8s_namespace_name="inspiration"} |= "404"'""": Elsewhere(
        "e2e/test_addon_logs.py::test_what_a_pod_wrote_is_found_and_the_addon_leaves_without_a_trace",
        ("/loki/api/v1/query_range", "k8s_namespace_name", "|="),
    ),
}
"""Run by other tests. What is given by a here document is named by its kind alone."""

_OTHER_CLUSTER = "is for another cluster, which the machine of the tests isn't"
_TRUST = "changes whom the whole machine trusts"

NOT_RUN = {
    "script/test": "runs these tests",
    "script/test --conformance": "is a test itself",
    'eval "$(script/completion zsh)"': "is run by tests/unit/embedded/test_completion.py where there is a zsh",
    "python3 -m venv .venv && .venv/bin/pip install -r requirements.txt": "installs a second time what these tests use",
    "docker login ghcr.io": "needs an account there",
    "microk8s enable dns hostpath-storage registry ingress": _OTHER_CLUSTER,
    "(umask 077 && microk8s config > ~/microk8s.kubeconfig)": _OTHER_CLUSTER,
    "microk8s enable rbac": _OTHER_CLUSTER,
    "kind create cluster --config - <<END: Cluster": _OTHER_CLUSTER,
    "gcloud container clusters get-credentials NAME --location LOCATION": _OTHER_CLUSTER,
    "aws eks update-kubeconfig --name NAME": _OTHER_CLUSTER,
    "az aks get-credentials --resource-group GROUP --name NAME": _OTHER_CLUSTER,
    "cp inspiration-ca.pem /usr/local/share/ca-certificates/inspiration.crt && update-ca-certificates": _TRUST,
    "trust anchor inspiration-ca.pem": _TRUST,
}
"""What no test runs, and why: the command …"""


def written(config: Mapping[str, Any], command: str, files: Mapping[str, str]) -> dict[str, Any]:
    """Return ``config``, keys of a stack's file without their namespace, as a ``pulumi config set`` would leave it.

    ``files`` has what a command may be given as its input, by name. A secret is as the program sees it.
    """
    words = shlex.split(command)
    is_path = "--path" in words
    flags, given = ("--path", "--plaintext", "--secret"), words[3:]
    if words[2] == "set-all":
        pairs = [each.partition("=")[::2] for each in given if each not in flags]
    elif "<" in given:
        pairs = [(given[-3], files[given[-1]].rstrip("\n"))]
    else:
        pairs = [(given[-2], given[-1])]
    changed = copy.deepcopy(dict(config))
    for key, text in pairs:
        if is_path:
            _set(changed, [int(index) if index else name for name, index in _PART.findall(key)], _value(text))
        else:
            changed[key] = text
    return changed


_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


def _value(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    return int(text) if re.fullmatch(r"-?(0|[1-9]\d*)", text) else text


def _set(holder: Any, path: list[Any], value: Any) -> None:
    first, *rest = path
    if isinstance(holder, list):
        holder += [None] * (first + 1 - len(holder))
    if not rest:
        holder[first] = value
        return
    inner = holder[first] if isinstance(holder, list) else holder.get(first)
    if inner is None:
        inner = holder[first] = [] if isinstance(rest[0], int) else {}
    _set(inner, rest, value)
