"""The unit files under a real systemd: with a stand-in that asks for all the agent asks for, then with it."""

from __future__ import annotations

import json
import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tests.documents import OPERATING
from tests.integration.boot_systemd import CONSOLE_SCRIPT, ROOT, Booted, boot, install, reason_not_to_boot
from tests.support import image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REASON = reason_not_to_boot()
pytestmark = [
    pytest.mark.skipif(REASON is not None, reason=REASON or ""),
    pytest.mark.timeout(180),
]
ENV = "/etc/playment-agent/agent.env"
KEY = "k3y-of-the-credential"
WHOLE = image(1, size=(64, 48))
# Uses what the agent needs of the host and of its libraries, so that a directive that takes too much away is seen.
STAND_IN = """
import errno, io, os, select, signal, sqlite3, sys
from pathlib import Path
from PIL import Image
from watchdog.events import FileSystemEventHandler
from watchdog.observers import Observer
from agent.host import inotify_limits, locks
from agent.host.systemd import Notifier
from agent.service.names import DEFAULTS
from agent.settings.load import load
from agent.errors import AgentError

try:
    settings = load(os.environ, Path.cwd(), Path(sys.argv[2]), defaults=DEFAULTS)
except AgentError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
assert sys.argv[3:] == ["run"] and settings.playment_api_key.reveal() == KEY
notifier = Notifier(os.environ)
woken, wake = os.pipe()
signal.signal(signal.SIGTERM, lambda *_: os.write(wake, b"stop"))

class Seen(FileSystemEventHandler):
    def on_created(self, event):
        os.write(wake, b"seen")

with locks.lock_file(settings.lock_path), locks.lock_folder(settings.watch_dir):
    ledger = sqlite3.connect(settings.ledger_path)
    ledger.execute("pragma journal_mode=wal")
    ledger.execute("create table if not exists starts (pid integer)")
    with ledger:
        ledger.execute("insert into starts values (?)", (os.getpid(),))
    Image.new("RGB", (64, 64)).save(io.BytesIO(), "JPEG")
    try:
        (settings.watch_dir / "written").touch()
    except OSError as error:
        assert error.errno == errno.EROFS
    observer = Observer()
    observer.schedule(Seen(), str(settings.watch_dir))
    observer.start()
    notifier.ready()
    said = b""
    while said != b"stop":
        notifier.watchdog()
        watches = inotify_limits.inotify_limits().max_user_watches
        notifier.status(f"{len(os.listdir(settings.watch_dir))} seen, {watches} watches")
        if select.select([woken], [], [], notifier.watchdog_seconds / 4)[0]:
            said = os.read(woken, 4)
    notifier.stopping()
    observer.stop()
    observer.join()
    ledger.close()
"""


def settings_for(name: str, ledger: str, more: str = "") -> str:
    return (
        f"PLAYMENT_PROJECT_ID=p1\nPLAYMENT_TAG=car\nWATCH_DIR=/srv/inbox{name}\nLEDGER_PATH={ledger}\n"
        f"SETTLE_SECONDS=0.2\n{more}"
    )


def write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def set_up(tree: Path, program: str, more: str) -> None:
    """Lay out below `tree` what the unit's head says, with a short watchdog."""
    install(tree, program)
    (tree / "etc/systemd/system").mkdir(parents=True, exist_ok=True)
    for unit in (unit for suffix in ("service", "timer") for unit in (ROOT / "systemd").glob(f"*.{suffix}")):
        shutil.copy(unit, tree / "etc/systemd/system")
        if "backup" not in unit.name:
            write(tree / f"etc/systemd/system/{unit.name}.d/test.conf", "[Service]\nWatchdogSec=3\nRestartSec=0.1\n")
    etc = tree / "etc/playment-agent"
    write(etc / "agent.env", settings_for("", "/var/lib/playment-agent/ledger.db", more))
    write(etc / "api_key", KEY + "\n", 0o600)
    write(etc / "cam-1.env", settings_for("es/cam-1", "/var/lib/playment-agent/cam-1/ledger.db", more))
    write(etc / "cam-1.api_key", KEY + "\n", 0o600)
    for name in ("inbox", "inboxes"):
        (tree / "srv" / name).mkdir(parents=True)
    for made in (tree, *tree.glob("[eos]*"), *tree.glob("srv/*")):
        made.chmod(0o755)


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    folder = tmp_path_factory.mktemp("stand-in")
    (folder / "work").mkdir()
    program = STAND_IN.replace("KEY", repr(KEY), 1)
    set_up(folder / "tree", program, "PUBLISH_TO=https://images.example.com/\n")
    with boot(folder / "work", folder / "tree") as booted:
        booted.run("useradd", "--system", "--home-dir", "/var/lib/playment-agent", "playment-agent")
        yield booted


