"""What `pulumi up` and `pulumi preview` do with a Python program."""

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.plugins.language.project import Project, install_plugins


def test_runs_the_program_with_its_configuration_and_exports(project: Project) -> None:
    project.pulumi("config", "set", "colour", "blue")
    project.pulumi("config", "set", "--secret", "token", "hush")
    project.write("neighbour.py", "NAME = 'found'")
    project.write(
        "__main__.py",
        """
import json, os, pulumi, neighbour
config = pulumi.Config()
pulumi.export("colour", config.require("colour"))
pulumi.export("token", config.require_secret("token"))
pulumi.export("where", {"cwd": os.getcwd(), "project": pulumi.get_project(), "stack": pulumi.get_stack()})
pulumi.export("neighbour", neighbour.NAME)
pulumi.export("root", pulumi.runtime.get_root_directory())
""",
    )
    shown = project.up()
    assert "hush" not in shown
    assert project.outputs() == {
        "colour": "blue",
        "token": "hush",
        "where": {"cwd": str(project.folder), "project": "test", "stack": "dev"},
        "neighbour": "found",
        "root": str(project.folder),
    }
    assert "hush" not in project.pulumi("stack", "export")


def test_a_program_may_be_a_file_that_main_names(project: Project) -> None:
    project.write("Pulumi.yaml", "{name: test, runtime: python, main: src/stack.py}")
    project.write("src/part.py", "VALUE = 3")
    project.write("src/stack.py", "import part, pulumi; pulumi.export('value', part.VALUE)")
    project.up()
    assert project.outputs() == {"value": 3}


def test_preview_tells_the_program_that_it_is_one(project: Project) -> None:
    project.write("__main__.py", "import pulumi; print(f'dry run: {pulumi.runtime.is_dry_run()}')")
    assert "dry run: True" in project.pulumi("preview")
    assert "dry run: False" in project.up()


def test_nothing_changed_is_no_change(project: Project) -> None:
    project.write("__main__.py", "import pulumi; pulumi.export('a', 1)")
    project.up()
    assert "1 unchanged" in project.pulumi("preview", "--expect-no-changes")


