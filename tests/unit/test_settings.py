"""What the configuration may be, and the line for everything that it may not be."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from components.addons import ADDONS
from components.addons.addon import Addon
from components.addons.cilium import CILIUM
from components.addons.dashboard import DASHBOARD
from components.addons.dns import DNS
from components.addons.prometheus import PROMETHEUS
from components.addons.rancher import RANCHER
from components.manifests import PROGRAM
from settings import Settings

ROOT = Path(__file__).parents[2]
KUBECONFIG = json.dumps({"contexts": [{"name": "here"}], "current-context": "here"})
DIGEST = "sha256:" + "0" * 64
SITE_KEYS = (
    "name, source, image, release, canary, promoted, host, path, port, healthPath, replicas, "
    "progressDeadlineSeconds, hosts, redirects, tls, basicAuth, resources, autoscale, command, args, user, env, "
    "secretEnv, volumes, database, egress, jobs"
)


@pytest.fixture(autouse=True, scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("project")
    for name, file in {
        "site": "Dockerfile",
        "pages": "index.html",
        "empty": "README.md",
        "cloned": "index.html",
    }.items():
        (folder / name).mkdir()
        (folder / name / file).touch()
    (folder / "file").touch()
    (folder / "cloned" / ".git").mkdir()
    (folder / "cloned" / ".git" / "config").touch()
    (folder / "cloned" / ".well-known").mkdir()
    (folder / "cloned" / ".well-known" / "security.txt").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder


def load(config: Mapping[str, Any], secrets: tuple[str, ...] = ()) -> Settings:
    values = {"kubeconfig": KUBECONFIG, **config}
    pulumi.runtime.set_all_config(
        {f"{PROGRAM}:{key}": v if isinstance(v, str) else json.dumps(v) for key, v in values.items()},
        [f"{PROGRAM}:{key}" for key in secrets],
    )
    return Settings.load(environ={})


def test_the_defaults() -> None:
    loaded = load({})
    assert loaded.domain == "localhost"
    [site] = loaded.sites
    assert (site.name, site.source, site.host) == ("inspiration", "site", "inspiration.localhost")
    assert (site.path, site.health_path) == ("/", "/healthz")
    assert loaded.registry.address == "localhost:32000"
    assert loaded.addons.deployed.keys() == {"dns", "storage", "registry", "ingress", "dashboard"}
    assert loaded.builds_images
    assert loaded.hosts_entry is None


@pytest.mark.parametrize("stack", sorted(ROOT.glob("Pulumi.*.yaml")), ids=lambda path: path.name)
def test_the_stacks_of_the_project_are_valid(stack: Path) -> None:
    config = yaml.safe_load(stack.read_text())["config"]
    config = {key.removeprefix(f"{PROGRAM}:"): value for key, value in config.items()}
    kubeconfig = {"contexts": [{"name": config["context"]}]}
    load({**config, "kubeconfig": json.dumps(kubeconfig)})


@pytest.mark.parametrize(
    ("site", "expected"),
    [
        ({"source": "pages"}, {"source": "pages", "host": "a.localhost"}),
        ({"source": "./pages/"}, {"source": "pages"}),
        ({"image": f"ghcr.io/me/a:1@{DIGEST}"}, {"image": f"ghcr.io/me/a:1@{DIGEST}"}),
        ({"host": "www.example.com", "path": "/a/b/"}, {"host": "www.example.com", "path": "/a/b/"}),
        ({"port": 80, "healthPath": "/health?full=1", "replicas": 1}, {"port": 80, "replicas": 1}),
    ],
)
def test_good_sites(site: dict[str, Any], expected: dict[str, Any]) -> None:
    [loaded] = load({"sites": [{"name": "a", **site}]}).sites
    assert loaded.model_dump() | expected == loaded.model_dump()


def test_resources_are_merged_with_the_defaults() -> None:
    [half] = load({"sites": [{"name": "a", "resources": {"limits": {"cpu": "0.5"}}}]}).sites
    assert half.model_dump()["resources"]["limits"]["cpu"] == "0.5"
    [site] = load({"sites": [{"name": "a", "resources": {"limits": {"memory": "1Gi"}}}]}).sites
    assert site.resources.model_dump() == {
        "requests": {"cpu": "10m", "memory": "32Mi"},
        "limits": {"cpu": "500m", "memory": "1Gi"},
    }


@pytest.mark.parametrize(
    ("given", "text"),
    [(1, "1"), (2.0, "2"), (0.5, "0.5"), (1.25, "1.25"), (10**6, "1000000"), ("0.5", "0.5"), ("250m", "250m")],
)
def test_a_number_is_a_quantity(given: Any, text: str) -> None:
    # What `pulumi config set --path` and people write without quotes.
    [site] = load({"sites": [{"name": "a", "resources": {"limits": {"cpu": given}}}]}).sites
    assert site.resources.limits.cpu == text


def test_numbers_are_taken_for_texts_wherever_they_may_be_meant(project: Path) -> None:
    (project / "2024").mkdir()
    (project / "2024" / "index.html").touch()
    loaded = load(
        {
            "sites": [{"name": "a", "source": 2024, "resources": {"limits": {"memory": 134217728}}}],
            "certificateAuthority": {"commonName": 2024},
            "addons": {
                "registry": {"size": 10**10},
                "prometheus": {"size": 10**9},
                "logs": {"size": 1.5e9},
                "rbac": {"viewers": [1000, "group:2000"]},
            },
        }
    )
    [site] = loaded.sites
    assert (site.source, site.resources.limits.memory) == ("2024", "134217728")
    assert loaded.certificate_authority.common_name == "2024"
    addons = loaded.addons.model_dump()
    assert [addons[name]["size"] for name in ("registry", "prometheus", "logs")] == [
        "10000000000",
        "1000000000",
        "1500000000",
    ]
    assert addons["rbac"]["viewers"] == ["1000", "group:2000"]


@pytest.mark.parametrize(
    ("sites", "expected"),
    [
        ([{"tls": True}], [("inspiration", "site", "/healthz", True)]),
        ([{}], [("inspiration", "site", "/healthz", False)]),
        ([{"source": "./site"}], [("inspiration", "site", "/", False)]),
        ([{"source": "pages"}], [("inspiration", "pages", "/", False)]),
        ([{"healthPath": "/ready"}], [("inspiration", "site", "/ready", False)]),
        ([{"image": f"a@{DIGEST}"}], [("inspiration", "site", "/", False)]),
        (
            [None, {"name": "hello", "source": "pages"}],
            [("inspiration", "site", "/healthz", False), ("hello", "pages", "/", False)],
        ),
        ([{"name": "a"}], [("a", "site", "/", False)]),
    ],
)
def test_the_first_site_is_the_default_one_where_it_has_no_name(
    sites: list[Any], expected: list[tuple[object, ...]]
) -> None:
    assert [(site.name, site.source, site.health_path, site.tls) for site in load({"sites": sites}).sites] == expected


@pytest.mark.parametrize(
    ("addons", "expected"),
    [
        ({"dns": False}, None),
        ({"dns": True}, {"auto": False, "cluster_ip": None, "replicas": None, "upstream": None}),
        ({"dns": "auto"}, {"auto": True, "cluster_ip": None, "replicas": None, "upstream": None}),
        ({}, {"auto": True, "cluster_ip": None, "replicas": None, "upstream": None}),
        ({"dns": {"replicas": 2}}, {"auto": False, "cluster_ip": None, "replicas": 2, "upstream": None}),
        ({"dns": {"auto": True, "replicas": 2}}, {"auto": True, "cluster_ip": None, "replicas": 2, "upstream": None}),
        (
            {"dns": {"clusterIP": "10.0.0.10", "upstream": ["1.1.1.1", "2606::1"]}},
            {"auto": False, "cluster_ip": "10.0.0.10", "replicas": None, "upstream": ["1.1.1.1", "2606::1"]},
        ),
    ],
)
def test_addons_are_switched_on_off_left_to_the_cluster_or_given_options(
    addons: dict[str, Any], expected: dict[str, Any] | None
) -> None:
    loaded = load({"addons": addons}).addons.of(DNS)
    assert (loaded.model_dump() if loaded else None) == expected


def test_the_registry_is_at_its_node_port() -> None:
    assert load({"registry": {"nodePort": 31000}}).registry.address == "localhost:31000"


def test_a_ready_image_needs_no_folder_and_no_docker() -> None:
    loaded = load({"sites": [{"name": "a", "image": f"a@{DIGEST}"}]})
    assert not loaded.builds_images


def test_one_host_may_have_several_sites_below_different_paths() -> None:
    hosts = [{"name": "a", "host": "x.localhost"}, {"name": "b", "host": "x.localhost", "path": "/b"}]
    assert len(load({"sites": hosts}).sites) == 2


@pytest.mark.parametrize(
    ("domain", "address", "expected"),
    [
        ("localhost", "127.0.0.1", None),
        ("test.localhost", "127.0.0.1", None),
        ("example.test", "127.0.0.1", "127.0.0.1 a.example.test b.example.test dashboard.example.test"),
        ("notlocalhost", "10.1.2.3", "10.1.2.3 a.notlocalhost b.notlocalhost dashboard.notlocalhost"),
    ],
)
def test_the_hosts_entry_has_the_hosts_that_do_not_resolve(domain: str, address: str, expected: str | None) -> None:
    config = {"domain": domain, "ingress": {"address": address}, "sites": [{"name": "a"}, {"name": "b"}]}
    assert load(config).hosts_entry == expected


@pytest.mark.parametrize(
    ("given", "host"), [(True, "{}.example.test"), ({"host": "k8s.example.com"}, "k8s.example.com")]
)
@pytest.mark.parametrize("addon", [DASHBOARD, PROMETHEUS, RANCHER], ids=lambda addon: addon.name)
def test_a_page_has_a_host_under_the_domain(addon: Addon[Any], given: object, host: str) -> None:
    loaded = load({"domain": "example.test", "addons": {"dashboard": False, addon.name: given}})
    assert loaded.addons.hosts == {addon.name: host.format(addon.name)}
    assert loaded.hosts_entry == f"127.0.0.1 inspiration.example.test {host.format(addon.name)}"


def test_an_addon_that_is_switched_off_has_no_options() -> None:
    loaded = load({"addons": {addon.name: False for addon in ADDONS}}).addons
    assert loaded.deployed == {}
    assert [loaded.of(addon) for addon in ADDONS] == [None] * len(ADDONS)


@pytest.mark.parametrize("address", ["192.0.2.1:6443", "api.example.com:443", "[2001:db8::1]:6443"])
def test_cilium_finds_the_api_server_without_kube_proxy(address: str) -> None:
    options = load({"addons": {"cilium": {"kubeProxyReplacement": True, "apiServer": address}}}).addons.of(CILIUM)
    assert options is not None
    assert options.api_server == address


def test_hidden_files_that_are_not_in_the_image_are_fine(project: Path) -> None:
    assert load({"sites": [{"name": "a", "source": "pages"}]}).sites[0].source == "pages"
    (project / "cloned" / ".dockerignore").write_text("**/.*\n")
    try:
        assert load({"sites": [{"name": "a", "source": "cloned"}]}).sites[0].source == "cloned"
    finally:
        (project / "cloned" / ".dockerignore").unlink()


def test_an_unset_text_is_empty() -> None:
    # Pulumi.yaml can't give "unset" as a default.
    assert load({"context": ""}).context is None
