"""The whole program: start, signals, systemd's notifications, crashes, status, and a watch folder that goes away."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from agent.service.loop import Service
from tests.support import (
    Agent,
    Playment,
    bytes_read,
    children,
    command,
    environ,
    eventually,
    frames,
    image,
    process,
    query,
    settings,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


WAITING = "select 1 from jobs where state in ('settling', 'pending', 'submitting')"


class Systemd:
    """The receiving end of sd_notify: a real datagram socket."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind(str(path))
        self._messages: list[str] = []

    @property
    def messages(self) -> list[str]:
        with contextlib.suppress(BlockingIOError):
            while True:
                self._messages.append(self.socket.recv(4096).decode())
        return self._messages


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    systemd = Systemd(tmp_path / "notify")
    with systemd.socket:
        yield systemd


def scanned(ledger: Path) -> bool:
    if not ledger.exists():
        return False
    with contextlib.suppress(Exception):
        return bool(query(ledger, "select 1 from agent where key = 'last_scan_at'"))
    return False


def test_a_clean_stop_finishes_what_is_in_flight(tmp_path: Path, systemd: Systemd) -> None:
    with Playment(latency=6.0) as playment:
        env = environ(tmp_path, playment.url, NOTIFY_SOCKET=str(systemd.path), SUBMIT_WORKERS="2")
        inbox, ledger = tmp_path / "inbox", tmp_path / "ledger.db"
        for number in range(12):
            write(inbox / f"{number}.jpg", image(number))
        with process("run", environ=env, cwd=tmp_path) as agent:
            eventually(lambda: len(playment.receipts) == 2)
            eventually(lambda: "STATUS=0 submitted, 12 waiting, 0 need attention" in systemd.messages)
            assert "READY=1" in systemd.messages
            assert systemd.messages.index("READY=1") == 0
            eventually(lambda: systemd.messages.count("WATCHDOG=1") >= 2)
            started = time.monotonic()
            agent.send_signal(signal.SIGTERM)
            assert agent.wait(timeout=25) == 0
            assert time.monotonic() - started < 20
        told = systemd.messages
        assert "STOPPING=1" in told
        assert told.index("STOPPING=1") > told.index("READY=1")
        assert len(playment.jobs) == 2
        sent = query(ledger, "select job_id from jobs where state = 'submitted'")
        assert sorted(row["job_id"] for row in sent) == sorted(job.job_id for job in playment.jobs)
        assert query(ledger, "select state, jobs from status") == [
            {"state": "pending", "jobs": 10},
            {"state": "submitted", "jobs": 2},
        ]
        last = query(ledger, "select event from events order by id desc limit 1")
        assert last == [{"event": "stopped"}]


def test_a_second_signal_stops_at_once_and_nothing_is_sent_twice(tmp_path: Path) -> None:
    with Playment(latency=8.0) as playment:
        env = environ(tmp_path, playment.url)
        inbox, ledger = tmp_path / "inbox", tmp_path / "ledger.db"
        write(inbox / "a.jpg", image(1))
        with process("run", environ=env, cwd=tmp_path) as agent:
            eventually(lambda: playment.receipts)
            agent.send_signal(signal.SIGINT)
            eventually(lambda: "once more stops at once" in (tmp_path / "agent.log").read_text())
            started = time.monotonic()
            agent.send_signal(signal.SIGTERM)
            assert agent.wait(timeout=10) == -signal.SIGTERM
            assert time.monotonic() - started < 6
        assert query(ledger, "select state from jobs") == [{"state": "submitting"}]
        eventually(lambda: playment.jobs)
        playment._latency = 0.0
        with process("run", environ=env, cwd=tmp_path) as agent:
            eventually(lambda: query(ledger, "select 1 from jobs where state = 'submitted'"))
            agent.send_signal(signal.SIGTERM)
            agent.wait(timeout=25)
        (job,) = playment.jobs
        assert query(ledger, "select job_id from jobs") == [{"job_id": job.job_id}]