def test_output_comes_while_the_program_runs(project: Project) -> None:
    project.write(
        "__main__.py",
        """
import os, pathlib, sys
seen = pathlib.Path("seen")
os.mkfifo(seen)
print("to standard output")
print("to standard error", file=sys.stderr)
seen.read_text()  # until the test has read both lines above
print("after that")
""",
    )
    with subprocess.Popen(
        ["pulumi", "preview", "--non-interactive"],
        cwd=project.folder,
        env=project.variables,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        before = "".join(itertools.takewhile(lambda line: "to standard error" not in line, process.stdout))
        assert "after that" not in before
        (project.folder / "seen").write_text("")
        assert "after that" in process.stdout.read()
    assert process.returncode == 0


@pytest.mark.parametrize(("said", "held"), [(None, "400"), ("50", "50")])
def test_the_engine_and_its_plugins_collect_garbage_late_unless_told_otherwise(
    project: Project, said: str | None, held: str
) -> None:
    project.variables.pop("GOGC", None)
    project.variables |= {"GOGC": said} if said else {}
    project.write("__main__.py", "import os, pulumi\npulumi.export('percent', os.environ['GOGC'])\n")
    project.up()
    assert project.outputs() == {"percent": held}


def test_debug_shows_what_the_sdk_says_in_its_order_and_before_an_error(project: Project) -> None:
    project.write("__main__.py", "import pulumi\npulumi.log.debug('first')\npulumi.log.debug('second')\nint('x')\n")
    shown = project.pulumi("preview", "--debug", fails=True)
    assert shown.index("first\n") < shown.index("second\n") < shown.index("invalid literal for int()")
    assert "run_pulumi_func completed" in shown  # the last of all
    assert "second" not in project.pulumi("preview", fails=True)


@pytest.mark.parametrize(
    "raising",
    ["raise ValueError('no such thing')", "pulumi.Output.from_input(1).apply(lambda _: int('x'))"],
)
def test_an_exception_shows_as_the_users_own_traceback(project: Project, raising: str) -> None:
    project.write("deeper.py", f"import pulumi\n\ndef fail():\n    {raising}\n")
    project.write("__main__.py", "import deeper\n\ndeeper.fail()\n")
    shown = project.up(fails=True)
    assert shown.partition("Diagnostics:")[2].count("Program failed with an unhandled exception:") == 1
    assert f'File "{project.folder}/deeper.py", line 4' in shown
    assert "no such thing" in shown or "invalid literal for int()" in shown
    for ours in ("pulumi_language_python", "program.py", "runpy", "run_in_stack", "asyncio"):
        assert ours not in shown
    assert "unhandled error occurred" not in shown


@pytest.mark.parametrize("where", ["elsewhere", "in the project"])
def test_the_traceback_starts_in_the_program(project: Project, where: str) -> None:
    if where == "in the project":  # as script/up has it
        (folder := project.folder / ".state").mkdir()
        project.variables |= install_plugins(folder)
        project.pulumi("stack", "select", "dev")
    project.write("__main__.py", "def fail():\n    1 / 0\n\nfail()\n")
    shown = project.pulumi("preview", fails=True)
    traceback = shown[shown.index("Traceback") :]
    assert traceback.splitlines()[1].strip() == f'File "{project.folder}/__main__.py", line 4, in <module>'
    assert "ZeroDivisionError: division by zero" in traceback


def test_the_state_says_where_the_program_declares_a_resource_and_no_more(project: Project) -> None:
    """Of a resource that is declared when an output is known, too, of which the SDK's loop calls the function."""
    project.write(
        "parts.py",
        """
import pulumi

class Part(pulumi.ComponentResource):
    def __init__(self, name):
        super().__init__("test:index:Part", name)
""",
    )
    project.write(
        "__main__.py",
        """
import pulumi, parts
first = parts.Part("first")
first.urn.apply(lambda _: parts.Part("second"))
""",
    )
    project.up()
    traces = {each["urn"].rpartition("::")[2]: each.get("stackTrace") for each in project.resources()}
    assert traces["first"] == [{"sourcePosition": "project:///__main__.py#3"}]
    assert traces["second"] == [{"sourcePosition": "project:///__main__.py#4"}]


def test_a_syntax_error_shows_just_its_place(project: Project) -> None:
    project.write("__main__.py", "import pulumi\nx = (\n")
    shown = project.pulumi("preview", fails=True)
    assert f'File "{project.folder}/__main__.py", line 2' in shown
    assert "SyntaxError: '(' was never closed" in shown
    assert "Traceback" not in shown


def test_a_run_error_shows_its_message_only(project: Project) -> None:
    project.write("__main__.py", "import pulumi\nraise pulumi.RunError('sites[0].host: is missing; set it')")
    shown = project.pulumi("preview", fails=True)
    assert "error: sites[0].host: is missing; set it" in shown
    assert "Traceback" not in shown
    assert "exit code" not in shown


@pytest.mark.parametrize(
    ("argument", "expected"),
    [("3", "Program exited with non-zero exit code: 3"), ("'set the host'", "error: set the host")],
)
def test_an_exit_fails_the_run(project: Project, argument: str, expected: str) -> None:
    project.write("__main__.py", f"import sys; sys.exit({argument})")
    assert expected in project.pulumi("preview", fails=True)


@pytest.mark.parametrize("argument", ["", "0", "None"])
def test_an_exit_with_zero_is_an_end(project: Project, argument: str) -> None:
    project.write("__main__.py", f"import pulumi, sys; pulumi.export('a', 1); sys.exit({argument})")
    project.up()
    assert project.outputs() == {"a": 1}


def test_a_crash_names_the_signal(project: Project) -> None:
    project.write("__main__.py", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert "Program was ended by signal 9" in project.pulumi("preview", fails=True)


def test_a_missing_program_is_named(project: Project) -> None:
    shown = project.pulumi("preview", fails=True)
    assert f"error: there is no __main__.py in {project.folder}; create it, or set `main` in Pulumi.yaml" in shown


def test_interrupting_leaves_no_traceback_and_no_process(project: Project) -> None:
    project.write(
        "__main__.py",
        """
import os, pathlib, subprocess, threading
child = subprocess.Popen(["sleep", "600"])
pathlib.Path("pids.part").write_text(f"{os.getpid()} {os.getppid()} {child.pid}")
os.rename("pids.part", "pids")
threading.Event().wait()
""",
    )
    process = subprocess.Popen(
        ["pulumi", "preview", "--non-interactive"],
        cwd=project.folder,
        env=project.variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    pids = project.folder / "pids"
    while not pids.exists():
        assert process.poll() is None
        time.sleep(0.02)
    started = [psutil.Process(int(pid)) for pid in pids.read_text().split()]
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    shown, _ = process.communicate()
    assert process.returncode != 0
    assert "Traceback" not in shown
    _, alive = psutil.wait_procs(started, timeout=30)
    assert alive == []


def test_nothing_is_left_when_the_engine_is_killed(project: Project) -> None:
    project.write(
        "__main__.py",
        """
import os, pathlib, threading
pathlib.Path("pids.part").write_text(f"{os.getpid()} {os.getppid()}")
os.rename("pids.part", "pids")
threading.Event().wait()
""",
    )
    process = subprocess.Popen(
        ["pulumi", "preview", "--non-interactive"], cwd=project.folder, env=project.variables, stdout=subprocess.DEVNULL
    )
    pids = project.folder / "pids"
    while not pids.exists():
        assert process.poll() is None
        time.sleep(0.02)
    started = [psutil.Process(int(pid)) for pid in pids.read_text().split()]
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(started, timeout=30)
    assert alive == []


def test_config_is_neither_in_the_environment_nor_on_a_command_line(project: Project) -> None:
    project.pulumi("config", "set", "--secret", "token", "hush-hush")
    project.write(
        "__main__.py",
        """
import os, pathlib
for pid in (os.getpid(), os.getppid()):
    for name in ("environ", "cmdline"):
        assert b"hush-hush" not in pathlib.Path(f"/proc/{pid}/{name}").read_bytes()
""",
    )
    project.up()


def test_stack_may_be_started_from_any_folder(project: Project, tmp_path: Path) -> None:
    project.write("__main__.py", "import os, pulumi; pulumi.export('cwd', os.getcwd())")
    subprocess.run(
        ["pulumi", "up", "--yes", "--skip-preview", "--cwd", str(project.folder), "--non-interactive"],
        cwd=tmp_path,
        env=project.variables,
        check=True,
        capture_output=True,
    )
    assert project.outputs() == {"cwd": str(project.folder)}


def test_programs_find_the_environments_commands(project: Project) -> None:
    project.write("__main__.py", "import os, pulumi; pulumi.export('path', os.environ['PATH'].split(':')[0])")
    project.up()
    assert project.outputs() == {"path": os.path.dirname(sys.executable)}  # noqa: PTH120
