"""The web server of the site against Debian's nginx with the same files: requests a second, and the slowest percent.

Both run in a pod of the same kind without limits of CPU, one pod each, and are asked by wrk: at the pod, from the node;
and through the ingress controller, as visitors do, by an Ingress and by a route of the Gateway API. wrk runs on the
same machine and has its share of the same cores.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from bench import manifests, nginx, pages
from bench.copies import up, wait_for_page
from bench.figures import ratio, summary
from bench.interleaving import interleaved
from bench.session import Session
from embedded.cluster import network
from embedded.cluster.plan import Files

SIZES = {"1 KB": 1 << 10, "1 MB": 1 << 20}
CONNECTIONS = 32
SECONDS = 4
"""Of each measurement: long enough for some hundred requests of the slowest kind."""
SERVERS = ("site", "nginx")
PLACES = ("pod", "ingress", "gateway")
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 60e3}


def measure(session: Session) -> dict[str, dict[str, Any]]:
    """Return requests a second and the 99th percentile, for each server, place, size, plain and with gzip."""
    session.have_stack()
    session.configure("ingress", {"routes": "gateway"})
    up(session.copy.checkout)
    pages.provide(session)
    addresses = {server: _deploy(session, server) for server in SERVERS}
    latencies: dict[str, list[float]] = {}
    cases: dict[str, Callable[[int], float | None]] = {}
    for size in SIZES:
        for encoding in ("identity", "gzip"):
            for place in PLACES:
                for server in SERVERS:
                    case = f"{server}, {place}, {size}, {encoding}"
                    latencies[case] = []
                    asked = addresses[server] if place == "pod" else "127.0.0.1"
                    address = f"http://{asked}{':8080' if place == 'pod' else ''}{path(size)}"
                    command = wrk(address, host(server, place), encoding)
                    inside = place == "pod"
                    cases[case] = partial(_ask, session, command, inside, latencies[case])
    rates = interleaved(cases, session.runs, "requests/s")
    session.remove(f"bench-{server}" for server in SERVERS)
    rows = {case: {"requests_per_second": summary(rates[case]), "p99_ms": summary(latencies[case])} for case in cases}
    return {
        "site": {
            "nginx": nginx.version(),
            "connections": CONNECTIONS,
            "rows": rows,
            "pod_to_nginx": _ratios(rates, "site, pod", "nginx, pod"),
            "pod_to_ingress": _ratios(rates, "site, pod", "site, ingress"),
            "gateway_to_ingress": _ratios(rates, "site, gateway", "site, ingress"),
        }
    }


def _ratios(rates: dict[str, list[float]], these: str, those: str) -> dict[str, float]:
    """Return how often the requests a second of a server at a place are those of another one, or at another."""
    return {
        f"{size}, {encoding}": ratio(rates[f"{these}, {size}, {encoding}"], rates[f"{those}, {size}, {encoding}"])
        for size in SIZES
        for encoding in ("identity", "gzip")
    }


def host(server: str, place: str) -> str:
    """By which host a server is asked for: its Ingress has one of its own."""
    return f"bench-{server}-ingress.localhost" if place == "ingress" else f"bench-{server}.localhost"


def path(size: str) -> str:
    """Where the file of a ``size`` is: ``/bench-1kb.txt``."""
    return f"/bench-{size.replace(' ', '').lower()}.txt"


def text(size: int) -> str:
    """``size`` bytes of words, always the same: they compress as pages do, to about a third."""
    chance = random.Random(size)
    words = ["".join(chance.choices("etaoinshrdlu", k=chance.randint(2, 9))) for _ in range(600)]
    return " ".join(chance.choices(words, k=size // 3))[:size]


def wrk(url: str, host: str, encoding: str) -> list[str]:
    """The command that asks a ``host`` for ``url`` on kept-alive connections."""
    return [
        "wrk", "--threads", "2", "--connections", str(CONNECTIONS), "--duration", f"{SECONDS}s", "--latency",
        "--header", f"Host: {host}", "--header", f"Accept-Encoding: {encoding}", url,
    ]  # fmt: skip


def parsed(output: str) -> tuple[float, float]:
    """Requests a second, and the 99th percentile in milliseconds, of what wrk prints.

    Raises:
        ValueError: Some requests weren't answered as they should.
    """
    if wrong := re.search(r"Non-2xx.*|Socket errors: .*", output):
        raise ValueError(wrong[0])
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    latency = re.search(r"99%\s+([\d.]+)(us|ms|s|m)\b", output)
    if rate is None or latency is None:
        raise ValueError(f"not what wrk prints: {output}")
    return float(rate[1]), round(float(latency[1]) * UNITS[latency[2]], 3)


def _ask(session: Session, command: list[str], inside: bool, latencies: list[float], _turn: int) -> float:
    if inside:
        command = network.run_inside(Files(session.copy.checkout.state), command)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rate, latency = parsed(done.stdout)
    latencies.append(latency)
    return rate


def _ingress(server: str) -> manifests.Manifest:
    """The Ingress of a server beside its route."""
    backend = {"service": {"name": "inspiration", "port": {"name": "http"}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "inspiration", "namespace": f"bench-{server}"},
        "spec": {"ingressClassName": "nginx", "rules": [{"host": host(server, "ingress"), "http": {"paths": paths}}]},
    }


def _deploy(session: Session, server: str) -> str:
    """Deploy a server with the files, and return its pod's address."""
    name = f"bench-{server}"
    folder = session.folder(name)
    public = folder / "public"
    shutil.copytree(session.project / "site", public)
    context = "$pages public"
    if server == "nginx":
        nginx.write_image(folder)
        context = "."
    for size, length in SIZES.items():
        Path(f"{public}{path(size)}").write_text(text(length))
    image = f"localhost:32000/{name}:bench"
    objects = manifests.moved(manifests.of_site(session.objects(), "inspiration"), name, image)
    objects.append(_ingress(server))
    for item in objects:
        if item["kind"] == "Deployment":
            item["spec"]["replicas"] = 1
            item["spec"]["template"]["spec"]["containers"][0]["resources"] = {}
    manifests.write(objects, folder / "objects.yaml")
    session.shell.run(
        f"docker build --quiet --tag {image} {context}\ndocker push --quiet {image}\n"
        f"kubectl apply --filename objects.yaml\nkubectl rollout status deployment/inspiration --namespace {name}",
        folder,
    )
    for place in ("ingress", "gateway"):
        wait_for_page(host=host(server, place))
    return session.shell.run(
        f"kubectl get pods --namespace {name} --output jsonpath='{{.items[0].status.podIP}}'", folder
    ).strip()
