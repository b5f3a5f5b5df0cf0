"""What docs/troubleshooting.md quotes is said by the program; or by Pulumi or Kubernetes, as a test expects it."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.pages import PROJECT

PAGE = PROJECT / "docs" / "troubleshooting.md"
FOLDERS = ("components", "embedded", "settings")

OF_OTHERS = {
    "failed to fully initialize or become live": "faults/test_unready.py",
    "ErrImagePull": "faults/test_registry.py",
    "ImagePullBackOff": "faults/test_registry.py",
    "the stack is currently locked by 1 lock(s)": "faults/test_interrupted.py",
    "certificate has expired or is not yet valid": "faults/test_surroundings.py",
    "configured Kubernetes cluster is unreachable": "faults/test_lost.py",
}
"""What Pulumi or Kubernetes says, with the test that expects it of them."""


def quoted() -> list[str]:
    """The errors in the first cells of the table: all that is in backquotes there."""
    section = PAGE.read_text().partition("\n## Errors\n")[2].partition("\n## ")[0]
    cells = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    return [error for cell in cells for error in re.findall(r"`([^`]+)`", cell)]


def texts(source: str) -> Iterator[str]:
    """Yield each string of a program but its docstrings, with ``…`` for what is filled in."""
    tree = ast.parse(source)
    passed_over = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = [str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values]
            yield re.sub("…+", "…", "".join(parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in passed_over:
            yield node.value


@pytest.fixture(scope="module")
def said() -> list[str]:
    """Each string of the program."""
    files = [file for folder in FOLDERS for file in sorted((PROJECT / folder).rglob("*.py"))]
    return [text for file in files for text in texts(file.read_text())]


def test_there_are_some() -> None:
    assert len(quoted()) > 10
    assert OF_OTHERS.keys() <= set(quoted())


@pytest.mark.parametrize("error", [error for error in quoted() if error not in OF_OTHERS])
def test_the_program_says_it(error: str, said: list[str]) -> None:
    assert any(error in text for text in said)


@pytest.mark.parametrize("error", OF_OTHERS)
def test_a_test_expects_it_of_others(error: str, said: list[str]) -> None:
    assert any(error in text for text in texts((PROJECT / "tests" / OF_OTHERS[error]).read_text()))
    assert not any(error in text for text in said), "the program itself says it"


def test_strings_are_found_whole_and_without_docstrings() -> None:
    source = '''
def f(port):
    """Say that it is held."""
    raise Failure(
        f"port {port} is held "
        f"by {holder(port)}{more}: stop it", fix="nothing"
    )
'''
    found = list(texts(source))
    assert "port … is held by …: stop it" in found
    assert "nothing" in found
    assert not any("Say that" in text for text in found)