@pytest.fixture
def service(stand_in: Booted) -> Iterator[Booted]:
    """The started service, stopped afterwards with an empty watch folder."""
    stand_in.run("systemctl", "start", "playment-agent")
    yield stand_in
    stand_in.run("systemctl", "stop", "playment-agent")
    stand_in.run("systemctl", "reset-failed", "playment-agent", check=False)
    stand_in.run("find", "/srv/inbox", "-mindepth", "1", "-delete")


def main_pid(booted: Booted) -> str:
    return booted.show("playment-agent")["MainPID"]


def test_the_service_is_ready_and_sees_what_is_dropped(service: Booted) -> None:
    found = service.wait_for("playment-agent", lambda now: now["StatusText"].startswith("0 seen"))
    assert (found["ActiveState"], found["SubState"]) == ("active", "running")
    (service.root / "srv/inbox/a.jpg").touch()
    service.wait_for("playment-agent", lambda now: now["StatusText"].startswith("1 seen"))
    assert not (service.root / "srv/inbox/written").exists()


def test_the_sandbox_is_in_force(service: Booted) -> None:
    status = service.run("cat", f"/proc/{main_pid(service)}/status").split("\n")
    # proc(5): mode 2 of Seccomp is a filter.
    assert {"NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000"} <= set(status)


def test_the_state_is_the_services_own_and_its_user_can_read_it(service: Booted) -> None:
    assert service.run("stat", "-c", "%U %a", "/var/lib/playment-agent") == "playment-agent 700"
    assert service.run("stat", "-c", "%U %a", "/var/lib/playment-agent/ledger.db") == "playment-agent 600"
    ledger = ("runuser", "-u", "playment-agent", "--", "sqlite3", "/var/lib/playment-agent/ledger.db")
    assert service.run(*ledger, "select max(rowid) > 0 from starts") == "1"


def test_a_killed_service_comes_back(service: Booted) -> None:
    first = main_pid(service)
    service.run("systemctl", "kill", "--signal=SIGKILL", "playment-agent")
    found = service.wait_for("playment-agent", lambda now: now["MainPID"] not in {"0", first})
    assert int(found["NRestarts"]) == 1
    service.wait_for("playment-agent", lambda now: now["SubState"] == "running")


def test_a_service_that_hangs_is_killed_by_the_watchdog_and_comes_back(service: Booted) -> None:
    first = main_pid(service)
    service.run("kill", "-STOP", first)
    service.wait_for("playment-agent", lambda now: now["MainPID"] not in {"0", first} and now["SubState"] == "running")
    assert "Watchdog timeout" in service.journal("playment-agent")


def test_a_service_that_is_fed_outlives_the_watchdog(service: Booted) -> None:
    first = main_pid(service)
    fed = int(service.show("playment-agent")["WatchdogTimestampMonotonic"])
    service.wait_for("playment-agent", lambda now: int(now["WatchdogTimestampMonotonic"]) > fed + 4_000_000)
    assert main_pid(service) == first


def test_an_end_that_nobody_asked_systemd_for_is_followed_by_a_start(service: Booted) -> None:
    first = main_pid(service)
    service.run("kill", "-TERM", first)
    service.wait_for("playment-agent", lambda now: now["MainPID"] not in {"0", first} and now["SubState"] == "running")


def test_a_stop_is_clean(service: Booted) -> None:
    service.run("systemctl", "stop", "playment-agent")
    found = service.show("playment-agent")
    assert (found["ActiveState"], found["Result"], found["ExecMainStatus"]) == ("inactive", "success", "0")


