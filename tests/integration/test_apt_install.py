"""The README's first commands on a machine that updates itself: by a real apt-get, whose folders are the test's own."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest

from tests.documents import FOR_USERS, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

LINES = re.findall(r"^(sh \.ci/apt-install [a-z0-9 -]+?)(?: &&|$)", FOR_USERS, flags=re.MULTILINE)
PACKAGES = sorted({package for line in LINES for package in line.split()[2:]})
INSTALLED = (
    "Package: {}\nStatus: install ok installed\nArchitecture: all\nVersion: 1\nMaintainer: a\nDescription: a\n\n"
)
LISTS, DPKG = "lists/lock", "dpkg/lock-frontend"
NOBODY = 65534

pytestmark = [
    pytest.mark.skipif(shutil.which("apt-get") is None, reason="needs apt-get"),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to try as root and as somebody else"),
]


@dataclass(frozen=True)
class Machine:
    """A folder with the script of the README's lines, and with all that apt keeps: what they name is installed."""

    folder: Path

    def waits(self, seconds: int) -> None:
        """Have the script wait for `seconds` in place of 300, and look every second."""
        script = (ROOT / ".ci" / "apt-install").read_text(encoding="utf-8")
        for name, scaled in (("longest=300", f"longest={seconds}"), ("pause=5", "pause=1")):
            script, count = re.subn(rf"^{name}\b", scaled, script, flags=re.MULTILINE)
            assert count == 1
        (self.folder / ".ci").mkdir(exist_ok=True)
        (self.folder / ".ci" / "apt-install").write_text(script, encoding="utf-8")

    def hold(self, lock: str) -> IO[str]:
        """Lock a file as apt does, until it is closed."""
        file = (self.folder / lock).open("a")
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return file

    def start(self, line: str, user: int | None = None) -> subprocess.Popen[str]:
        return subprocess.Popen(
            line.split(),
            cwd=self.folder,
            env={
                "PATH": str(self.folder / "bin"),
                "APT_CONFIG": str(self.folder / "apt.conf"),
                "POSTGRESQL_COMMON": str(self.folder / "postgresql-common"),
            },
            user=user,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, line: str, user: int | None = None) -> tuple[int, str]:
        """Return the exit code and all that was said."""
        with self.start(line, user) as running:
            said = running.communicate()[0]
        return running.returncode, said


@pytest.fixture
def machine() -> Iterator[Machine]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # as somebody else it must be read, too
        for each in ("bin", "cache/archives/partial", "dpkg", "etc/apt.conf.d", "etc/preferences.d", "lists/partial"):
            (folder / each).mkdir(parents=True)
        (folder / "etc" / "sources.list").touch()
        (folder / "dpkg" / "status").write_text("".join(map(INSTALLED.format, PACKAGES)), encoding="utf-8")
        (folder / "apt.conf").write_text(
            f'Dir::State "{name}"; Dir::State::lists "{name}/lists"; Dir::State::status "{name}/dpkg/status";\n'
            f'Dir::Cache "{name}/cache"; Dir::Etc "{name}/etc"; Dir::Log "{name}"; APT::Sandbox::User "root";\n',
            encoding="utf-8",
        )
        for tool in ("apt-get", "dpkg", "env", "id", "mkdir", "sh", "sleep", "tee"):  # and no sudo
            (folder / "bin" / tool).symlink_to(str(shutil.which(tool)))
        found = Machine(folder)
        found.waits(60)
        yield found


def read_until(running: subprocess.Popen[str], words: str) -> str:
    assert running.stdout is not None
    said = ""
    for line in running.stdout:
        said += line
        if words in line:
            return said
    pytest.fail(f"it ended without {words!r}:\n{said}")


def test_all_that_the_readme_installs_goes_by_it() -> None:
    assert [line.split()[2] for line in LINES] == ["python3-venv"] * 4
    assert not re.search(r"apt-get install (?!-y \./dist/|--allow-downgrades)", FOR_USERS), "but for our own package"


@pytest.mark.parametrize("line", LINES)
def test_it_comes_through_when_both_locks_are_let_go(machine: Machine, line: str) -> None:
    lists, dpkg = machine.hold(LISTS), machine.hold(DPKG)
    with machine.start(line) as running, lists, dpkg:
        assert f"lock. It is held by process {os.getpid()} " in read_until(running, "Waiting for it, up to 60 seconds")
        lists.close()
        assert f"lock-frontend. It is held by process {os.getpid()} " in read_until(running, "Waiting for cache lock")
        dpkg.close()
        said = running.communicate()[0]
    assert running.returncode == 0
    assert said.count("is already the newest version") == len(line.split()) - 2


@pytest.mark.parametrize("line", LINES)
def test_postgresql_starts_no_cluster_of_its_own(machine: Machine, line: str) -> None:
    settings = machine.folder / "postgresql-common"
    assert machine.run(line)[0] == 0
    assert settings.exists() == (" postgresql " in f"{line} ")
    if settings.exists():
        (none,) = settings.rglob("*.conf")
        assert none.read_text() == "create_main_cluster = false\n"
        none.unlink()
        (settings / "createcluster.conf").touch()
        assert machine.run(line)[0] == 0
        assert not none.exists(), "one that was there before is left as it is"


def test_it_gives_up_on_the_lists_in_apts_own_words(machine: Machine) -> None:
    machine.waits(2)
    with machine.hold(LISTS):
        code, said = machine.run(LINES[0])
    assert code == 100
    lock = machine.folder / LISTS
    assert re.search(rf"\nE: Could not get lock {lock}\. .+\nE: Unable to lock directory {lock.parent}/\n$", said)
    assert said.count("Could not get lock") == 2  # at first and at last


def test_it_gives_up_on_what_is_installed_in_apts_own_words(machine: Machine) -> None:
    machine.waits(2)
    with machine.hold(DPKG):
        code, said = machine.run(LINES[0])
    assert code == 100
    assert f"\nE: Unable to acquire the dpkg frontend lock ({machine.folder / DPKG})" in said


def test_what_no_waiting_mends_fails_at_once(machine: Machine) -> None:
    (machine.folder / "etc" / "sources.list").write_text("not a source\n", encoding="utf-8")
    code, said = machine.run(LINES[0])
    assert code == 100
    assert said.endswith("E: The list of sources could not be read.\n")
    assert "Waiting" not in said


def test_without_root_and_sudo_it_says_so_at_once(machine: Machine) -> None:
    code, said = machine.run(LINES[0], NOBODY)
    assert code == 100
    assert f"E: Could not open lock file {machine.folder / LISTS} - open (13: Permission denied)" in said
    assert "Waiting" not in said


def test_sudo_is_used_where_it_is_and_is_needed(machine: Machine) -> None:
    sudo = machine.folder / "bin" / "sudo"
    sudo.write_text('#!/bin/sh\necho "by sudo: $*"\n', encoding="utf-8")
    sudo.chmod(0o755)
    code, said = machine.run(LINES[0], NOBODY)
    assert code == 0
    assert said == (
        "by sudo: env LC_ALL=C apt-get update\nby sudo: apt-get -o DPkg::Lock::Timeout=60 install -y python3-venv\n"
    )
    code, said = machine.run(LINES[0])
    assert code == 0
    assert "by sudo" not in said
