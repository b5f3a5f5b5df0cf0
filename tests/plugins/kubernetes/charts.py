"""Helm charts, and a repository of them on this machine."""

from __future__ import annotations

import contextlib
import functools
import subprocess
import threading
from collections.abc import Iterator, Mapping
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml

CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}-config", annotations: {pulumi.com/patchForce: "true"}}
data: {greeting: "{{ .Values.greeting }}"}
"""

HOOK = """
apiVersion: v1
kind: ConfigMap
metadata: {name: migrate, annotations: {helm.sh/hook: "pre-install,pre-upgrade"}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: check, annotations: {helm.sh/hook: test}}
"""


def write_chart(
    folder: Path,
    templates: Mapping[str, str],
    *,
    version: str = "1.0.0",
    crds: Mapping[str, str] | None = None,
    **values: object,
) -> Path:
    """Write the chart of the name that ``folder`` has, and return it.

    Args:
        folder: Where to.
        templates: Texts by the name of their file.
        version: Of the chart.
        crds: The same of its folder ``crds``.
        values: Its defaults.
    """
    files = {f"templates/{name}": text for name, text in templates.items()}
    files |= {f"crds/{name}": text for name, text in (crds or {}).items()}
    files["Chart.yaml"] = yaml.safe_dump({"apiVersion": "v2", "name": folder.name, "version": version})
    files["values.yaml"] = yaml.safe_dump(values)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def definition(group: str, kind: str, scope: str = "Namespaced") -> str:
    """A CustomResourceDefinition that takes everything."""
    plural = f"{kind.lower()}s"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return yaml.safe_dump(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{group}"},
            "spec": {
                "group": group,
                "scope": scope,
                "names": {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()},
                "versions": [
                    {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}},
                ],
            },
        }
    )


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def served(folder: Path, *charts: Path, helm: str = "helm") -> Iterator[str]:
    """Make a repository of charts in ``folder`` with the program ``helm``, and serve it on loopback; its URL."""
    folder.mkdir(exist_ok=True)
    for chart in charts:
        subprocess.run([helm, "package", chart, "--destination", folder], check=True, capture_output=True)
    subprocess.run([helm, "repo", "index", folder], check=True, capture_output=True)
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