def test_a_second_agent_on_the_folder_is_refused_though_the_service_is_in_a_sandbox(service: Booted) -> None:
    lock = "from pathlib import Path; from agent.host import locks; locks.lock_folder(Path('/srv/inbox'))"
    said = service.run("/opt/playment-agent/bin/python", "-c", lock, check=False)
    assert f"is in use by the process with id {main_pid(service)}" in said


def test_an_instance_has_its_own_folder_and_state(stand_in: Booted) -> None:
    (stand_in.root / "srv/inboxes/cam-1").mkdir()
    stand_in.run("systemctl", "start", "playment-agent@cam-1")
    stand_in.wait_for("playment-agent@cam-1", lambda now: now["StatusText"].startswith("0 seen"))
    assert stand_in.run("stat", "-c", "%U %a", "/var/lib/playment-agent/cam-1") == "playment-agent 700"
    stand_in.run("systemctl", "stop", "playment-agent@cam-1")


def test_wrong_settings_are_told_and_not_tried_again(stand_in: Booted) -> None:
    env = stand_in.root / "etc/playment-agent/agent.env"
    right = env.read_text()
    env.write_text(right.replace("/srv/inbox", "/srv/gone"))
    stand_in.run("systemctl", "start", "playment-agent", check=False)
    found = stand_in.show("playment-agent")
    assert (found["SubState"], found["ExecMainStatus"], found["NRestarts"]) == ("failed", "2", "0")
    assert "WATCH_DIR is '/srv/gone': there is no such folder." in stand_in.journal("playment-agent")
    env.write_text(right)
    stand_in.run("systemctl", "reset-failed", "playment-agent")


SANDBOX_UNIT = """
[Service]
ExecStart=/opt/playment-agent/bin/playment-agent sandbox --port 8801 --api-key KEY
"""
FILES_UNIT = """
[Service]
ExecStart=/usr/bin/python3 -m http.server --bind 127.0.0.1 --directory /srv/inbox 8802
"""
CREATED = """
import requests
get = lambda path, **query: requests.get(
    "http://127.0.0.1:8801/v0/projects/p1/" + path, query, headers={"x-api-key": "KEY"}, timeout=10
).json()["data"]
for batch in get("details")["batches"]:
    page = {}
    while page is not None:
        found = get("batch/" + batch["id"], **page)
        for job in found["jobs"]:
            print(job["id"], job["reference_id"].partition("~")[0])
        token = found.get("next_page_token")
        page = {"page_token": token} if token else None
"""


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    """The installed project: its service against its sandbox Playment, the files served by a real server."""
    folder = tmp_path_factory.mktemp("agent")
    (folder / "work").mkdir()
    places = "PLAYMENT_BASE_URL=http://127.0.0.1:8801\nPUBLISH_TO=http://127.0.0.1:8802/\nSEQUENCE_SETTLE_SECONDS=0.5\n"
    set_up(folder / "tree", CONSOLE_SCRIPT, places)
    write(folder / "tree/etc/systemd/system/sandbox.service", SANDBOX_UNIT.replace("KEY", KEY))
    write(folder / "tree/etc/systemd/system/files.service", FILES_UNIT)
    with boot(folder / "work", folder / "tree") as booted:
        booted.run("useradd", "--system", "--home-dir", "/var/lib/playment-agent", "playment-agent")
        booted.run("systemctl", "start", "sandbox", "files", "playment-agent")
        yield booted


def in_ledger(booted: Booted) -> list[str]:
    """Return `job_id path` of each submitted job, asked as the service's user."""
    query = "select job_id || ' ' || path from jobs where state = 'submitted' order by path"
    ledger = ("runuser", "-u", "playment-agent", "--", "sqlite3", "/var/lib/playment-agent/ledger.db", query)
    return booted.run(*ledger).splitlines()


def at_playment(booted: Booted) -> list[str]:
    """Return `job_id path` of each job that the sandbox has."""
    asked = booted.run("/opt/playment-agent/bin/python", "-c", CREATED.replace("KEY", KEY))
    return sorted(asked.splitlines(), key=lambda line: line.partition(" ")[2])


