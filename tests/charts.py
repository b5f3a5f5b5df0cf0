"""Helm charts, and a repository of them on this machine."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import tarfile
from collections.abc import Iterator, Mapping
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import yaml

from tests.servers import serving

CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}-config"}
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


def archive(chart: Path, to: Path) -> Path:
    """Pack a chart, as ``helm package`` does."""
    described = yaml.safe_load((chart / "Chart.yaml").read_text())
    file = to / f"{described['name']}-{described['version']}.tgz"
    with tarfile.open(file, "w:gz") as tar:
        tar.add(chart, described["name"])
    return file


class _Registry(SimpleHTTPRequestHandler):
    # Who begins with TLS is answered in HTTP too, and Helm goes on without.
    default_request_version = "HTTP/1.0"

    def end_headers(self) -> None:
        """Add what a registry says of a manifest."""
        path = getattr(self, "path", "")
        if "/manifests/" in path and (file := Path(self.translate_path(path))).is_file():
            self.send_header("Docker-Content-Digest", _digest(file.read_bytes()))
        super().end_headers()

    def guess_type(self, path: Any) -> str:
        """Tell by the path what a file without a suffix is."""
        return _MANIFEST if "/manifests/" in str(path) else super().guess_type(path)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _publish(folder: Path, file: Path, described: Mapping[str, Any]) -> None:
    """Add an archive to a registry (OCI Distribution Specification 1.1), as ``helm push`` does."""
    repository = folder / "v2" / "charts" / described["name"]
    for part in ("manifests", "blobs"):
        (repository / part).mkdir(parents=True, exist_ok=True)

    def blob(content: bytes, kind: str) -> dict[str, Any]:
        (repository / "blobs" / _digest(content)).write_bytes(content)
        return {"mediaType": f"application/vnd.cncf.helm.{kind}", "digest": _digest(content), "size": len(content)}

    config = blob(json.dumps(described).encode(), "config.v1+json")
    layer = blob(file.read_bytes(), "chart.content.v1.tar+gzip")
    manifest = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": config, "layers": [layer]}
    content = json.dumps(manifest).encode()
    for name in (described["version"], _digest(content)):
        (repository / "manifests" / name).write_bytes(content)


@contextlib.contextmanager
def served(folder: Path, *charts: Path) -> Iterator[str]:
    """Serve charts on loopback, as a chart repository and below ``/charts`` as an OCI registry: ``127.0.0.1:PORT``."""
    folder.mkdir(exist_ok=True)
    entries: dict[str, list[dict[str, Any]]] = {}
    for chart in charts:
        file, described = archive(chart, folder), yaml.safe_load((chart / "Chart.yaml").read_text())
        entries.setdefault(described["name"], []).append({**described, "urls": [file.name]})
        _publish(folder, file, described)
    (folder / "index.yaml").write_text(yaml.safe_dump({"apiVersion": "v1", "entries": entries}))
    with serving(functools.partial(_Registry, directory=str(folder))) as port:
        yield f"127.0.0.1:{port}"
