"""The keys are those of the project, whatever it is called in ``Pulumi.yaml``, and so errors have them."""

import json
import re
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime.settings import SETTINGS

from settings import Settings, SettingsError
from settings.cluster_facts import SERVICES, ClusterFacts, Found
from settings.cluster_reader import ApiServer, read_facts
from settings.kubeconfig import check_kubeconfig
from settings.resolution import resolve
from tests.unit.api_servers import kubeconfig
from tests.unit.api_servers import serve as serve
from tests.unit.api_servers import started as started
from tests.unit.test_settings import KUBECONFIG
from tests.unit.test_settings import project as project


@pytest.fixture(autouse=True)
def shop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SETTINGS, "project", "shop")


def load(config: dict[str, Any], secrets: tuple[str, ...] = ()) -> Settings:
    values = {"shop:kubeconfig": KUBECONFIG, **config}
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    pulumi.runtime.set_all_config(texts, list(secrets))
    return Settings.load(environ={})


def problems(config: dict[str, Any], secrets: tuple[str, ...] = ()) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(config, secrets)
    return caught.value.problems


def test_the_keys_are_the_projects() -> None:
    loaded = load({"shop:domain": "example.com", "shop:sites": [{"name": "cart"}]})
    assert [site.host for site in loaded.sites] == ["cart.example.com"]


def test_the_keys_from_before_it_was_renamed_are_refused() -> None:
    assert problems({"inspiration:domain": "example.com", "other:domain": "example.com", "shopp:sites": []}) == [
        "inspiration:domain: unknown key; did you mean shop:domain?",
        "shopp:sites: unknown key; did you mean shop:sites?",
    ]


def test_each_kind_of_error_has_it() -> None:
    config = {
        "shop:domain": "3",
        "shop:dmain": "x",
        "shop:context": "there",
        "shop:sites": [{"name": "a"}, {"name": "a", "host": "b.localhost"}],
        "shop:charts": [],
    }
    lines = problems(config, ("shop:charts",))
    assert [line.partition(": ")[0] for line in lines] == [
        "shop:dmain",
        "shop:charts",
        "shop:context",
        "shop:domain",
        "shop:sites[1].name",
    ]
    assert "is taken by shop:sites[0]" in lines[-1]
    assert check_kubeconfig("/nowhere", None, {})[0].startswith("shop:kubeconfig: /nowhere doesn't exist")


def test_what_does_not_fit_the_cluster_has_it() -> None:
    with pytest.raises(SettingsError) as caught:
        resolve(load({"shop:addons": {"ingress": False}}), ClusterFacts("dev", namespaces=(Found("inspiration"),)))
    assert caught.value.problems == [
        "shop:sites[0].name: the namespace inspiration is there already, and isn't of this stack; set it to another "
        "one, set shop:prefix, or remove that namespace",
        "shop:addons.ingress: false given, and the cluster has no IngressClass, which shop:sites and "
        "shop:addons.dashboard need; set it to auto or true",
    ]


def test_what_the_api_server_answers_has_it_whichever_thread_asked(serve: Any) -> None:
    server = serve(answers={SERVICES: (401, {})})
    with pytest.raises(SettingsError) as caught:
        read_facts(ApiServer(kubeconfig(server.url), "here", {}))
    assert caught.value.problems[0].startswith(f'shop:context: {server.url}, of context "here", doesn\'t accept')


@pytest.mark.parametrize("folder", ["components", "settings"])
def test_no_module_has_a_name_of_its_own_for_the_project(folder: str) -> None:
    # Types of components have the program's.
    for file in (Path(__file__).parents[2] / folder).rglob("*.py"):
        assert not re.search("inspiration:(?!index:)", file.read_text()), file
