"""Files dropped in every way there is while the agent runs: each unit is sent once, whole and settled; nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.support import Agent, Playment, command, environ, eventually, frames, image, query, settings, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

IMAGE_SETTLE = 0.5
SEQUENCE_SETTLE = 1.0
"""Several times the pauses of who writes slowly below, so that one that lasts longer on a busy machine is none."""
SETTLE = {"SETTLE_SECONDS": str(IMAGE_SETTLE), "SEQUENCE_SETTLE_SECONDS": str(SEQUENCE_SETTLE)}


@dataclass(frozen=True, slots=True)
class Dropped:
    """A unit that must be sent: its path, its frames in order (none for an image), a time before its last change."""

    path: str
    changed_at: float
    names: tuple[str, ...] = ()

    @property
    def settle(self) -> float:
        return SEQUENCE_SETTLE if self.names else IMAGE_SETTLE


def numbered(count: int) -> tuple[str, ...]:
    return tuple(f"frame_{number}.jpg" for number in range(1, count + 1))


def slow_write(inbox: Path, _outside: Path) -> list[Dropped]:
    content = image(1, size=(64, 48))
    with open(inbox / "slow.jpg", "wb") as file:
        for start in range(0, len(content), len(content) // 8):
            at = time.monotonic()
            file.write(content[start : start + len(content) // 8])
            file.flush()
            time.sleep(0.12)
    return [Dropped("slow.jpg", at)]


def renamed_in(inbox: Path, outside: Path) -> list[Dropped]:
    # The time of the file is long past: only the rename is new.
    old = write(outside / "renamed.jpg", image(2))
    os.utime(old, (1e9, 1e9))
    at = time.monotonic()
    old.rename(inbox / "renamed.jpg")
    return [Dropped("renamed.jpg", at)]


def temporary_name(inbox: Path, _outside: Path) -> list[Dropped]:
    write(inbox / "late.jpg.part", image(3))
    time.sleep(2 * IMAGE_SETTLE)
    at = time.monotonic()
    (inbox / "late.jpg.part").rename(inbox / "late.jpg")
    return [Dropped("late.jpg", at)]


def hard_link(inbox: Path, outside: Path) -> list[Dropped]:
    old = write(outside / "linked.jpg", image(4))
    at = time.monotonic()
    os.link(old, inbox / "linked.jpg")
    return [Dropped("linked.jpg", at)]


def from_the_future(inbox: Path, outside: Path) -> list[Dropped]:
    file = write(outside / "future.jpg", image(5))
    os.utime(file, (4e9, 4e9))
    at = time.monotonic()
    file.rename(inbox / "future.jpg")
    return [Dropped("future.jpg", at)]


def copied_tree(inbox: Path, outside: Path) -> list[Dropped]:
    frames(outside / "copied", 12, seed=6)
    frames(outside / "copied" / "inner" / "deep", 3, seed=7)
    at = time.monotonic()
    subprocess.run(["cp", "-r", outside / "copied", inbox], check=True)
    return [Dropped("copied", at, numbered(12)), Dropped("copied/inner/deep", at, numbered(3))]


def moved_tree(inbox: Path, outside: Path) -> list[Dropped]:
    frames(outside / "moved", 4, seed=8)
    frames(outside / "moved" / "left", 3, seed=9)
    frames(outside / "moved" / "right" / "a b", 3, seed=10)
    at = time.monotonic()
    (outside / "moved").rename(inbox / "moved")
    names = numbered(3)
    return [Dropped("moved", at, numbered(4)), Dropped("moved/left", at, names), Dropped("moved/right/a b", at, names)]


def moved_from_a_hidden_folder(inbox: Path, _outside: Path) -> list[Dropped]:
    frames(inbox / ".uploading" / "shot", 3, seed=11)
    time.sleep(1.5 * SEQUENCE_SETTLE)
    at = time.monotonic()
    (inbox / ".uploading" / "shot").rename(inbox / "shot")
    return [Dropped("shot", at, numbered(3))]


def copied_as_rsync_does(inbox: Path, _outside: Path) -> list[Dropped]:
    folder = inbox / "like rsync"
    folder.mkdir()
    for number in range(1, 4):
        content = image(1200 + number, size=(64, 48))
        temporary = folder / f".frame_{number}.jpg.aB3dE{number}"
        with open(temporary, "wb") as file:
            for start in range(0, len(content), len(content) // 7):
                file.write(content[start : start + len(content) // 7])
                file.flush()
                time.sleep(0.12)
        at = time.monotonic()
        temporary.rename(folder / f"frame_{number}.jpg")
    return [Dropped("like rsync", at, numbered(3))]


def growing(inbox: Path, _outside: Path) -> list[Dropped]:
    for number in range(1, 9):
        at = time.monotonic()
        frames(inbox / "growing", 1, seed=14, first=number)
        time.sleep(0.3)
    return [Dropped("growing", at, numbered(8))]


def one_frame_rewritten(inbox: Path, _outside: Path) -> list[Dropped]:
    frames(inbox / "rewritten", 3, seed=15)
    for seed in range(5):
        time.sleep(0.25)
        at = time.monotonic()
        write(inbox / "rewritten" / "frame_2.jpg", image(1510 + seed))
    return [Dropped("rewritten", at, numbered(3))]


def never_units(inbox: Path, outside: Path) -> list[Dropped]:
    for name in (".hidden.jpg", "a.jpg.part", "b.tmp", "c.jpg.crdownload", "d.filepart", "e.jpg~", ".f.jpg.Ab12Cd"):
        write(inbox / name, image(16))
    for name in ("notes.txt", "no-extension", ".playment.toml", "movie.mp4"):
        write(inbox / name, b"text")
    frames(inbox / ".hidden folder", 2, seed=17)
    frames(inbox / "folder.part", 2, seed=17)
    (inbox / "empty folder").mkdir()
    frames(outside / "secret", 2, seed=18)
    (inbox / "link to a folder").symlink_to(outside / "secret")
    return []


DROPS: tuple[Callable[[Path, Path], list[Dropped]], ...] = (
    slow_write, renamed_in, temporary_name, hard_link, from_the_future, copied_tree, moved_tree,
    moved_from_a_hidden_folder, copied_as_rsync_does, growing, one_frame_rewritten, never_units,
)  # fmt: skip


def check(playment: Playment, wanted: list[Dropped]) -> None:
    """Every unit is there once, with its frames in order, and came after it had settled; nothing else ever came."""
    assert playment.paths() == sorted(unit.path for unit in wanted)
    for unit in wanted:
        receipt = playment.receipt(unit.path)
        assert receipt.names == unit.names
        assert receipt.at >= unit.changed_at + unit.settle, f"{unit.path} was sent too early"


def drop(inbox: Path, outside: Path) -> list[Dropped]:
    with ThreadPoolExecutor(len(DROPS)) as pool:
        return [unit for units in pool.map(lambda way: way(inbox, outside), DROPS) for unit in units]


@pytest.mark.parametrize("mode", ["events", "poll"])
def test_every_way_to_drop(tmp_path: Path, mode: str) -> None:
    with Playment() as playment:
        chosen = settings(tmp_path, playment.url, WATCH_MODE=mode, WATCH_POLL_SECONDS="0.5", **SETTLE)
        with Agent(chosen) as agent:
            wanted = drop(agent.inbox, tmp_path / "outside")
            eventually(lambda: len(playment.jobs) >= len(wanted))
            # What came is known for good: touching everything sends nothing, not even before what comes later.
            for path in agent.inbox.rglob("*"):
                os.utime(path, follow_symlinks=False)
            wanted.append(Dropped("later", time.monotonic(), numbered(3)))
            frames(agent.inbox / "later", 3, seed=19)
            agent.becomes("later", "submitted")
            agent.rests()
        assert agent.code == 0
        check(playment, wanted)
        kept = query(chosen.ledger_path, "select path, state from jobs order by path")
        told = [("movie.mp4", "invalid"), *((unit.path, "submitted") for unit in wanted)]
        assert kept == [{"path": path, "state": state} for path, state in sorted(told)]


@pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed")
def test_a_slow_copy_by_the_real_rsync(tmp_path: Path) -> None:
    for number in range(1, 4):
        write(tmp_path / "rsynced" / f"frame_{number}.jpg", image(number) + bytes(40_000))
    with Playment() as playment, Agent(settings(tmp_path, playment.url, **SETTLE)) as agent:
        started = time.monotonic()
        subprocess.run(["rsync", "-rt", "--bwlimit=40", tmp_path / "rsynced", agent.inbox], check=True)
        copied_at = (agent.inbox / "rsynced" / "frame_3.jpg").stat().st_ctime - time.time() + time.monotonic()
        assert copied_at - started > 2 * SEQUENCE_SETTLE
        agent.becomes("rsynced", "submitted")
        check(playment, [Dropped("rsynced", copied_at, numbered(3))])


def test_what_was_there_and_what_came_while_it_was_stopped(tmp_path: Path) -> None:
    with Playment() as playment:
        chosen = settings(tmp_path, playment.url)
        inbox = chosen.watch_dir
        frames(inbox / "before", 3, seed=1)
        write(inbox / "before.jpg", image(2))
        with Agent(chosen) as agent:
            agent.becomes("before", "submitted")
            agent.becomes("before.jpg", "submitted")
        write(inbox / "meanwhile.jpg", image(3))
        frames(inbox / "meanwhile", 3, seed=4)
        (inbox / "before.jpg").rename(inbox / "renamed.jpg")
        write(inbox / "before" / "frame_4.jpg", image(5))
        with Agent(chosen) as agent:
            agent.becomes("meanwhile", "submitted")
            agent.becomes("meanwhile.jpg", "submitted")
            agent.becomes("renamed.jpg", "submitted")
            _, held = agent.becomes("before", "submitted", "held")
        assert held["reason"] == "1 frame added after submission: frame_4.jpg"
        assert held["error_code"] == "changed"
        assert playment.paths() == ["before", "before.jpg", "meanwhile", "meanwhile.jpg"]


def test_a_ready_marker_that_comes_before_its_frames(tmp_path: Path) -> None:
    with Playment() as playment:
        chosen = settings(
            tmp_path, playment.url, SEQUENCE_READY_MARKER="_READY", **{**SETTLE, "SEQUENCE_SETTLE_SECONDS": "30"}
        )
        env = environ(tmp_path, playment.url, SEQUENCE_READY_MARKER="_READY")
        with Agent(chosen) as agent:
            first = agent.inbox / "marked first"
            write(first / "_READY", b"")
            frames(agent.inbox / "never marked", 3, seed=1)
            frames(agent.inbox / "marked last", 3, seed=2)
            temporary = write(first / ".frame_1.jpg.Ab12Cd", image(31)[:100])
            time.sleep(3 * IMAGE_SETTLE)
            assert agent.states("marked first") == []
            temporary.write_bytes(image(31))
            second = write(first / ".frame_2.jpg.Ab12Cd", image(32))
            temporary.rename(first / "frame_1.jpg")
            time.sleep(3 * IMAGE_SETTLE)
            agent.becomes("marked first", "settling")
            waits = "waits for .frame_2.jpg.Ab12Cd (a copy under way?)"
            eventually(lambda: agent.rows("marked first")[0]["reason"] == waits)
            renamed_at = time.monotonic()
            second.rename(first / "frame_2.jpg")
            marked_at = time.monotonic()
            write(agent.inbox / "marked last" / "_READY", b"")
            agent.becomes("marked first", "submitted")
            agent.becomes("marked last", "submitted")
            (waiting,) = agent.becomes("never marked", "settling")
            assert waiting["reason"] == "waits for the ready marker _READY"
            told = command("explain", "never marked", environ=env, cwd=tmp_path)
            assert "waits for the ready marker _READY" in told.stdout
        check(
            playment,
            [
                Dropped("marked first", renamed_at - SEQUENCE_SETTLE + IMAGE_SETTLE, numbered(2)),
                Dropped("marked last", marked_at - SEQUENCE_SETTLE + IMAGE_SETTLE, numbered(3)),
            ],
        )


@pytest.mark.timeout(120)
def test_a_burst_loses_nothing(tmp_path: Path) -> None:
    """2,000 files at once, four times: written and renamed in, into one folder and into 50 new ones."""
    outside = tmp_path / "outside"
    outside.mkdir()
    contents = [image(seed, size=(4, 4)) for seed in range(2000)]
    for number, content in enumerate(contents):
        (outside / f"renamed_{number}.jpg").write_bytes(content + b"renamed")

    def into_folders(how: Callable[[int, Path], object], prefix: str) -> None:
        for number in range(2000):
            folder = inbox / f"{prefix} {number % 50}"
            if number < 50:
                folder.mkdir()
            how(number, folder / f"frame_{number}.jpg")

    with Playment() as playment:
        chosen = settings(tmp_path, playment.url, **SETTLE)
        inbox = chosen.watch_dir
        with Agent(chosen) as agent:
            for number, content in enumerate(contents):
                (inbox / f"written_{number}.jpg").write_bytes(content)
            into_folders(lambda number, path: path.write_bytes(contents[number]), "written")
            for number in range(2000):
                os.link(outside / f"renamed_{number}.jpg", outside / f"again_{number}.jpg")
                (outside / f"renamed_{number}.jpg").rename(inbox / f"renamed_{number}.jpg")
            into_folders(lambda number, path: (outside / f"again_{number}.jpg").rename(path), "renamed")
            eventually(lambda: len(playment.jobs) >= 4100, seconds=90, every=0.1)
            agent.rests()
        assert len(playment.jobs) == len(playment.receipts) == 4100
        sequences = [receipt for receipt in playment.receipts if receipt.names]
        assert {len(receipt.names) for receipt in sequences} == {40}
        assert sorted(receipt.path for receipt in sequences) == sorted(
            f"{way} {number}" for way in ("written", "renamed") for number in range(50)
        )
        assert query(chosen.ledger_path, "select state, jobs, frames from status") == [
            {"state": "submitted", "jobs": 4100, "frames": 8000}
        ]
