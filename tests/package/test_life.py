"""A package from its installation to its purge, in a real systemd, with jobs that must each be made once."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tests.documents import OPERATING
from tests.integration.boot_systemd import Booted, boot, reason_not_to_boot
from tests.integration.test_operating import BLOCKS
from tests.integration.test_systemd_boot import CREATED
from tests.package import QUICK, ROOT, TIME, asked, build, change, copy_of_the_project
from tests.support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REASON = reason_not_to_boot()
pytestmark = pytest.mark.skipif(REASON is not None, reason=REASON or "")

KEY = "k3y"
DEBS = "/opt/debs"
LEDGER = "/var/lib/playment-agent/ledger.db"
SETTINGS = """\
# what a person wrote here stays
PLAYMENT_PROJECT_ID=p1
PLAYMENT_TAG=car
PLAYMENT_BASE_URL=http://127.0.0.1:8801
PUBLISH_TO=http://127.0.0.1:8802/
SETTLE_SECONDS=0.2
"""
NUMBERS = count(1)


@pytest.fixture(scope="module")
def debs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build this version, one whose ledger is newer, and one that cannot be unpacked."""
    folder = tmp_path_factory.mktemp("debs")
    old = copy_of_the_project(folder / "old")
    build(old, folder / "of old", QUICK)
    new = copy_of_the_project(folder / "new")
    change(new / "pyproject.toml", r'^version = ".*?"', 'version = "9.0.0"')
    change(new / "agent/__init__.py", r'^__version__ = ".*?"', '__version__ = "9.0.0"')
    step = "def m999_newer(connection):\n    connection.execute('create table newer (n)')\n\n\n"
    change(new / "agent/ledger/migrations.py", r"^(MIGRATIONS: .*?)^\)", step + r"\1    m999_newer,\n)")
    build(new, folder / "of new", QUICK)
    shutil.copytree(folder / "of old", folder / "dist")
    for version in ("old", "new"):
        for deb in (folder / f"of {version}").glob("*.deb"):
            deb.rename(folder / f"{version}-{deb.name.partition('_')[0]}.deb")
    asked("dpkg-deb", "-R", folder / "new-playment-agent.deb", folder / "broken")
    (folder / "broken/DEBIAN/preinst").write_text("#!/bin/sh\nexit 1\n")
    asked("dpkg-deb", "-Zxz", "-z0", "-b", folder / "broken", folder / "broken.deb")
    return folder


