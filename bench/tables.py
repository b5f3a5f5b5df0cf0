"""The results as Markdown: a table for each subject, and one of the goals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from bench.published import FIGURES

Result = Mapping[str, Any]


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of Markdown; what isn't in the first column is set to the right."""
    lines = [head, ["---", *("---:" for _ in head[1:])], *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def seconds(value: float) -> str:
    """As people read it: two digits that count."""
    return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"


def of_edit(result: Result) -> str:
    """Each way with its median and range, and its ratio to the floor."""
    ratios = {**result["ratio_to_floor"]}
    rows = [
        (way, seconds(found["median"]), _range(found), f"{ratios[way]:.2f}" if way in ratios else "1")
        for way, found in _by_median(result["seconds"])
    ]
    return table(["edit a page → it is served", "median", "range", "× the floor"], rows)


def of_preview(result: Result) -> str:
    """Each tool with its median, and what that is for each object."""
    objects = result["objects"]
    rows = [
        (way, seconds(found["median"]), _range(found), f"{found['median'] / objects * 1000:.0f} ms")
        for way, found in _by_median(result["seconds"])
    ]
    return table([f"nothing changed, {objects} objects", "median", "range", "an object"], rows)


def of_lifecycle(results: Mapping[str, Result]) -> str:
    """There and back, by Pulumi and by kubectl."""
    parts = ("first-up", "first deployment"), ("destroy", "removal")
    rows = [_to_kubectl(what, results[subject]) for subject, what in parts if subject in results]
    return table(["full stack", "Pulumi", "kubectl", "ratio"], rows)


def of_removal(result: Result) -> str:
    """Many sites, by Pulumi and by kubectl."""
    what = f"removal of {result['resources']} resources, {result['objects']} objects"
    return table([f"{result['sites']} sites", "Pulumi", "kubectl", "ratio"], [_to_kubectl(what, result)])


def _to_kubectl(what: str, result: Result) -> tuple[str, ...]:
    pulumi, kubectl = (seconds(result["seconds"][way]["median"]) for way in ("pulumi", "kubectl"))
    return what, pulumi, kubectl, f"{result['ratio']:.2f}"


def of_growth(result: Result) -> str:
    """A row for each number of sites."""
    rows = [
        (
            row["sites"],
            row["resources"],
            seconds(row["up"]),
            row["made"],
            seconds(row["preview"]["median"]),
            seconds(row["change"]["median"]),
        )
        for row in result["rows"]
    ]
    return table(["sites", "resources", "`up` from the row above", "makes", "preview", "one site changed"], rows)


PLACES = {"pod": "at the pod", "ingress": "by an Ingress", "gateway": "by a route"}
"""Where the servers are asked, and how a reader is told."""


def of_site(result: Result) -> str:
    """Requests a second and the slowest percent, of both servers in both places."""
    rows = []
    for size in ("1 KB", "1 MB"):
        for encoding in ("identity", "gzip"):
            for place, where in PLACES.items():
                cases = [f"{server}, {place}, {size}, {encoding}" for server in ("site", "nginx")]
                found = [result["rows"][case] for case in cases]
                rates = [f"{each['requests_per_second']['median']:,.0f}" for each in found]
                latencies = [f"{each['p99_ms']['median']:.1f} ms" for each in found]
                how = "gzip" if encoding == "gzip" else "plain"
                rows.append((f"{size}, {how}, {where}", *rates, *latencies))
    return table(["", "site, requests/s", "nginx, requests/s", "site, p99", "nginx, p99"], rows)


def of_embedded(result: Result) -> str:
    """What was measured here, then what others publish."""
    found = {
        name: result[name]["median"] for name in result if isinstance(result[name], dict) and "median" in result[name]
    }
    rows: list[Sequence[object]] = [
        ("here", "from no cluster to a node that is Ready", seconds(found["node_ready"]), ""),
        ("here", "from no cluster to the served page", seconds(found["page"]), ""),
        ("here", "`script/up` again", seconds(found["again"]), ""),
        ("here", "memory (PSS) of the idle cluster without its pods", f"{found['cluster_mib']:.0f} MiB", ""),
        ("here", "memory (PSS) of its pods", f"{found['pods_mib']:.0f} MiB", ""),
        ("here", "processor, idle, without its pods", f"{found['cluster_cores'] * 100:.0f} % of a core", ""),
        ("here", "processor of its pods", f"{found['pods_cores'] * 100:.0f} % of a core", ""),
        *((each.of, each.what, each.figure, f"[source]({each.source})") for each in FIGURES),
    ]
    return table(["", "what", "figure", ""], rows)


def of_cold(result: Result) -> str:
    """Each stage, when it began, and its share of the whole."""
    whole = result["seconds"]
    rows = [
        (title, f"{begin:.0f} s", f"{end - begin:.0f} s", f"{(end - begin) / whole:.0%}")
        for title, (begin, end) in sorted(result["stages"].items(), key=lambda item: item[1][0])
    ]
    return table([f"the first `script/up`, {whole:.0f} s", "begins at", "takes", "share"], rows)


def of_profile(result: Result) -> str:
    """The processes of each command."""
    parts = []
    for name, found in result["commands"].items():
        spent = sum(each["processor"] for each in found["processes"])
        rows = [
            (each["process"], seconds(each["began"]), seconds(each["ended"]), seconds(each["processor"]))
            for each in found["processes"]
        ]
        what = f"{name}: {seconds(found['seconds'])}, {seconds(spent)} of the processor"
        parts.append(table([what, "from", "to", "processor"], rows))
    return "\n".join(parts)


def of_soak(result: Result) -> str:
    """What became of the requests in each event."""
    rows = [(event, found["times"], found["requests"], found["failed"]) for event, found in result["events"].items()]
    return table(["event", "times", "requests", "failed"], rows)


def of_nodes(result: Result) -> str:
    """What it took before and with the simulated nodes."""
    before, after = result["before"], result["with"]
    rows: list[Sequence[object]] = [
        (what, seconds(before[name]["median"]), seconds(after[name]["median"]))
        for name, what in (
            ("facts", "the program reads its facts"),
            ("status", "`script/up --status`"),
            ("preview", "`pulumi preview`, nothing changed"),
        )
    ]
    rows += [
        (f"{name}, {what}", *(show(found["programs"][name]) for found in (before, after)))
        for name in before["programs"]
        for what, show in (("memory (PSS)", _memory), ("processor, idle", _processor))
    ]
    return table(["", "one node", f"and {result['nodes']:,} simulated ones with {result['pods']:,} pods"], rows)


def _memory(program: Mapping[str, float]) -> str:
    return f"{program['mib']:.0f} MiB"


def _processor(program: Mapping[str, float]) -> str:
    return f"{program['cores'] * 100:.1f} % of a core"


def of_goals(results: Mapping[str, Result]) -> str:
    """Each goal with what was measured, as far as there are results."""
    rows = [
        (what, goal, shown, "yes" if met else "**no**")
        for what, goal, measured in GOALS
        for shown, met in _measured(measured, results)
    ]
    return table(["what", "goal", "measured", "met"], rows) if rows else "Nothing measured yet.\n"


def _measured(
    ask: Callable[[Mapping[str, Result]], tuple[str, bool]], results: Mapping[str, Result]
) -> list[tuple[str, bool]]:
    try:
        return [ask(results)]
    except KeyError:  # that subject wasn't measured yet
        return []


def _ratio(value: float, at_most: float) -> tuple[str, bool]:
    return f"{value:.2f} ×", value <= at_most


def _at_most(value: float, limit: float, unit: str) -> tuple[str, bool]:
    return f"{value:.1f} {unit}", value <= limit


def _most(results: Mapping[str, Result]) -> Result:
    """The row of the most sites."""
    row: Result = results["growth"]["rows"][-1]
    return row


def _preview(results: Mapping[str, Result]) -> tuple[str, bool]:
    median = results["preview"]["seconds"]["pulumi preview"]["median"]
    return seconds(median), median <= 1.5


def _worst(values: Iterable[float], at_least: float) -> tuple[str, bool]:
    worst = min(values)
    return f"{worst:.2f} × at least", worst >= at_least


GOALS: Sequence[tuple[str, str, Callable[[Mapping[str, Result]], tuple[str, bool]]]] = (
    (
        "edit a page → served, to the bare commands", "≤ 2 ×",
        lambda results: _ratio(results["edit"]["ratio_to_floor"]["pulumi up"], 2),
    ),
    ("the same, to Helm", "< 1 ×", lambda results: _ratio(results["edit"]["pulumi_to"]["helm upgrade"], 1)),
    ("the same, to Helmfile", "< 1 ×", lambda results: _ratio(results["edit"]["pulumi_to"]["helmfile sync"], 1)),
    ("preview without changes", "≤ 1.5 s", _preview),
    (
        "the same, to Helmfile", "< 1 ×",
        lambda results: _ratio(results["preview"]["pulumi_to"]["helmfile template, kubectl diff"], 1),
    ),
    ("the same, to OpenTofu", "< 1 ×", lambda results: _ratio(results["preview"]["pulumi_to"]["tofu plan"], 1)),
    ("first `up`, to kubectl", "≤ 1.5 ×", lambda results: _ratio(results["first-up"]["ratio"], 1.5)),
    ("`destroy`, to kubectl", "≤ 1.3 ×", lambda results: _ratio(results["destroy"]["ratio"], 1.3)),
    ("`destroy` of 50 sites, to kubectl", "≤ 1.3 ×", lambda results: _ratio(results["removal"]["ratio"], 1.3)),
    (
        "a resource more in a preview", "≤ 25 ms",
        lambda results: (
            f"{results['growth']['preview_ms_per_resource']:.1f} ms",
            results["growth"]["preview_ms_per_resource"] <= 25,
        ),
    ),
    (
        "a preview of the most sites", "≤ 15 s",
        lambda results: _at_most(_most(results)["preview"]["median"], 15, "s"),
    ),
    (
        "one site changed among them, to that preview", "≤ 1.2 ×",
        lambda results: _ratio(_most(results)["change"]["median"] / _most(results)["preview"]["median"], 1.2),
    ),
    ("`up` to the most sites from the row above", "≤ 180 s", lambda results: _at_most(_most(results)["up"], 180, "s")),
    (
        "no cluster → page, to kind's and k3s' answering pod", "≤ 22 s",
        lambda results: _at_most(results["embedded"]["page"]["median"], 22, "s"),
    ),
    ("the first `script/up`", "≤ 12 min", lambda results: _at_most(results["cold"]["seconds"] / 60, 12, "min")),
    ("`script/up` again", "≤ 3 s", lambda results: _at_most(results["embedded"]["again"]["median"], 3, "s")),
    (
        "memory of the idle cluster", "≤ 450 MiB",
        lambda results: _at_most(results["embedded"]["cluster_mib"]["median"], 450, "MiB"),
    ),
    (
        "memory of its pods", "≤ 320 MiB",
        lambda results: _at_most(results["embedded"]["pods_mib"]["median"], 320, "MiB"),
    ),
    (
        "processor of the idle cluster", "≤ 5 % of a core",
        lambda results: _at_most(results["embedded"]["cluster_cores"]["median"] * 100, 5, "%"),
    ),
    (
        "web server to nginx, requests/s at the pod", "≥ 1 ×",
        lambda results: _worst(results["site"]["pod_to_nginx"].values(), 1),
    ),
    (
        "by a route to by an Ingress, requests/s for 1 KB", "≥ 2 ×",
        lambda results: _worst(
            [each for case, each in results["site"]["gateway_to_ingress"].items() if "1 KB" in case], 2
        ),
    ),
    (
        "at the pod to through the ingress, requests/s", "≤ 2 ×",
        lambda results: _ratio(max(results["site"]["pod_to_ingress"].values()), 2),
    ),
)  # fmt: skip


def _range(found: Mapping[str, float]) -> str:
    return f"{found['min']:.2f} to {found['max']:.2f}"


def _by_median(found: Mapping[str, Mapping[str, float]]) -> list[tuple[str, Mapping[str, float]]]:
    return sorted(found.items(), key=lambda item: item[1]["median"])