def drop(booted: Booted, name: str, shade: int) -> None:
    Image.new("RGB", (64, 48), (shade, 0, 0)).save(booted.root / "srv/inbox" / name)


def wait_for_jobs(booted: Booted, *paths: str) -> None:
    """Wait until both the ledger and the sandbox have exactly these jobs, under the same ids."""
    end = time.monotonic() + 60
    while [line.partition(" ")[2] for line in in_ledger(booted)] != list(paths):
        assert time.monotonic() < end, f"{in_ledger(booted)}\n{booted.journal('playment-agent')}"
        time.sleep(0.1)
    assert at_playment(booted) == in_ledger(booted)


def test_the_agent_turns_drops_into_jobs_over_kills_and_stops_cleanly(agent: Booted) -> None:
    agent.wait_for("playment-agent", lambda now: now["StatusText"].startswith("0 submitted"))
    drop(agent, "a.jpg", 1)
    wait_for_jobs(agent, "a.jpg")
    agent.wait_for("playment-agent", lambda now: now["StatusText"].startswith("1 submitted"))

    first = main_pid(agent)
    agent.run("systemctl", "kill", "--signal=SIGKILL", "playment-agent")
    agent.wait_for("playment-agent", lambda now: now["MainPID"] not in {"0", first} and now["SubState"] == "running")
    drop(agent, "b.jpg", 2)
    wait_for_jobs(agent, "a.jpg", "b.jpg")

    second = main_pid(agent)
    agent.run("kill", "-STOP", second)
    drop(agent, "c.jpg", 3)
    agent.wait_for("playment-agent", lambda now: now["MainPID"] not in {"0", second} and now["SubState"] == "running")
    wait_for_jobs(agent, "a.jpg", "b.jpg", "c.jpg")
    assert "Watchdog timeout" in agent.journal("playment-agent")

    assert agent.run("stat", "-c", "%U %a", "/var/lib/playment-agent") == "playment-agent 700"
    assert agent.run("stat", "-c", "%U %a", "/var/lib/playment-agent/ledger.db") == "playment-agent 600"
    started = time.monotonic()
    agent.run("systemctl", "stop", "playment-agent")
    assert time.monotonic() - started < 20
    found = agent.show("playment-agent")
    assert (found["ActiveState"], found["Result"], found["ExecMainStatus"]) == ("inactive", "success", "0")
    assert KEY not in agent.journal("playment-agent")


def test_a_reload_takes_up_what_can_change_and_names_the_rest(agent: Booted) -> None:
    env = agent.root / "etc/playment-agent/agent.env"
    right = env.read_text()
    agent.run("systemctl", "start", "playment-agent")
    first = main_pid(agent)
    for more, said in (
        ("LOG_LEVEL=DEBUG\nPLAYMENT_TAG=bus\n", "obeyed from now on: LOG_LEVEL"),
        ("LOG_LEVEL=LOUD\n", "refused, and nothing is changed: LOG_LEVEL is 'LOUD'"),
    ):
        env.write_text(right + more)
        agent.run("systemctl", "reload", "playment-agent")
        said_by(agent, said)
        agent.wait_for("playment-agent", lambda now: now["ActiveState"] == "active")
    agent.wait_for(
        "playment-agent", lambda now: now["StatusText"].endswith("the new settings are refused, see the log")
    )
    assert "obeyed after a restart: PLAYMENT_TAG" in agent.journal("playment-agent")
    assert "the key is systemd's copy of the start" in agent.journal("playment-agent")
    assert main_pid(agent) == first
    env.write_text(right)
    agent.run("systemctl", "stop", "playment-agent")


def said_by(booted: Booted, words: str) -> None:
    end = time.monotonic() + 60
    while words not in (said := booted.journal("playment-agent")):
        assert time.monotonic() < end, said
        time.sleep(0.1)


def of_priority(booted: Booted, *wanted: str) -> list[dict[str, str]]:
    """Return the agent's own entries of the journal that are wanted, but for what systemd itself says of the unit."""
    fields = ("--output=json", "--unit=playment-agent", "_COMM=playment-agent")
    told = booted.run("journalctl", "--no-pager", *fields, *wanted)
    return [json.loads(line) for line in told.splitlines() if line.startswith("{")]


