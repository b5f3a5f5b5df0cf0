"""Every command that the pages for users name is run by a test, or it is said why not."""

import ast
import re
from pathlib import Path

import pytest

from tests.page_commands import ELSEWHERE, NOT_RUN, OWN, SETS, SHOWS, STATUS, STUCK, UNSET
from tests.pages import PAGES, PROJECT, commands, is_command, label, script_with, scripts

TESTS = PROJECT / "tests"
SHARED = "".join((TESTS / name).read_text() for name in ("checkout.py", "conftest.py"))
"""What tests call to run ``pulumi`` and the scripts."""


def named() -> list[str]:
    return list(dict.fromkeys(label(command) for page in PAGES for command in commands(page.read_text())))


def accounted() -> list[str]:
    return [*SHOWS, *SETS, *OWN, STATUS, STUCK, UNSET, *ELSEWHERE, *NOT_RUN]


def test_every_command_is_accounted_for() -> None:
    assert [command for command in named() if command not in accounted()] == [], "add them to tests/page_commands.py"


def test_nothing_is_accounted_for_that_no_page_names() -> None:
    assert [command for command in accounted() if command not in named()] == []


def test_each_is_accounted_for_once() -> None:
    assert len(set(accounted())) == len(accounted())


@pytest.mark.parametrize("command", ELSEWHERE)
def test_the_test_that_is_named_runs_the_command(command: str) -> None:
    """It is in a block that the test's module takes from a page, or the module has the words of it."""
    file, name = ELSEWHERE[command].test.split("::")
    source = (TESTS / file).read_text()
    module = ast.parse(source)
    assert name in {node.name for node in module.body if isinstance(node, ast.FunctionDef)}
    if taken := taken_from_pages(module):
        assert command in taken
    else:
        words = ELSEWHERE[command].words or words_of(command)
        assert [word for word in words if word not in source + SHARED] == []


def taken_from_pages(module: ast.Module) -> list[str]:
    """The labels of the commands in the blocks that a module gets by ``script_with``."""
    calls = [node for node in ast.walk(module) if isinstance(node, ast.Call)]
    given = [call.args for call in calls if isinstance(call.func, ast.Name) and call.func.id == script_with.__name__]
    blocks = [script_with(*(ast.literal_eval(argument) for argument in arguments)) for arguments in given]
    return [label(command) for block in blocks for command in commands(f"```sh\n{block}```\n")]


def test_what_a_module_takes_from_a_page_is_found() -> None:
    module = ast.parse(
        "A = f\"{script_with('docs/access.md', 'openssl')}more\"\nB = other('docs/access.md', 'umask')\n"
    )
    assert taken_from_pages(module)[-2:] == [
        "kubectl wait --for=jsonpath='{.status.certificate}' csr/alice --timeout=60s",
        "kubectl get csr alice -o jsonpath='{.status.certificate}' | base64 -d > alice.crt",
    ]


def words_of(command: str) -> list[str]:
    """The words of a command, without those that stand for something."""
    return [word for word in re.findall(r"[\w./-]+", command) if not word.isupper()]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Run `script/up`, then `pulumi`.\n", ["script/up"]),
        ("`A_1=true pulumi up`, `pulumi up`, again `pulumi up`", ["A_1=true pulumi up", "pulumi up"]),
        ("`kubectl create token …` and `addons.dns`", []),
        ("| `kubectl top` | `.venv/bin/python -m docs.graph` |", ["kubectl top", ".venv/bin/python -m docs.graph"]),
        ("```sh\na b \\\n  c\nd\n```\n`pulumi up`", ["a b c", "d", "pulumi up"]),
        ("```sh\na - <<END\nkind: X\nEND\nd\n```\n", ["a - <<END\nkind: X\nEND", "d"]),
    ],
)
def test_commands_are_found(text: str, expected: list[str]) -> None:
    assert commands(text) == expected


def test_a_block_of_another_language_is_not_passed_over() -> None:
    with pytest.raises(ValueError, match="bash"):
        scripts("```bash\nscript/up\n```\n")


@pytest.mark.parametrize("path", sorted(path.name for path in (PROJECT / "script").iterdir()))
def test_a_script_is_a_command(path: str) -> None:
    assert is_command(f"{Path('script') / path}")
