"""The page that is made from results."""

from __future__ import annotations

import re

import pytest

from bench import nodes, report, results, tables, web
from bench.copies import stages
from bench.growth import figures, sites
from bench.machine import processor
from bench.nginx import libraries
from bench.profile import named

MACHINE = {"machine": {"cores": 2, "processor": "Some", "memory_gib": 24, "kernel": "6.1"}, "date": "2026-11-26"}


def edit(pulumi: float) -> dict[str, object]:
    return {
        **MACHINE,
        "tools": {"Helm": "4.3.1"},
        "seconds": {
            "pulumi up": {"min": 2.0, "median": 3 * pulumi, "max": 4.0, "runs": 5},
            "docker and kubectl": {"min": 2.5, "median": 3.0, "max": 3.5, "runs": 5},
        },
        "ratio_to_floor": {"pulumi up": pulumi},
        "pulumi_to": {"helm upgrade": pulumi, "helmfile sync": pulumi},
    }


def test_the_page_is_what_the_results_say() -> None:
    page = report.PAGE.read_text()
    assert report.updated(page, results.read()) == page, "run script/bench report"


def test_each_subject_has_its_place_on_the_page() -> None:
    placed = set(re.findall(r"<!-- bench ([a-z-]+):", report.PAGE.read_text()))
    assert placed == set(report.generated({}))


def test_a_table_stands_between_its_comments_and_nothing_else_is_touched() -> None:
    page = "before\n<!-- bench edit: made by script/bench report -->\nold\n<!-- end of bench -->\nafter\n"
    made = report.updated(page, {"edit": edit(1.5)})
    assert made.startswith("before\n<!-- bench edit: made by script/bench report -->\n\n| edit a page")
    assert "Linux 6.1; Helm 4.3.1.\n\n![Seconds " in made
    assert made.endswith("(bench/edit.svg)\n\n<!-- end of bench -->\nafter\n")
    assert "old" not in made
    assert report.updated(made, {"edit": edit(1.5)}) == made


def test_what_wasnt_measured_says_how_it_is() -> None:
    assert report.generated({})["cold"] == "Not measured yet: `script/bench cold`.\n"


def test_a_place_for_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="'edits'; there are: edit, "):
        report.updated("<!-- bench edits: made by script/bench report -->\n<!-- end of bench -->", {})
    with pytest.raises(ValueError, match="needs an <!-- end of bench -->"):
        report.updated("<!-- bench edit: made by script/bench report -->\n", {})


def test_the_fastest_comes_first() -> None:
    assert tables.of_edit(edit(1.5)).splitlines()[2:] == [
        "| docker and kubectl | 3.00 s | 2.50 to 3.50 | 1 |",
        "| pulumi up | 4.50 s | 2.00 to 4.00 | 1.50 |",
    ]


def test_a_goal_that_is_missed_is_said_to_be() -> None:
    met, missed = tables.of_goals({"edit": edit(0.9)}), tables.of_goals({"edit": edit(2.1)})
    assert "| 0.90 × | yes |" in met and "**no**" not in met
    assert "| edit a page → served, to the bare commands | ≤ 2 × | 2.10 × | **no** |" in missed
    assert len(met.splitlines()) == 5, "what wasn't measured isn't there"


def test_without_a_result_that_has_a_goal_there_is_no_table_of_them() -> None:
    assert tables.of_goals({}) == tables.of_goals({"soak": MACHINE}) == "Nothing measured yet.\n"


def test_stages_are_read_from_what_script_up_prints() -> None:
    said = [
        (0.1, "▸ Kubernetes 1.37.2"),
        (0.2, "▸ Pulumi 3.259.0"),
        (30.0, "  Kubernetes 1.37.2  5 of 7 packages, x  30.0 s"),
        (60.0, "✓ Pulumi 3.259.0  built  59.8 s"),
        (90.0, "✓ Kubernetes 1.37.2  built  1 min 30 s"),
        (91.0, "▸ pulumi up"),
        (92.0, "+ something"),
        (95.0, "✓ pulumi up  4.0 s"),
    ]
    assert stages(said) == {
        "Pulumi 3.259.0": (0.2, 60.0),
        "Kubernetes 1.37.2": (0.1, 90.0),
        "pulumi up": (91.0, 95.0),
    }