def test_the_journal_knows_warnings_and_whose_job_a_line_is_about(agent: Booted) -> None:
    env = agent.root / "etc/playment-agent/agent.env"
    right = env.read_text()
    sent = [line.partition(" ")[2] for line in in_ledger(agent)]
    try:
        agent.run("systemctl", "start", "playment-agent")
        drop(agent, "plain.jpg", 91)
        wait_for_jobs(agent, *sorted([*sent, "plain.jpg"]))
        env.write_text(right + "LOG_FORMAT=journal\nPLAYMENT_TAG=bus\n")
        agent.run("systemctl", "reload", "playment-agent")
        said_by(agent, "obeyed after a restart: PLAYMENT_TAG")
        drop(agent, "told.jpg", 92)
        wait_for_jobs(agent, *sorted([*sent, "plain.jpg", "told.jpg"]))
    finally:
        env.write_text(right)
        agent.run("systemctl", "stop", "playment-agent")
    everything, graver = of_priority(agent), of_priority(agent, "--priority=warning")
    # By its stream: the priority is no part of the line, and the time is told once.
    by_stream = [entry["MESSAGE"] for entry in everything if entry["_TRANSPORT"] == "stdout"]
    assert any(line.startswith("INFO submitted plain.jpg~") for line in by_stream)
    assert {entry["PRIORITY"] for entry in everything} >= {"4", "6"}
    warned = [entry for entry in everything if entry["MESSAGE"].startswith(("WARNING ", "ERROR "))]
    assert [entry["MESSAGE"] for entry in graver if entry["_TRANSPORT"] == "stdout"] == [
        entry["MESSAGE"] for entry in warned
    ]
    assert any("obeyed after a restart: PLAYMENT_TAG" in entry["MESSAGE"] for entry in graver)
    # By its protocol: the fields of the job, by which it is found.
    (job_id,) = [line.partition(" ")[0] for line in in_ledger(agent) if line.endswith(" told.jpg")]
    (entry,) = of_priority(agent, f"JOB_ID={job_id}")
    assert (entry["PATH"], entry["PRIORITY"], entry["_TRANSPORT"]) == ("told.jpg", "6", "journal")
    assert entry["REFERENCE_ID"].startswith("told.jpg~")
    assert entry["_SYSTEMD_UNIT"] == "playment-agent.service"


def check(booted: Booted, *name: str) -> str:
    """Return what `systemd/check` says, with its exit code in the last line."""
    shutil.copy(ROOT / "systemd/check", booted.root / "opt/check")
    said = booted.run("sh", "-c", 'sh /opt/check "$@"; echo "exit $?"', "sh", *name)
    assert not list((booted.root / "run/systemd/system").glob("*")), "it leaves nothing behind"
    return said


def test_check_runs_as_the_services_user_in_its_units_own_sandbox(agent: Booted) -> None:
    drop(agent, "a.jpg", 1)
    said = check(agent)
    assert said.endswith("exit 0"), said
    assert "ok    Playment      http://127.0.0.1:8801 takes the key" in said
    (agent.root / "srv/inboxes/cam-1").mkdir(parents=True, exist_ok=True)
    assert "ok    watch folder  /srv/inboxes/cam-1 can be read" in check(agent, "cam-1")


def test_check_says_what_the_sandbox_hides(agent: Booted) -> None:
    env = agent.root / "etc/playment-agent/agent.env"
    right = env.read_text()
    (agent.root / "home/alice/inbox").mkdir(parents=True, exist_ok=True)
    env.write_text(right.replace("/srv/inbox", "/home/alice/inbox"))
    said = check(agent)
    assert "ProtectHome=yes in the service's unit hides it" in said
    assert said.endswith("exit 2"), said
    write(
        agent.root / "etc/systemd/system/playment-agent.service.d/home.conf",
        "[Service]\nProtectHome=tmpfs\nBindReadOnlyPaths=/home/alice/inbox\n",
    )
    agent.run("systemctl", "daemon-reload")
    assert "ok    watch folder  /home/alice/inbox can be read" in check(agent)
    (agent.root / "etc/systemd/system/playment-agent.service.d/home.conf").unlink()
    agent.run("systemctl", "daemon-reload")
    env.write_text(right)


