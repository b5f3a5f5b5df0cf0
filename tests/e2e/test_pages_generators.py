"""What generators make, unchanged, is served right. They come from PyPI and npm; no cluster is needed.

Docusaurus 3.10.2 was tried by hand: npm takes a minute for it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from components.site.source import folder_of_site
from tests.pages_server import serving

YEAR = "public, max-age=31536000, immutable"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".gz": "application/gzip",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".xml": "application/xml",
}


def run(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, f"“{' '.join(command)}” failed, perhaps for want of the registry: {done.stderr}"


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def mkdocs(folder: Path) -> Path:
    write(
        folder,
        {
            "mkdocs.yml": "site_name: Lights\nsite_url: https://example.com/\ntheme: {name: material}\n",
            "docs/index.md": "# Lights\n",
            "docs/about.md": "# About\n",
            "docs/guide/index.md": "# Guide\n",
        },
    )
    run(folder, sys.executable, "-m", "venv", "environment")
    run(folder, "environment/bin/pip", "install", "--quiet", "mkdocs-material==9.6.14", "mkdocs==1.6.1")
    run(folder, "environment/bin/mkdocs", "build", "--quiet")
    return folder / "site"


def npm(folder: Path, package: str, files: dict[str, str], *command: str) -> Path:
    write(folder, {"package.json": '{"private": true, "type": "module"}', **files})
    run(folder, "npm", "install", "--no-audit", "--no-fund", "--loglevel=error", package)
    run(folder, "npm", "exec", "--offline", "--", *command)
    return folder / "dist"


def vite(folder: Path) -> Path:
    files = {
        "index.html": '<!doctype html><title>Lights</title><script type="module" src="/src/main.js"></script>',
        "src/main.js": "import './style.css'\nimport logo from './logo.svg?no-inline'\n"
        "document.body.append(logo)\nimport('./later.js')\n",
        "src/later.js": "console.log('later')\nexport default 1\n",
        "src/style.css": "body { color: red }",
        "src/logo.svg": '<svg xmlns="http://www.w3.org/2000/svg"/>',
        "public/robots.txt": "User-agent: *\n",
        "public/assets/my-document.pdf": "not really",
    }
    return npm(folder, "vite@8.4.0", files, "vite", "build")


def astro(folder: Path) -> Path:
    style = "".join(f".light-{number} {{ color: #{number:06} }}\n" for number in range(300))
    files = {
        "src/pages/index.astro": "---\nimport '../style.css'\n---\n<html><head><title>Lights</title></head>"
        "<body><script>import '../script.js'</script></body></html>",
        "src/pages/about.md": "# About\n",
        "src/pages/404.md": "# None\n",
        "src/style.css": style,
        "src/script.js": "".join(f"console.log('light {number}')\n" for number in range(600)),
        "public/robots.txt": "User-agent: *\n",
    }
    return npm(folder, "astro@5.9.4", files, "astro", "build")


@pytest.mark.parametrize(
    ("generate", "hashed", "page"),
    [
        (mkdocs, r"\.[0-9a-f]{8}\.min\.(?:css|js)$", "/about/"),
        (vite, r"^/assets/(?!my-document)", "/"),
        (astro, "^/_astro/", "/about/"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_the_output_of_a_generator_is_served_unchanged(
    generate: Callable[[Path], Path], hashed: str, page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = generate(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert folder_of_site(output.name) == output.name
    files = {f"/{file.relative_to(output).as_posix()}": file for file in output.rglob("*") if file.is_file()}
    kept = {path for path in files if re.search(hashed, path)}
    assert kept, "it has such files"
    with serving(output, tmp_path / "image") as server:
        assert server.ask(page).status == 200
        for path, file in files.items():
            answer = server.ask(quote(path))
            if path == "/404.html":
                assert (answer.status, answer.body) == (404, file.read_bytes())
                assert (server.ask("/missing").status, server.ask("/missing").body) == (404, file.read_bytes())
                continue
            if file.suffix == ".html":
                address = quote(path.removesuffix("index.html").removesuffix(".html"))
                assert (answer.status, answer.headers["Location"]) == (308, address)
                answer = server.ask(address)
            assert (answer.status, answer.body) == (200, file.read_bytes()), path
            assert answer.headers["Content-Type"] == TYPES[file.suffix], path
            assert answer.headers["Cache-Control"] == (YEAR if path in kept else "no-cache"), path
