"""Nothing has changed: how long each tool takes to say so, of the same objects.

``helmfile diff`` needs Helm's plugin diff, which couldn't be had: the Helmfile is rendered, and compared as the chart.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from bench import manifests
from bench.figures import ratios, summary
from bench.interleaving import interleaved
from bench.session import Session

PULUMI, KUBECTL = "pulumi preview", "kubectl diff"

SCRIPTS = {
    PULUMI: "pulumi preview --expect-no-changes",
    "pulumi preview --refresh": "pulumi preview --refresh --expect-no-changes",
    KUBECTL: "kubectl diff --filename objects.yaml",
    "helm template, kubectl diff": "helm template stack ./chart | kubectl diff --filename -",
    "helmfile template, kubectl diff": "helmfile --file helmfile.yaml --quiet template | kubectl diff --filename -",
    "tofu plan": "tofu plan -detailed-exitcode -input=false -no-color",
}
"""All end with another code than 0 where they see a change: so it is known that they have looked, and agree."""


def measure(session: Session) -> dict[str, dict[str, Any]]:
    """Return the seconds of each tool, and for each object."""
    session.have_stack()
    folder = session.folder("preview")
    objects = session.objects()
    _prepare(session, folder, objects)
    ways: dict[str, Callable[[int], float | None]] = {
        way: partial(_run, session, script, session.project if way.startswith("pulumi") else folder)
        for way, script in SCRIPTS.items()
    }
    for look in ways.values():
        look(0)
    seconds = interleaved(ways, session.runs)
    return {
        "preview": {
            "tools": session.tools.versions,
            "objects": len(objects),
            "resources": session.resources(),
            "seconds": {way: summary(values) for way, values in seconds.items()},
            "values": seconds,
            "pulumi_to": {way: round(1 / value, 3) for way, value in ratios(seconds, PULUMI).items()},
        }
    }


def _run(session: Session, script: str, folder: Path, _turn: int) -> None:
    session.shell.run(script, folder)


def _prepare(session: Session, folder: Path, objects: list[manifests.Manifest]) -> None:
    """Write the objects in each tool's way; OpenTofu gets to know them by applying them once, which changes nothing."""
    manifests.write(objects, folder / "objects.yaml")
    manifests.write_chart(objects, folder / "chart")
    releases = {"releases": [{"name": "stack", "chart": "./chart"}]}
    (folder / "helmfile.yaml").write_text(yaml.safe_dump(releases))
    (folder / "main.tf.json").write_text(json.dumps(manifests.tofu(objects), indent=1))
    # The provider is taken from where it was built: there is no registry to ask, and nothing to be initialised.
    provider = session.tools.folders["kubectl-provider"]
    (folder / "tofu.rc").write_text(
        f'provider_installation {{\n dev_overrides {{\n  "gavinbunney/kubectl" = "{provider}"\n }}\n direct {{}}\n}}\n'
    )
    session.shell.environment |= {
        "TF_CLI_CONFIG_FILE": str(folder / "tofu.rc"),
        "KUBE_CONFIG_PATH": session.shell.environment["KUBECONFIG"],
        "CHECKPOINT_DISABLE": "true",
    }
    session.shell.run("tofu apply -auto-approve -input=false -no-color", folder)
