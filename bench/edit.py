"""A page is edited: how long until the new one is served, by Pulumi and by what people would use instead.

Each way has a folder, a namespace, a host and a Deployment of its own, made from the same objects. All build the image
with the same Docker Engine and push it to the same registry; the clock stops when the update is through and the new
page is answered.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from bench import manifests, pages
from bench.copies import wait_for_page
from bench.figures import ratios, summary
from bench.interleaving import interleaved
from bench.session import UP, Session

PULUMI, FLOOR, HELM, HELMFILE = "pulumi up", "docker and kubectl", "helm upgrade", "helmfile sync"

_BUILD_AND_PUSH = """\
docker build --quiet --tag "$image" $pages site
docker push --quiet "$image"
"""
_SCRIPTS = {
    FLOOR: _BUILD_AND_PUSH
    + """\
kubectl set image deployment/inspiration --namespace "$name" site="$image"
kubectl rollout status deployment/inspiration --namespace "$name"
""",
    HELM: _BUILD_AND_PUSH
    + """\
helm upgrade site ./chart --install --wait --namespace "$name" --set image="$image"
""",
    HELMFILE: _BUILD_AND_PUSH
    + """\
helmfile --file helmfile.yaml.gotmpl sync
""",
}


def measure(session: Session) -> dict[str, dict[str, Any]]:
    """Return the seconds of each way, and its ratio to the floor."""
    session.have_stack()
    pages.provide(session)
    site = manifests.of_site(session.objects(), "inspiration")
    ways: dict[str, Callable[[int], float | None]] = {PULUMI: partial(_by_pulumi, session)}
    folders = {way: _prepare(session, site, way) for way in _SCRIPTS}
    for way, folder in folders.items():
        ways[way] = partial(_by_script, session, way, folder)
    for deploy in ways.values():
        deploy(0)  # the first time images, caches and releases are made
    seconds = interleaved(ways, session.runs)
    session.remove(folder.name for folder in folders.values())
    return {
        "edit": {
            "tools": session.tools.versions,
            "seconds": {way: summary(values) for way, values in seconds.items()},
            "values": seconds,
            "ratio_to_floor": ratios(seconds, FLOOR),
            "pulumi_to": {way: round(1 / value, 3) for way, value in ratios(seconds, PULUMI).items()},
        }
    }


def _by_pulumi(session: Session, turn: int) -> None:
    edit_page(session.project / "site", turn)
    session.shell.run(UP, session.project)
    wait_for_page(f"turn {turn} ")


def _by_script(session: Session, way: str, folder: Path, turn: int) -> None:
    edit_page(folder / "site", turn)
    name = folder.name
    session.shell.run(f"export image=localhost:32000/{name}:{turn} name={name}\n{_SCRIPTS[way]}", folder)
    wait_for_page(f"turn {turn} ", f"{name}.localhost")


def edit_page(site: Path, turn: int) -> None:
    """Have a page that says which ``turn`` it is."""
    page = site / "index.html"
    page.write_text(f"{page.read_text().partition('<!-- turn')[0].rstrip()}\n<!-- turn {turn} -->\n")


def _prepare(session: Session, site: list[manifests.Manifest], way: str) -> Path:
    """Make the folder in which a way finds its site, its chart and its Helmfile; its namespace is there then."""
    name = way.split()[0]
    folder = session.folder(name)
    shutil.copytree(session.project / "site", folder / "site")
    image = f"localhost:32000/{name}:0"
    own = manifests.moved(site, name, image)
    # A Namespace isn't part of a release, and nobody deploys it anew with each page.
    namespace, objects = own[:1], own[1:]
    manifests.write(namespace, folder / "namespace.yaml")
    manifests.write(objects, folder / "objects.yaml")
    session.shell.run("kubectl apply --filename namespace.yaml", folder)
    if way == FLOOR:
        session.shell.run("kubectl apply --filename objects.yaml", folder)
        return folder
    manifests.write_chart(objects, folder / "chart", image)
    release = {
        "name": "site", "namespace": name, "chart": "./chart", "wait": True,
        "values": [{"image": '{{ requiredEnv "image" }}'}],
    }  # fmt: skip
    (folder / "helmfile.yaml.gotmpl").write_text(yaml.safe_dump({"releases": [release]}))
    return folder