def test_what_wrk_prints_is_understood() -> None:
    output = "  Latency Distribution\n     50%    1.20ms\n     99%  950.00us\n  9 requests\nRequests/sec:  12345.67\n"
    assert web.parsed(output) == (12345.67, 0.95)
    with pytest.raises(ValueError, match="Non-2xx or 3xx responses: 7"):
        web.parsed(output + "  Non-2xx or 3xx responses: 7\n")
    with pytest.raises(ValueError, match="timeout 3"):
        web.parsed(output + "  Socket errors: connect 0, read 0, write 0, timeout 3\n")


@pytest.mark.parametrize("size", web.SIZES.values())
def test_the_files_are_as_long_as_they_say_and_always_the_same(size: int) -> None:
    assert len(web.text(size)) == size
    assert web.text(size) == web.text(size)


def test_libraries_are_read_from_ldd() -> None:
    said = (
        "\tlinux-vdso.so.1 (0x00007ffd)\n"
        "\tlibz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x00007f)\n"
        "\t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n"
    )
    assert [str(path) for path in libraries(said)] == [
        "/lib/x86_64-linux-gnu/libz.so.1",
        "/lib64/ld-linux-x86-64.so.2",
    ]


def test_growth_is_a_slope_and_a_ratio() -> None:
    rows = [
        {"resources": 80, "preview": {"median": 2.0}, "change": {"median": 4.0}},
        {"resources": 180, "preview": {"median": 3.0}, "change": {"median": 6.0}},
    ]
    assert figures(rows) == {"change_ratio": 1.5, "preview_ms_per_resource": 10.0}


def test_only_the_last_of_many_sites_changes() -> None:
    before, after = sites(3, "image"), sites(3, "image", memory="129Mi")
    assert [site["name"] for site in before] == ["site-001", "site-002", "site-003"]
    assert before[:2] == after[:2]
    assert before[2] != after[2]


def test_the_processor_is_named_where_the_machine_tells() -> None:
    assert processor("processor: 0\nmodel name\t: Some CPU @ 2 GHz\n") == "Some CPU @ 2 GHz"
    assert processor("")


def test_processes_are_told_apart_by_their_command_lines() -> None:
    host = ["/x/.venv/bin/python", "-u", "/x/pulumi-home/language-python-071ce5e0a136eb85", "127.0.0.1:1"]
    plugin = ["/x/.venv/bin/python", "-I", "/x/plugins/resource-tls-v5.6.2", "127.0.0.1:1"]
    assert named(["/x/bin/pulumi", "preview", "--diff"]) == "pulumi preview"
    assert named(host, ["/x/bin/pulumi", "preview"]) == "language host"
    assert named(host, host) == "program"
    assert named(plugin, ["/x/bin/pulumi", "preview"]) == "plugin tls"
    forks = ["/x/.venv/bin/python", "-I", "-c", "…", "/x/pulumi-home/language-python-071ce5e0a136eb85",
             "pulumi_language_python.language.forks", "127.0.0.1:1"]  # fmt: skip
    assert named(forks, host) == "forks"
    assert named(forks, forks) == "plugin"
    assert named(["/usr/bin/git", "status"]) == "git"


def test_simulated_nodes_stand_beside_none() -> None:
    def found(seconds: float, mib: float) -> dict[str, object]:
        programs = {"traefik": {"mib": mib, "cores": mib / 1000}}
        return {"programs": programs, **{name: {"median": seconds} for name in ("facts", "status", "preview")}}

    table = tables.of_nodes({"nodes": 500, "pods": 2000, "before": found(0.5, 40), "with": found(12, 60.4)})
    assert table.splitlines() == [
        "|  | one node | and 500 simulated ones with 2,000 pods |",
        "| --- | ---: | ---: |",
        "| the program reads its facts | 0.50 s | 12.0 s |",
        "| `script/up --status` | 0.50 s | 12.0 s |",
        "| `pulumi preview`, nothing changed | 0.50 s | 12.0 s |",
        "| traefik, memory (PSS) | 40 MiB | 60 MiB |",
        "| traefik, processor, idle | 4.0 % of a core | 6.0 % of a core |",
    ]


def test_simulated_nodes_and_pods_are_as_many_as_they_should_be() -> None:
    made = nodes.nodes()
    assert len({each["metadata"]["name"] for each in made}) == nodes.NODES
    assert len({each["status"]["addresses"][0]["address"] for each in made}) == nodes.NODES
    replicas = [each["spec"]["replicas"] for each in nodes.pods() if each["kind"] == "Deployment"]
    assert sum(replicas) == nodes.PODS