def test_killed_at_any_moment_each_job_is_there_once(tmp_path: Path) -> None:
    count = 120
    with Playment(latency=0.02) as playment:
        env = environ(tmp_path, playment.url, SUBMIT_WORKERS="4")
        inbox, ledger = tmp_path / "inbox", tmp_path / "ledger.db"
        for number in range(count):
            write(inbox / f"{number}.jpg", image(number, size=(4, 4)))
        for enough in (1, 30, 70, count):
            with process("run", environ=env, cwd=tmp_path) as agent:
                eventually(lambda enough=enough: len(playment.jobs) >= enough)  # type: ignore[misc]
                if enough < count:
                    agent.kill()
                    agent.wait()
                    write(inbox / f"s{enough}" / "frame_1.jpg", image(enough))
                else:
                    eventually(lambda: len(playment.jobs) == count + 3 and not query(ledger, WAITING))
                    agent.send_signal(signal.SIGTERM)
                    assert agent.wait(timeout=25) == 0
        assert playment.paths() == sorted([*(f"{number}.jpg" for number in range(count)), "s1", "s30", "s70"])
        kept = query(ledger, "select job_id from jobs where state = 'submitted'")
        assert sorted(row["job_id"] for row in kept) == sorted(job.job_id for job in playment.jobs)


def test_once_does_not_take_its_own_slowness_for_growth(tmp_path: Path) -> None:
    """Found here: a turn that took longer than `GROWING` settle times left what had only just been seen."""
    with Playment() as playment:
        write(tmp_path / "inbox" / "a.jpg", image(1))
        slow = Service(settings(tmp_path, playment.url), once=True, progress=lambda: time.sleep(1.0))
        assert slow.run() == 0
    assert playment.paths() == ["a.jpg"]


def test_a_stop_does_not_wait_for_what_can_be_read_later(tmp_path: Path) -> None:
    """Found here: all that had settled was read to its end first, for 18 s at most and past the 20 s in all."""
    with Playment() as playment, Agent(settings(tmp_path, playment.url)) as agent:
        large = write(tmp_path / "large", image(1))
        os.truncate(large, 64 * 2**20)
        for name in ("s1", "s2", "s3"):
            (agent.inbox / name).mkdir()
            for number in range(200):  # 7 s of reading each
                os.link(large, agent.inbox / name / f"frame_{number}.jpg")
        before = bytes_read(os.getpid(), *children(os.getpid()))
        eventually(lambda: bytes_read(os.getpid(), *children(os.getpid())) > before + 2**28)
        started = time.monotonic()
        assert agent.stop() == 0
        assert time.monotonic() - started < 4
        assert {row["state"] for row in query(agent.settings.ledger_path, "select state from jobs")} == {"settling"}
        assert playment.jobs == []


def test_status_and_attention_answer_right_under_load(tmp_path: Path) -> None:
    with Playment() as playment, Agent(settings(tmp_path, playment.url)) as agent:
        ledger = agent.settings.ledger_path
        bad = {
            "text.jpg": b"a text that calls itself an image, long enough",
            "cut.jpg": image(1, size=(64, 48))[:-200],
            "empty.jpg": b"",
        }
        for name, content in bad.items():
            write(agent.inbox / name, content)
        (agent.inbox / "link.jpg").symlink_to("/etc/hostname")
        with open(bytes(agent.inbox) + b"/caf\xe9.jpg", "wb") as file:
            file.write(image(2))
        for number in range(600):
            write(agent.inbox / f"{number}.jpg", image(number, size=(4, 4)))
            if number % 20 == 0:
                frames(agent.inbox / f"s{number}", 3, seed=number)
        while len(playment.jobs) < 630:
            status = query(ledger, "select state, jobs, frames from status")
            counted = query(ledger, "select count(*) as jobs from jobs")
            assert sum(row["jobs"] for row in status) <= counted[0]["jobs"]
            time.sleep(0.02)
        agent.rests()
        assert query(ledger, "select state, jobs, frames from status") == query(
            ledger,
            "select state, count(*) as jobs, sum(frame_count) as frames from jobs group by state order by 1 desc",
        )
        attention = {row["path"]: row["reason"] for row in query(ledger, "select * from attention")}
        assert attention.keys() == {*bad, "link.jpg", "caf\\xe9.jpg"}
        assert all(len(reason) > 15 for reason in attention.values())
        assert attention["link.jpg"] == "it is a symbolic link, not a regular file; links are never followed"
        assert "not UTF-8" in attention["caf\\xe9.jpg"]
        assert len(playment.jobs) == len(playment.receipts) == 630
        # What is mended is sent.
        write(agent.inbox / "cut.jpg", image(1, size=(64, 48)))
        agent.becomes("cut.jpg", "submitted")