def test_check_says_that_the_services_user_cannot_run_the_program(agent: Booted) -> None:
    by_hand = ("sh", "-c", f"PLAYMENT_API_KEY={KEY} /opt/playment-agent/bin/playment-agent --env-file {ENV} check")
    assert agent.run(*by_hand).startswith("ok    program ")
    (agent.root / "opt/playment-agent").chmod(0o700)
    assert "FAIL  program       the service's user cannot run it (203/EXEC)" in check(agent)
    by_root = agent.run(*by_hand, check=False)
    assert by_root.startswith("FAIL  program "), by_root
    assert "chmod -R go+rX /opt/playment-agent" in by_root
    agent.run("chmod", "-R", "go+rX", "/opt/playment-agent")
    assert agent.run(*by_hand).startswith("ok    program ")


def test_who_is_in_the_inboxs_group_may_drop_and_a_umask_of_027_is_enough(agent: Booted) -> None:
    (made,) = [line for line in OPERATING.splitlines() if line.endswith("install -d -m 2775 -g inbox /srv/inbox")]
    assert "\ngroupadd --system inbox\nuseradd --system --groups inbox --home-dir" in OPERATING
    agent.run("sh", "-c", f"groupadd --system inbox && usermod -aG inbox playment-agent && {made}")
    agent.run("sh", "-c", "useradd alice && usermod -aG inbox alice")
    agent.run("systemctl", "restart", "playment-agent")  # groups are taken at a start
    sent = [line.partition(" ")[2] for line in in_ledger(agent)]
    Image.new("RGB", (64, 48), (77, 0, 0)).save(agent.root / "opt/new.jpg")
    agent.run("su", "alice", "-c", "umask 027; mkdir /srv/inbox/cam; cp /opt/new.jpg /srv/inbox/cam/")
    wait_for_jobs(agent, *sorted([*sent, "cam"]))
    assert agent.run("stat", "-c", "%U:%G %a", "/srv/inbox/cam/new.jpg") == "alice:inbox 640"
    assert agent.run("runuser", "-u", "nobody", "--", "cat", "/srv/inbox/cam/new.jpg", check=False).endswith("denied")
    agent.run("systemctl", "stop", "playment-agent")


def test_the_sandbox_lets_processes_of_its_own_read_long_sequences(agent: Booted) -> None:
    def processes() -> list[str]:
        return agent.run(
            "sh", "-c", "grep --text --files-with-matches 'agent[.]reading[.]processes[.]child' /proc/*/cmdline || true"
        ).split()

    sent = [line.partition(" ")[2] for line in in_ledger(agent)]
    agent.run("systemctl", "start", "playment-agent")
    for name in ("long", "long too"):  # the first one is read while they start
        folder = agent.root / "srv/inbox" / name
        folder.mkdir()
        for number in range(1000):
            (folder / f"{number}.jpg").write_bytes(WHOLE + name.encode() + number.to_bytes(2))
        sent.append(name)
        wait_for_jobs(agent, *sorted(sent))
    said = agent.journal("playment-agent")
    assert "going on without" not in said
    assert len(processes()) == (3 if len(os.sched_getaffinity(0)) > 1 else 0), said
    read = agent.run("sh", "-c", "cat /dev/null " + " ".join(path.replace("cmdline", "io") for path in processes()))
    assert sum(int(line.split()[1]) for line in read.splitlines() if line.startswith("rchar")) > 500 * len(WHOLE)
    agent.run("systemctl", "stop", "playment-agent")
    assert not processes()


def test_a_folder_inside_the_services_is_refused_though_it_is_in_a_sandbox(agent: Booted) -> None:
    agent.run("systemctl", "start", "playment-agent")
    (agent.root / "srv/inbox/inner").mkdir()
    for path, how in (("/srv/inbox/inner", "lies in /srv/inbox, which"), ("/srv", "holds a folder that")):
        lock = f"from pathlib import Path; from agent.host import locks; locks.lock_folder(Path({path!r}))"
        said = agent.run("/opt/playment-agent/bin/python", "-c", lock, check=False)
        assert f"{how} the process with id {main_pid(agent)} watches" in said
    (agent.root / "srv/inbox/inner").rmdir()
    agent.run("systemctl", "stop", "playment-agent")


