"""Passwords, with the real engine."""

import bcrypt
import pytest

from tests.plugins.random.conftest import RandomProject

PASSWORD = 'password = random.RandomPassword("password", length=20, special=False)\n'
SHOW = "password.result.apply(lambda result: print('known:', result))\n"


def test_a_password_is_made_once(project: RandomProject) -> None:
    project.declare(PASSWORD)
    assert "2 created" in " ".join(project.up().split())
    project.assert_no_change()
    made = project.password()
    assert len(made["result"]) == 20
    assert made["result"].isalnum()
    assert bcrypt.checkpw(made["result"].encode(), made["bcrypt_hash"].encode())
    assert made["id"] == project.state()["id"] == "none"
    project.up()
    assert project.password() == made


def test_the_state_is_that_of_the_official_plugin(project: RandomProject) -> None:
    project.declare(PASSWORD)
    project.up()
    state = project.state()
    assert state["inputs"] == {"length": 20, "special": False}
    assert {name: value for name, value in state["outputs"].items() if name not in ("result", "bcryptHash")} == {
        "length": 20,
        **dict.fromkeys(("upper", "lower", "number", "numeric"), True),
        "special": False,
        **dict.fromkeys(("minUpper", "minLower", "minNumeric", "minSpecial"), 0),
    }


def test_a_password_and_its_hash_are_secrets_everywhere(project: RandomProject) -> None:
    project.declare(PASSWORD)
    shown = project.preview() + project.up() + project.preview() + project.pulumi("stack", "output", "--json")
    shown += project.pulumi("refresh", "--yes", "--diff") + project.pulumi("stack", "export")
    made = project.password()
    for name in ("result", "bcrypt_hash"):
        assert made[name] not in shown + project.stored()
    outputs = project.state()["outputs"]
    assert "ciphertext" in outputs["result"]
    assert "ciphertext" in outputs["bcryptHash"]


def test_a_refresh_changes_nothing(project: RandomProject) -> None:
    project.declare(PASSWORD)
    project.up()
    before = project.password()
    project.pulumi("refresh", "--yes", "--expect-no-changes")
    assert project.password() == before
    project.assert_no_change()


@pytest.mark.parametrize(
    ("changed", "shown"),
    [
        ("length=21, special=False", "~ length: 20 => 21"),
        ("length=20", "special"),
        ("length=20, special=False, min_upper=1", "minUpper"),
        ("length=20, special=False, numeric=False", "numeric"),
        ('length=20, special=False, override_special="!"', '+ overrideSpecial: "!"'),
        ('length=20, special=False, keepers={"when": "now"}', "+ keepers"),
    ],
)
def test_another_input_makes_another_one(project: RandomProject, changed: str, shown: str) -> None:
    project.declare(PASSWORD)
    project.up()
    before = project.password()["result"]
    project.declare(f'password = random.RandomPassword("password", {changed})')
    preview = project.preview()
    assert "+-random:index/randomPassword:RandomPassword: (replace)" in preview
    assert shown in preview
    project.up()
    assert project.password()["result"] != before
    project.assert_no_change()


def test_another_keeper_makes_another_one(project: RandomProject) -> None:
    project.declare('password = random.RandomPassword("password", length=8, keepers={"when": "now"})')
    project.up()
    before = project.password()["result"]
    project.declare('password = random.RandomPassword("password", length=8, keepers={"when": "then"})')
    assert '~ when: "now" => "then"' in project.preview()
    project.up()
    assert project.password()["result"] != before


def test_saying_what_is_the_default_is_no_change(project: RandomProject) -> None:
    project.declare(PASSWORD)
    project.up()
    project.declare(
        PASSWORD.replace(")", ", upper=True, numeric=True, number=True, min_lower=0, override_special='', keepers={})")
    )
    project.assert_no_change()


def test_the_old_name_of_numeric_counts(project: RandomProject) -> None:
    project.declare(PASSWORD.replace(")", ", number=False)"))
    project.up()
    made = project.password()
    assert made["result"].isalpha()
    assert (made["number"], made["numeric"]) == (False, False)
    project.declare(PASSWORD.replace(")", ", numeric=False)"))
    project.assert_no_change()


def test_a_first_preview_knows_nothing_and_says_so(project: RandomProject) -> None:
    project.declare(PASSWORD, SHOW)
    shown = project.preview()
    assert "+ 2 to create" in shown
    assert "known:" not in shown
    assert "known:" in project.up()


def test_a_replacement_is_unknown_to_what_depends_on_it(project: RandomProject) -> None:
    project.declare(PASSWORD)
    project.up()
    project.declare(PASSWORD.replace("20", "30"), SHOW)
    assert "known:" not in project.preview()


def test_programs_without_default_providers(project: RandomProject) -> None:
    project.pulumi("config", "set", "--path", "pulumi:disable-default-providers[0]", "*")
    project.declare(
        """
        provider = random.Provider("provider")
        password = random.RandomPassword("password", length=8, opts=Options(provider=provider))
        """
    )
    project.up()
    assert len(project.password()["result"]) == 8
    project.assert_no_change()


def test_a_program_imports_a_password(project: RandomProject) -> None:
    project.declare('password = random.RandomPassword("password", length=7, opts=Options(import_="my-word"))')
    assert "1 imported" in " ".join(project.up().split())
    made = project.password()
    assert made["result"] == "my-word"
    assert bcrypt.checkpw(b"my-word", made["bcrypt_hash"].encode())
    assert made["id"] == "none"
    project.declare('password = random.RandomPassword("password", length=7)')
    project.assert_no_change()
    project.declare('password = random.RandomPassword("password", length=8)')
    assert "(replace)" in project.preview()


def test_the_command_line_imports_a_password(project: RandomProject) -> None:
    project.declare()
    project.up()
    words = ("random:index/randomPassword:RandomPassword", "password", "my-word", "--yes", "--generate-code=false")
    project.pulumi("import", *words, "--protect=false")
    assert project.state()["inputs"] == {"length": 7}
    project.declare('password = random.RandomPassword("password", length=7)')
    assert "2 unchanged" in " ".join(project.up().split())
    assert project.password()["result"] == "my-word"


def test_what_another_stack_has_made_can_be_read(project: RandomProject) -> None:
    project.declare('password = random.RandomPassword.get("password", "none", length=7, result="my-word")')
    project.up()
    assert project.password()["result"] == "my-word"
    assert "my-word" not in str(project.state()["outputs"])
    project.assert_no_change()


def test_destroy_leaves_nothing(project: RandomProject) -> None:
    project.declare(PASSWORD)
    project.up()
    project.pulumi("destroy", "--yes", "--skip-preview")
    assert project.resources() == []
