"""Numbers for Prometheus: right, few, kept over restarts, and named so that promtool has nothing to say."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agent.core.life import HEARTBEAT_SECONDS
from agent.core.states import State
from agent.host import disk
from agent.host.clock import utc_now
from agent.ledger import counters
from agent.ledger.reads import Reads
from agent.ledger.store import Ledger, iso
from agent.ledger.units import notice
from agent.model import Kind
from agent.model.units import Sight
from agent.reporting.metrics import exposition
from agent.service import loop
from tests import older_ledgers
from tests.documents import OPERATING
from tests.integration.test_fleet import Uploads
from tests.layout import PACKAGE
from tests.prometheus import promtool
from tests.sending import Clock, Sending, refusal
from tests.support import (
    Agent,
    Playment,
    command,
    environ,
    eventually,
    frames,
    image,
    process,
    query,
    run,
    settings,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.sending import Server

SYSTEMD = PACKAGE.parent / "systemd"
RULES = SYSTEMD / "playment-agent.rules.yml"
TOLD = Path(__file__).with_name("rules_test.yml")
Numbers = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def playment() -> Iterator[Playment]:
    with Playment() as running:
        yield running


def parsed(text: str) -> Numbers:
    """Return the samples of an exposition, by name and labels."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    found = {
        (sample.name.removeprefix("playment_agent_"), tuple(sorted(sample.labels.items()))): sample.value
        for sample in samples
    }
    assert len(found) == len(samples), "no series is there twice"
    return found


def told(place: Path, surroundings: dict[str, str]) -> Numbers:
    """Return what the command prints, which promtool finds well."""
    done = command("status", "--prometheus", environ=surroundings, cwd=place)
    assert done.returncode == 0, done.stderr
    is_well(done.stdout)
    return parsed(done.stdout)