def test_a_folder_that_is_not_there_at_a_boot_is_waited_for(agent: Booted) -> None:
    """Ready, fed, and said to systemd meanwhile: no restart, and none that is given up."""
    env = agent.root / "etc/playment-agent/agent.env"
    right = env.read_text()
    late = right.replace("/srv/inbox", "/srv/late").replace("/playment-agent/ledger.db", "/playment-agent/late.db")
    env.write_text(late)
    started = time.monotonic()
    agent.run("systemctl", "start", "playment-agent")
    assert time.monotonic() - started < 10
    told = "waiting: WATCH_DIR is '/srv/late': there is no such folder."
    found = agent.wait_for("playment-agent", lambda now: now["StatusText"].startswith(told))
    fed = int(found["WatchdogTimestampMonotonic"])
    agent.wait_for("playment-agent", lambda now: int(now["WatchdogTimestampMonotonic"]) > fed + 4_000_000)
    (agent.root / "srv/late").mkdir(mode=0o755)
    found = agent.wait_for("playment-agent", lambda now: now["StatusText"].startswith("0 submitted"))
    assert found["NRestarts"] == "0"
    agent.run("systemctl", "stop", "playment-agent")
    env.write_text(right)


def test_a_copy_is_made_beside_it_each_night(agent: Booted) -> None:
    agent.run("systemctl", "start", "playment-agent", "playment-agent-backup.timer", "playment-agent-backup.service")
    assert "jobs, " in agent.journal("playment-agent-backup.service")
    (copy,) = agent.run("find", "/var/lib/playment-agent-backup", "-type", "f", "-printf", "%p %u %m\\n").splitlines()
    path, *mode = copy.split()
    assert mode == ["playment-agent", "600"]
    counted = "select count(*) from jobs"
    assert agent.run("sqlite3", path, counted) == agent.run("sqlite3", "/var/lib/playment-agent/ledger.db", counted)
    # The same day's is not replaced.
    assert "is there already" not in agent.journal("playment-agent-backup.service")
    agent.run("systemctl", "start", "playment-agent-backup.service", check=False)
    assert "is there already" in agent.journal("playment-agent-backup.service")
    assert "playment-agent-backup.timer" in agent.run("systemctl", "list-timers", "--no-pager")
    agent.run("systemctl", "stop", "playment-agent", "playment-agent-backup.timer")


NEWS = """
import os, sys
from agent.news.notifier import Notifier
told = ("sh", "-c", "cat >told")
hangs = ("sh", "-c", "setsid sleep 600 & setsid sh -c 'sleep 601 & sleep 602' & sleep 603")
print([Notifier("", command, os.environ, 2.0).tell({"text": "news"})[0] for command in (told, hangs)])
print(open("told").read().strip(), os.popen("grep -ls '^sleep' /proc/[0-9]*/cmdline").read() or "none is left")
"""


def test_news_are_told_and_commands_ended_in_the_units_sandbox(agent: Booted) -> None:
    unit = agent.run("systemctl", "cat", "playment-agent")
    lines = [
        line for line in unit.splitlines() if not line.startswith(("#", "ExecStart=", "Type=", "Restart", "Watch"))
    ]
    write(agent.root / "var/lib/playment-agent/news.py", NEWS, 0o644)
    program = "Type=oneshot\nExecStart=/opt/playment-agent/bin/python /var/lib/playment-agent/news.py\n"
    out = "StandardOutput=truncate:/run/news.out\nStandardError=append:/run/news.out\n"
    write(agent.root / "run/systemd/system/news.service", "\n".join([*lines, "[Service]", program + out]))
    agent.run("systemctl", "daemon-reload")
    agent.run("systemctl", "start", "news")
    said = (agent.root / "run/news.out").read_text()
    assert said == '[True, False]\n{"text": "news"} none is left\n'