@pytest.fixture(scope="module")
def host(debs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    """A host with a Playment, and with files that are served; the packages lie there."""
    folder = tmp_path_factory.mktemp("host")
    (folder / "work").mkdir()
    tree = folder / "tree"
    (tree / "opt/debs").mkdir(parents=True)
    for deb in debs.glob("*.deb"):
        shutil.copy(deb, tree / "opt/debs")
    shutil.copytree(debs / "dist", tree / "root/playment-agent/dist")
    # A container's, which lets no package start or stop anything.
    (tree / "usr/sbin").mkdir(parents=True)
    (tree / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 0\n")
    (tree / "usr/sbin/policy-rc.d").chmod(0o755)
    (tree / "root").chmod(0o700)
    for path in (tree, tree / "opt", tree / "usr", tree / "usr/sbin"):
        path.chmod(0o755)
    with (
        boot(folder / "work", tree) as booted,
        beside(booted, "agent", "sandbox", "--port", "8801", "--api-key", KEY, "--latency", "0.2"),
        beside(booted, "http.server", "--bind", "127.0.0.1", "--directory", f"{booted.root}/srv/inbox", "8802"),
    ):
        yield booted


@contextmanager
def beside(booted: Booted, *module: str) -> Iterator[None]:
    """Run a module of the tests' own environment, which no package touches, in the host's network."""
    command = ["nsenter", "-t", str(booted.pid), "-n", "--", sys.executable, "-m", *module]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
    try:
        yield
    finally:
        process.kill()
        process.wait(20)


def at_playment(booted: Booted) -> list[str]:
    """Return `job_id path` of each job that Playment has."""
    command = ["nsenter", "-t", str(booted.pid), "-n", "--", sys.executable, "-c", CREATED.replace("KEY", KEY)]
    return sorted(asked(*command).splitlines())


def in_ledger(booted: Booted) -> list[str]:
    query = "select job_id || ' ' || path from jobs where state = 'submitted' order by 1"
    return booted.run("runuser", "-u", "playment-agent", "--", "sqlite3", LEDGER, query).splitlines()


def drop(booted: Booted) -> str:
    number = next(NUMBERS)
    name = f"{number:04}.jpg"
    shade = (number % 32 * 8, number // 32 * 8, 7)  # a JPEG cannot tell nearer ones apart
    image = Image.new("RGB", (64, 48), shade)
    image.save(booted.root / "srv" / name, "JPEG")
    (booted.root / "srv" / name).chmod(0o644)
    (booted.root / "srv" / name).rename(booted.root / "srv/inbox" / name)
    return name


def wait_until_all_are_sent_once(booted: Booted) -> None:
    dropped = sorted(path.name for path in (booted.root / "srv/inbox").iterdir())
    end = time.monotonic() + 90
    while sorted(line.partition(" ")[2] for line in in_ledger(booted)) != dropped:
        assert time.monotonic() < end, f"{in_ledger(booted)}\n{booted.journal('playment-agent')}"
        time.sleep(0.1)
    assert at_playment(booted) == in_ledger(booted)


def dpkg(booted: Booted, *arguments: str, check: bool = True) -> str:
    said = booted.run("dpkg", "--force-unsafe-io", *arguments, check=check)
    assert not booted.run("dpkg", "--audit") or not check
    return said


def told(command: str) -> str:
    """Return a command that the page on operating names."""
    assert f"`{command}`" in OPERATING
    return command


def starts(booted: Booted) -> int:
    return booted.journal("playment-agent").count("Started playment-agent.service")


def stamp(booted: Booted, path: str) -> str:
    """Return owner, rights and content of a file."""
    content = hashlib.sha256((booted.root / path.lstrip("/")).read_bytes()).hexdigest()
    return f"{booted.run('stat', '-c', '%U:%G %a', path)} {content}"


def named(booted: Booted) -> set[str]:
    """Return every file and folder on the disk whose name is ours."""
    places = ("/etc", "/opt", "/srv", "/usr", "/var", "/root", "/home", "/run")
    found = booted.run(
        "find",
        *places,
        "-path",
        DEBS,
        "-prune",
        "-o",
        "(",
        "-name",
        "*playment*",
        "-o",
        "-name",
        "inbox",
        ")",
        "-print",
    )
    return {line for line in found.splitlines() if not line.startswith(("/run/systemd/", "/run/credentials"))}


@pytest.fixture
def dropping(host: Booted) -> Iterator[None]:
    """Files go on being dropped while the test runs."""
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(0.1):
            drop(host)

    thread = threading.Thread(target=go_on)
    thread.start()
    yield
    over.set()
    thread.join()


BEFORE: set[str] = set()


def test_it_is_installed_and_sends_nothing_yet(host: Booted) -> None:
    BEFORE.update(named(host))
    (block,) = [block for block in BLOCKS if "systemd/package/build" in block]
    building, installing = block.splitlines()
    assert building.endswith(" && systemd/package/build"), "as the packages here were built"
    said = host.run("env", "-C", "/root/playment-agent", "sh", "-c", f"umask 077; {installing}")
    assert "playment-agent is installed, and sends nothing yet." in said
    assert host.run("systemctl", "is-enabled", "playment-agent", check=False) == "disabled"
    assert host.show("playment-agent")["ActiveState"] == "inactive"
    for path, wanted in {
        "/etc/playment-agent/agent.env": "root:playment-agent 640",
        "/etc/playment-agent/api_key": "root:root 600",
        "/srv/inbox": "root:inbox 2775",
        "/var/lib/playment-agent": "playment-agent:playment-agent 700",
    }.items():
        assert host.run("stat", "-c", "%U:%G %a", path) == wanted, path
    assert host.run("id", "-Gn", "playment-agent") == "playment-agent inbox"
    assert host.run("getent", "passwd", "playment-agent").endswith(":/var/lib/playment-agent:/usr/sbin/nologin")
    assert host.run("dpkg", "--verify", "playment-agent") == ""


def test_before_it_is_set_up_a_start_says_what_is_missing(host: Booted) -> None:
    host.run("systemctl", "start", "playment-agent", check=False)
    assert "PLAYMENT_PROJECT_ID" in host.journal("playment-agent")
    host.run("systemctl", "reset-failed", "playment-agent")


def test_it_is_set_up_checked_and_started(host: Booted) -> None:
    env = host.root / "etc/playment-agent/agent.env"
    empty = re.sub(r"^(PLAYMENT_PROJECT_ID|PUBLISH_TO)=\n", "", env.read_text(), flags=re.MULTILINE)
    env.write_text(empty + SETTINGS)
    (host.root / "etc/playment-agent/api_key").write_text(f"{KEY}\n")
    drop(host)
    said = host.run("playment-agent-check")
    assert "ok    Playment      http://127.0.0.1:8801 takes the key" in said
    host.run("systemctl", "enable", "--now", "playment-agent")
    wait_until_all_are_sent_once(host)
    assert "playment-agent" in host.run("playment-agent", "--version")


@pytest.mark.usefixtures("dropping")
def test_one_that_runs_is_upgraded_and_started_once(host: Booted) -> None:
    settings, key = (stamp(host, f"/etc/playment-agent/{name}") for name in ("agent.env", "api_key"))
    before = starts(host)
    eventually(lambda: len(in_ledger(host)) > 5, every=0.1)
    dpkg(host, "-i", f"{DEBS}/new-playment-agent.deb")
    assert "9.0.0" in host.run("playment-agent", "--version")
    found = host.wait_for("playment-agent", lambda now: now["ActiveState"] == "active")
    assert (starts(host) - before, found["NRestarts"]) == (1, "0")
    assert [stamp(host, f"/etc/playment-agent/{name}") for name in ("agent.env", "api_key")] == [settings, key]
    assert not (host.root / "run/playment-agent.stopped").exists()
    assert host.run("systemctl", "is-enabled", "playment-agent") == "enabled"
    last = drop(host)
    eventually(lambda: any(line.endswith(last) for line in in_ledger(host)), every=0.1)


def test_nothing_of_it_was_lost_or_sent_twice(host: Booted) -> None:
    wait_until_all_are_sent_once(host)
    assert len(in_ledger(host)) > 10


def test_one_that_cannot_be_unpacked_leaves_the_agent_running(host: Booted) -> None:
    before = starts(host)
    assert "error processing" in dpkg(host, "-i", f"{DEBS}/broken.deb", check=False)
    assert host.show("playment-agent")["ActiveState"] == "active"
    assert starts(host) - before == 1
    assert host.run("dpkg", "--audit") == ""
    drop(host)
    wait_until_all_are_sent_once(host)


def test_a_downgrade_below_the_ledger_is_refused_by_a_sentence(host: Booted) -> None:
    jobs = in_ledger(host)
    host.run("systemctl", "stop", "playment-agent")
    ledger = stamp(host, LEDGER)
    host.run("systemctl", "start", "playment-agent")
    said = dpkg(host, "-i", f"{DEBS}/old-playment-agent.deb")
    sentence = "it was written by a newer playment-agent. Upgrade this one, or name another LEDGER_PATH"
    assert "playment-agent: playment-agent.service does not run." in said
    assert sentence in said
    assert sentence in host.journal("playment-agent")
    found = host.show("playment-agent")
    assert (found["ActiveState"], found["ExecMainStatus"], found["NRestarts"]) == ("failed", "2", "0")
    assert sentence in host.run("systemctl", "status", "--no-pager", "--full", "playment-agent", check=False)
    assert in_ledger(host) == jobs
    assert ledger.split()[:2] == stamp(host, LEDGER).split()[:2]


def test_the_newer_one_again_starts_what_could_not(host: Booted) -> None:
    drop(host)
    dpkg(host, "-i", f"{DEBS}/new-playment-agent.deb")
    assert host.show("playment-agent")["ActiveState"] == "active"
    wait_until_all_are_sent_once(host)


def test_one_that_a_person_has_stopped_stays_stopped_and_others_go_on(host: Booted) -> None:
    etc = host.root / "etc/playment-agent"
    other = (etc / "agent.env").read_text().replace("/srv/inbox", "/srv/inboxes/cam-1")
    (etc / "cam-1.env").write_text(other.replace("/ledger.db", "/cam-1/ledger.db"))
    host.run("install", "-m", "600", "/etc/playment-agent/api_key", "/etc/playment-agent/cam-1.api_key")
    host.run("chmod", "644", "/etc/playment-agent/cam-1.env")
    host.run("mkdir", "-p", "/srv/inboxes/cam-1")
    host.run("systemctl", "enable", "--now", "playment-agent@cam-1")
    host.run("systemctl", "stop", "playment-agent")
    dpkg(host, "-i", f"{DEBS}/new-playment-agent.deb", f"{DEBS}/new-playment-agent-fleet.deb")
    assert host.show("playment-agent")["ActiveState"] == "inactive"
    assert host.show("playment-agent@cam-1")["ActiveState"] == "active"
    assert host.run("/opt/playment-agent/bin/python", "-c", "import psycopg; print(psycopg.pq.__impl__)") == "binary"
    host.run("systemctl", "start", "playment-agent", "playment-agent-backup.timer")
    host.run("systemctl", "enable", "playment-agent-backup.timer")


def test_removed_it_leaves_settings_and_ledger(host: Booted) -> None:
    wait_until_all_are_sent_once(host)
    settings = stamp(host, "/etc/playment-agent/agent.env")
    jobs = in_ledger(host)
    dpkg(host, "-r", "playment-agent-fleet")
    assert host.show("playment-agent")["ActiveState"] == "active"
    host.run("sh", "-c", f"yes | {told('apt-get remove playment-agent')}")
    for unit in ("playment-agent", "playment-agent@cam-1", "playment-agent-backup.timer"):
        assert host.show(unit)["ActiveState"] == "inactive"
    assert "/opt/playment-agent" not in host.run("sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' '\\n'")
    assert not (host.root / "opt/playment-agent").exists()
    assert not host.run("find", "/etc/systemd/system", "-name", "playment-agent*")
    assert stamp(host, "/etc/playment-agent/agent.env") == settings
    assert in_ledger(host) == jobs == at_playment(host)


def test_installed_again_it_waits_to_be_started_and_sends_nothing_twice(host: Booted) -> None:
    jobs = in_ledger(host)
    dpkg(host, "-i", f"{DEBS}/new-playment-agent.deb")
    assert host.show("playment-agent")["ActiveState"] == "inactive"
    assert host.run("systemctl", "is-enabled", "playment-agent", check=False) == "disabled"
    host.run("systemctl", "enable", "--now", "playment-agent")
    drop(host)
    wait_until_all_are_sent_once(host)
    assert len(in_ledger(host)) == len(jobs) + 1


def test_purged_it_leaves_what_was_paid_for_and_who_owns_it(host: Booted) -> None:
    jobs = in_ledger(host)
    said = host.run("sh", "-c", f"yes | {told('apt-get purge playment-agent')}")
    assert "/var/lib/playment-agent stays, with the ledger, which says what was paid for" in said
    assert named(host) - BEFORE == {"/srv/inbox", "/var/lib/playment-agent"}
    assert in_ledger(host) == jobs == at_playment(host)
    assert "playment-agent" not in host.run("dpkg-query", "-W", "-f", "${Package}\\n")
    assert host.run("stat", "-c", "%U %a", LEDGER) == "playment-agent 600"


def test_after_a_purge_the_ledger_is_taken_up_again(host: Booted) -> None:
    dpkg(host, "-i", f"{DEBS}/new-playment-agent.deb")
    jobs = in_ledger(host)
    test_it_is_set_up_checked_and_started(host)
    assert set(jobs) < set(in_ledger(host))


def test_one_that_was_installed_by_hand_is_not_mixed_with_it(host: Booted) -> None:
    dpkg(host, "-P", "playment-agent")
    host.run("mkdir", "-p", "/opt/playment-agent/bin")
    said = dpkg(host, "-i", f"{DEBS}/new-playment-agent.deb", check=False)
    assert "one that was installed by hand is there (/opt/playment-agent/bin)" in said
    (way,) = re.findall(r"when you do: (.*); then install again", said)
    host.run("sh", "-c", way)
    dpkg(host, "-i", f"{DEBS}/new-playment-agent.deb")
    assert host.run("stat", "-c", "%Y", "/opt/playment-agent/pyvenv.cfg") == str(TIME)