@pytest.mark.parametrize("mode", ["events", "poll"])
def test_the_watch_folder_goes_and_comes_back(tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # One sweep that takes long here does not put off the next.
    monkeypatch.setattr("agent.noticing.rounds.SWEEP_SHARE", 5)
    with Playment() as playment:
        chosen = settings(tmp_path, playment.url, WATCH_MODE=mode, WATCH_POLL_SECONDS="1", SEQUENCE_SETTLE_SECONDS="4")
        away = tmp_path / "away"
        with Agent(chosen) as agent:
            inbox = agent.inbox
            write(inbox / "sent.jpg", image(1))
            agent.becomes("sent.jpg", "submitted")
            frames(inbox / "waits", 3, seed=2)
            write(inbox / "bad.jpg", b"no image at all, but text that is long enough")
            agent.becomes("waits", "settling")
            agent.becomes("bad.jpg", "invalid")

            inbox.rename(away)
            time.sleep(5)
            write(away / "meanwhile.jpg", image(3))
            assert agent.states("waits") == ["settling"]
            away.rename(inbox)
            agent.becomes("waits", "submitted")
            agent.becomes("meanwhile.jpg", "submitted")
            write(inbox / "after.jpg", image(4))
            agent.becomes("after.jpg", "submitted")

            inbox.rename(away)
            inbox.mkdir()
            write(inbox / "new.jpg", image(5))
            agent.becomes("new.jpg", "submitted")
            assert agent.states("bad.jpg") == ["invalid"]
            assert not query(chosen.ledger_path, "select 1 from jobs where state = 'gone'")
            # Taken up for good: its lock, its events, and what is deleted in it now.
            second = command("run", environ=environ(tmp_path, playment.url, LEDGER_PATH="other.db"), cwd=tmp_path)
            assert second.returncode == 2
            assert str(os.getpid()) in second.stderr
            write(inbox / "last.jpg", image(6)[:-40])
            agent.becomes("last.jpg", "invalid")
            (inbox / "last.jpg").unlink()
            agent.becomes("last.jpg", "gone")
            assert agent.states("bad.jpg") == ["invalid"]
        assert playment.paths() == ["after.jpg", "meanwhile.jpg", "new.jpg", "sent.jpg", "waits"]
        assert len(playment.receipts) == 5


def test_a_folder_deleted_while_it_is_watched_is_taken_up_when_it_is_made_again(tmp_path: Path) -> None:
    with Playment() as playment, Agent(settings(tmp_path, playment.url)) as agent:
        write(agent.inbox / "a.jpg", b"no image at all, but text that is long enough")
        agent.becomes("a.jpg", "invalid")
        subprocess.run(["rm", "-r", agent.inbox], check=True)
        eventually(lambda: not agent.inbox.exists())
        time.sleep(2.5)
        agent.inbox.mkdir()
        write(agent.inbox / "b.jpg", image(1))
        agent.becomes("b.jpg", "submitted")