def is_well(text: str) -> None:
    checked = subprocess.run(
        [promtool().path, "check", "metrics"], input=text, capture_output=True, text=True, timeout=60, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def of(numbers: Numbers, name: str, **labels: str) -> float:
    return numbers[name, tuple(sorted(labels.items()))]


def total(numbers: Numbers, name: str) -> float:
    return sum(value for (each, _), value in numbers.items() if each == name)


def test_a_run_is_told_and_the_next_one_goes_on_counting(tmp_path: Path, playment: Playment) -> None:
    surroundings = environ(tmp_path, playment.url)
    write(tmp_path / "inbox" / "a.jpg", image(1))
    write(tmp_path / "inbox" / "broken.jpg", image(2)[:100])
    frames(tmp_path / "inbox" / "drive", 3, seed=1)
    began = utc_now().timestamp()
    command("run", "--once", environ=surroundings, cwd=tmp_path)
    first = told(tmp_path, surroundings)
    assert of(first, "jobs", state="submitted") == 2
    assert of(first, "frames", state="submitted") == 4
    assert {dict(labels)["state"] for name, labels in first if name == "jobs"} == set(State)
    assert of(first, "attention_jobs") == of(first, "jobs", state="invalid") == 1
    assert of(first, "posts_total", outcome="accepted") == total(first, "posts_total") == 2
    assert of(first, "post_duration_seconds_bucket", le="+Inf") == of(first, "post_duration_seconds_count") == 2
    assert 0 < of(first, "post_duration_seconds_sum") < 60
    assert of(first, "retries_total") == of(first, "uploads_total") == of(first, "uploaded_bytes_total") == 0
    assert of(first, "info", target="playment", version="0.1.0", watch_mode="events") == 1
    for name in ("start", "heartbeat", "last_scan"):
        assert began - 1 <= of(first, f"{name}_timestamp_seconds") <= utc_now().timestamp()
    assert of(first, "stopped") == of(first, "ledger_readable") == of(first, "ledger_writable") == 1
    assert total(first, "blocked") == total(first, "paused") == total(first, "breaker_open") == 0
    assert of(first, "ledger_bytes") == os.path.getsize(tmp_path / "ledger.db")
    assert 0 < of(first, "ledger_disk_free_bytes") < of(first, "ledger_disk_size_bytes")
    assert ("oldest_waiting_timestamp_seconds", ()) not in first, "nothing waits"
    write(tmp_path / "inbox" / "b.jpg", image(3))
    command("run", "--once", environ=surroundings, cwd=tmp_path)
    second = told(tmp_path, surroundings)
    assert of(second, "posts_total", outcome="accepted") == 3
    assert all(second[series] >= value for series, value in first.items() if series[0].endswith(("_total", "_count")))


def test_another_process_sees_the_counters_of_an_agent_that_runs_and_dies(tmp_path: Path, playment: Playment) -> None:
    surroundings = environ(tmp_path, playment.url)
    write(tmp_path / "inbox" / "a.jpg", image(1))
    sent = "select value from counters where name = 'posts' and label = 'accepted'"
    with process("run", environ=surroundings, cwd=tmp_path) as agent:
        eventually(lambda: (tmp_path / "ledger.db").exists() and playment.jobs)
        eventually(lambda: query(tmp_path / "ledger.db", sent), seconds=3 * HEARTBEAT_SECONDS)
        running = told(tmp_path, surroundings)
        assert (of(running, "stopped"), of(running, "posts_total", outcome="accepted")) == (0, 1)
        agent.send_signal(signal.SIGKILL)
    dead = told(tmp_path, surroundings)
    assert of(dead, "stopped") == 0, "nobody has stopped it"
    assert of(dead, "posts_total", outcome="accepted") == 1
    write(tmp_path / "inbox" / "b.jpg", image(2))
    command("run", "--once", environ=surroundings, cwd=tmp_path)
    assert of(told(tmp_path, surroundings), "posts_total", outcome="accepted") == 2


def test_no_job_has_the_counters_written_but_a_heartbeat_or_the_end(
    tmp_path: Path, playment: Playment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "HEARTBEAT_SECONDS", 3600.0)
    rows = "select name from counters"
    with Agent(settings(tmp_path, playment.url)) as agent:
        eventually(lambda: agent.value("heartbeat_at") != agent.value("started_at"))
        beat = agent.value("heartbeat_at")
        write(agent.inbox / "a.jpg", image(1))
        agent.becomes("a.jpg", "submitted")
        assert query(agent.settings.ledger_path, rows) == []
        assert agent.value("heartbeat_at") == beat
    written = query(agent.settings.ledger_path, rows)
    assert {row["name"] for row in written} == {"posts", "post_count", "post_seconds"}


ANSWERS = {
    "refused": refusal(400, "FS_0002"),
    "away": refusal(503, "x"),
    "too-often": refusal(429, "x"),
    "later": refusal(400, "FS_0007"),
    "access": refusal(401, "unauthorized"),
    "credit": refusal(402, "no_credit"),
    "accepted": None,
}


@pytest.mark.parametrize("outcome", ANSWERS)
def test_each_answer_is_counted_once_by_what_it_means(
    tmp_path: Path, server: Server, clock: Clock, outcome: str
) -> None:
    server.answer = lambda _body: ANSWERS[outcome]
    with Sending(tmp_path, server.url, clock) as sending:
        sending.drop("a.jpg")
        meters = sending.context.meters
        eventually(lambda: meters.sums().get(("posts", outcome)))
        sums = meters.sums()
        assert sums["posts", outcome] == sums["post_count", "0.05"] == 1
        assert not any(name == "retries" for name, _ in sums)
        server.answer = lambda _body: None
        sending.passes_until(lambda: outcome in ("refused", "access") or sending.states() == {"submitted": 1})
        sums = meters.sums()
        posts = sum(value for (name, _), value in sums.items() if name == "posts")
        assert posts == len(server.posts()) == 1 + sums.get(("retries", ""), 0)


def test_uploads_are_counted_with_their_bytes(tmp_path: Path, server: Server, clock: Clock) -> None:
    with Sending(tmp_path, server.url, clock, publisher=Uploads()) as sending:
        sending.drop("a.jpg", b"12345")
        sending.drop_frames("drive", ["f_1.jpg", "f_2.jpg"])
        sending.becomes(submitted=2)
        sums = sending.context.meters.sums()
    assert sums["uploads", ""] == 3
    assert sums["uploaded_bytes", ""] == 5 + 2 * len("drive/f_1.jpg")


def test_sums_that_are_written_twice_or_late_count_nothing_twice(tmp_path: Path) -> None:
    with contextlib.closing(Ledger(tmp_path / "ledger.db", Clock().now)) as ledger:
        for sums in ({("posts", "accepted"): 5.0}, {("posts", "accepted"): 5.0}, {("posts", "accepted"): 3.0}, {}):
            with ledger.transaction():
                counters.keep(ledger, sums)
        assert counters.kept(ledger) == {("posts", "accepted"): 5.0}


def test_what_waits_is_told_by_its_oldest_and_open_folders_are_counted(tmp_path: Path) -> None:
    clock = Clock()
    with contextlib.closing(Ledger(tmp_path / "ledger.db", clock.now)) as ledger, ledger.transaction():
        first = clock.now()
        for path, kind in (("drive", Kind.SEQUENCE), ("a.jpg", Kind.IMAGE), ("tour", Kind.SEQUENCE)):
            notice(ledger, Sight(path, kind, "waits", 1, 10))
            clock.advance(10)
    with Reads.open(tmp_path / "ledger.db") as reads:
        numbers = parsed(exposition(reads, clock.now()).decode())
    assert of(numbers, "oldest_waiting_timestamp_seconds") == first.timestamp()
    assert of(numbers, "open_sequences") == 2


def test_a_ledger_that_no_version_with_counters_has_opened_is_told_as_far_as_it_goes(tmp_path: Path) -> None:
    older_ledgers.make(tmp_path / "ledger.db", 300)
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.db")) as ledger, ledger:
        ledger.execute("insert into agent values ('heartbeat_at', '2026-11-21T22:20:08.123Z')")
    numbers = told(tmp_path, {"LEDGER_PATH": str(tmp_path / "ledger.db")})
    assert total(numbers, "jobs") == 300
    assert of(numbers, "heartbeat_timestamp_seconds") == datetime.fromisoformat("2026-11-21T22:20:08.123Z").timestamp()
    assert total(numbers, "posts_total") == of(numbers, "open_sequences") == 0
    assert query(tmp_path / "ledger.db", "pragma user_version")[0]["user_version"] == older_ledgers.VERSION


@pytest.mark.parametrize("content", [None, b"no database" * 100])
def test_a_ledger_that_cannot_be_read_is_told_too(tmp_path: Path, content: bytes | None) -> None:
    if content:
        write(tmp_path / "ledger.db", content)
    done = command("status", "--prometheus", environ={"LEDGER_PATH": str(tmp_path / "ledger.db")}, cwd=tmp_path)
    assert parsed(done.stdout) == {("ledger_readable", ()): 0}
    assert (done.returncode, len(done.stderr.splitlines())) == (0, 1), "what is printed is to be taken, and why is said"
    is_well(done.stdout)


def test_troubles_are_told_and_the_exit_code_says_only_that_they_are(tmp_path: Path) -> None:
    surroundings = environ(tmp_path, "http://127.0.0.1:9")
    now = utc_now()
    with contextlib.closing(Ledger(tmp_path / "ledger.db", utc_now)) as ledger, ledger.transaction():
        ledger.record(None, "started")
        beat = iso(now - timedelta(hours=1))
        ledger.put(started_at=beat, heartbeat_at=beat, blocked="no", paused="1", outage="away", unpublished="full")
        ledger.put(unpublished_since=beat)
    numbers = told(tmp_path, surroundings)
    assert command("status", environ=surroundings, cwd=tmp_path).returncode == 3
    assert of(numbers, "blocked") == of(numbers, "paused") == 1
    assert {dict(labels)["remote"]: value for (name, labels), value in numbers.items() if name == "breaker_open"} == {
        "target": 1,
        "store": 1,
        "fleet": 0,
    }
    assert of(numbers, "stopped") == 0
    assert of(numbers, "heartbeat_timestamp_seconds") == pytest.approx(now.timestamp() - 3600, abs=0.01)
    assert of(numbers, "attention_jobs") == 1


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with contextlib.closing(Ledger(tmp_path / "ledger.db", utc_now)):
        pass
    monkeypatch.setattr(disk, "LITTLE", 2**62)
    with Reads.open(tmp_path / "ledger.db") as reads:
        assert of(parsed(exposition(reads, utc_now()).decode()), "ledger_writable") == 0


def test_however_many_jobs_there_are_the_series_are_as_many_and_name_none(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with contextlib.closing(Ledger(path, utc_now)) as ledger:
        with Reads.open(path) as reads:
            before = parsed(exposition(reads, utc_now()).decode())
        with ledger.transaction():
            for number in range(200):
                notice(ledger, Sight(f'h{number}"}}\n#\nostile.jpg', Kind.IMAGE, f'rea"son{number}', 1, 10))
        with Reads.open(path) as reads:
            text = exposition(reads, utc_now()).decode()
    assert "ostile" not in text
    assert 'rea"son' not in text.replace("\\", "")
    assert parsed(text).keys() - before.keys() == {("oldest_waiting_timestamp_seconds", ())}
    assert len(before) < 80


def test_the_line_for_cron_replaces_whole_files_and_keeps_the_last_one(tmp_path: Path, playment: Playment) -> None:
    surroundings = environ(tmp_path, playment.url)
    command("run", "--once", environ=surroundings, cwd=tmp_path)
    (line,) = re.findall(r"^```crontab\n\* \* \* \* \* root (.+)\n```$", OPERATING, flags=re.MULTILINE)
    given = write(tmp_path / "agent.env", "".join(f"{name}={value}\n" for name, value in surroundings.items()).encode())
    given.chmod(0o600)
    here = {
        "/var/lib/prometheus/node-exporter/": f"{tmp_path}/text/",
        "/usr/sbin/runuser -u playment-agent -- /opt/playment-agent/bin/playment-agent": f"{sys.executable} -m agent",
        "/etc/playment-agent/agent.env": str(given),
    }
    for there, instead in here.items():
        assert there in line
        line = line.replace(there, instead)
    (tmp_path / "text").mkdir()
    told = tmp_path / "text" / "playment-agent.prom"
    assert run(["sh", "-c", line], environ={}, cwd=PACKAGE.parent).returncode == 0
    is_well(told.read_text())
    assert os.listdir(told.parent) == [told.name]
    before = told.stat()
    assert run(["sh", "-c", line], environ={}, cwd=PACKAGE.parent).returncode == 0
    assert told.stat().st_ino != before.st_ino, "who has it open reads on in the whole one"
    given.unlink()
    text = told.read_text()
    assert run(["sh", "-c", line], environ={}, cwd=PACKAGE.parent).returncode == 2
    assert told.read_text() == text


def test_without_the_extra_it_says_so_in_one_sentence(tmp_path: Path) -> None:
    program = "import sys; sys.modules['prometheus_client'] = None; from agent.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "status", "--prometheus"],
        env={**os.environ, **environ(tmp_path, "http://127.0.0.1:9")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr == "playment-agent: --prometheus needs what is not installed: pip install 'prometheus-client<1'.\n"
    )


def test_the_alerts_hold_and_say_what_to_do_when_they_should(tmp_path: Path) -> None:
    tests = write(tmp_path / "tests.yml", TOLD.read_bytes().replace(b"[RULES]", f"[{RULES}]".encode()))
    for arguments in (("check", "rules", str(RULES)), ("test", "rules", str(tests))):
        done = subprocess.run(
            [promtool().path, *arguments], capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "SUCCESS" in done.stdout


def test_the_alerts_ask_for_numbers_and_name_commands_that_there_are(tmp_path: Path) -> None:
    rules = RULES.read_text(encoding="utf-8")
    with contextlib.closing(Ledger(tmp_path / "ledger.db", utc_now)) as ledger, ledger.transaction():
        ledger.put(heartbeat_at=iso(utc_now()), started_at=iso(utc_now()))
        notice(ledger, Sight("a.jpg", Kind.IMAGE, "waits", 1, 10))
    with Reads.open(tmp_path / "ledger.db") as reads:
        there = {f"playment_agent_{name}" for name, _ in parsed(exposition(reads, utc_now()).decode())}
    assert set(re.findall(r"playment_agent_\w+", rules)) <= there
    named = set(re.findall(r"'playment-agent ([a-z -]+)'", rules))
    assert named
    for words in named:
        assert command(*words.split(), "--help", environ={}, cwd=tmp_path).returncode == 0
    alerts = re.findall(r"alert: (\w+)", rules)
    assert len(alerts) == 8
    assert all(f"alertname: {alert}\n" in TOLD.read_text(encoding="utf-8") for alert in alerts)
