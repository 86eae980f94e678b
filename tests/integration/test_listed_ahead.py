"""Listings that processes make ahead: what they say, when they count, and what becomes of those who make them."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from agent.core.fingerprints import fingerprint_of
from agent.core.listing_queue import ListingQueue
from agent.folder.entries import unpacked
from agent.folder.scanner import Scanner
from agent.folder.tree import Tree
from agent.host.clock import Clocks
from agent.model.files import PackedFiles
from agent.noticing import ahead as ahead_module
from agent.noticing.ahead import Ahead
from agent.reading.processes import listed as listed_module
from agent.reading.processes import listings as listings_module
from agent.reading.processes.listed import Folders, Listed, listed
from agent.reading.processes.listings import ListingProcesses
from agent.settings.parts import filters_of
from tests.benchmarks.running import SETTLES_NEVER, Running
from tests.support import eventually, settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.noticing.ahead import Early
    from agent.reading.processes.process import WorkerProcess

FOLDERS = ("a", "b", "c", "d", "e", "f")


@pytest.fixture
def scanner(tmp_path: Path) -> Scanner:
    root = tmp_path / "inbox"
    for folder in FOLDERS:
        (root / folder / "inner").mkdir(parents=True)
        for number in range(10):
            (root / folder / f"frame_{number}.jpg").write_bytes(bytes(number))
    os.close(os.open(os.fsencode(root / "a") + b"/\xe9.jpg", os.O_CREAT | os.O_WRONLY))
    (root / "a" / "notes.txt").write_text("x")
    return Scanner(root, filters_of(settings(tmp_path, "http://127.0.0.1:9")))


@pytest.fixture
def processes(scanner: Scanner) -> Iterator[ListingProcesses]:
    processes = ListingProcesses(scanner, 2)
    eventually(lambda: processes.room() == 2)
    yield processes
    processes.rest()


class Looked:
    """A queue with all folders, and what lists them ahead."""

    def __init__(self, scanner: Scanner, processes: ListingProcesses | None, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ahead_module, "MUCH", 0)
        self.queue = ListingQueue()
        self.covered: list[str] = []
        tree = Tree(scanner, filters_of(settings(scanner.root.parent, "http://127.0.0.1:9")))
        self.ahead = Ahead(tree, self.queue, processes, clocks=Clocks(), cover=self.covered.append)
        for folder in FOLDERS:
            self.queue.want(folder, 1.0)

    def take(self) -> tuple[str, Early | None]:
        """Take the next folder as the lister does."""
        self.ahead.ask(1.0)
        return self.taken()

    def taken(self) -> tuple[str, Early | None]:
        folder = self.queue.take(1.0)
        assert folder is not None
        waiting = self.ahead.take(folder, None)
        while True:
            try:
                next(waiting)
            except StopIteration as over:
                return folder, over.value


@pytest.fixture
def looked(scanner: Scanner, processes: ListingProcesses, monkeypatch: pytest.MonkeyPatch) -> Looked:
    return Looked(scanner, processes, monkeypatch)


def test_they_say_what_the_agent_would_see_in_its_order(scanner: Scanner, looked: Looked) -> None:
    for folder in FOLDERS:
        before = time.monotonic()
        taken, early = looked.take()
        assert taken == folder
        assert early is not None
        assert looked.covered.count(folder) == 1, "its events were had before it was looked into"
        assert early.started <= before or folder in FOLDERS[:1]
        own = scanner.list(folder)
        assert own is not None
        assert early.listing.seen == fingerprint_of(own.files)
        assert isinstance(early.listing.files, PackedFiles)
        there = replace(unpacked(early.listing), seen=b"")
        assert replace(there, files=tuple(sorted(there.files))) == replace(own, files=tuple(sorted(own.files)))


def test_of_what_is_new_the_files_are_had_and_no_strong_fingerprint(scanner: Scanner, looked: Looked) -> None:
    looked.ahead.known = False
    _, early = looked.take()
    own = scanner.list("a")
    assert early is not None
    assert own is not None
    assert not early.listing.seen
    assert early.listing.look == own.look, "one look is as the other, whoever has listed"


def test_what_happened_since_is_looked_at_anew(scanner: Scanner, looked: Looked) -> None:
    looked.ahead.ask(1.0)
    (scanner.root / "b" / "frame_0.jpg").write_bytes(b"longer")
    looked.queue.happens_in("b", 1.0)
    looked.queue.spoil("c")
    found = dict(looked.taken() for _ in FOLDERS)
    assert {folder for folder, early in found.items() if early is None} == {"b", "c"}


def test_a_watch_folder_that_was_another_one_proves_nothing(scanner: Scanner, looked: Looked) -> None:
    empty = scanner.root.with_name("empty")
    (empty / "a").mkdir(parents=True)
    scanner.root.rename(scanner.root.with_name("away"))
    empty.rename(scanner.root)
    asked = looked.ahead
    asked.ask(1.0)
    eventually(lambda: all(ticket.asked.process.has_something(0) for ticket in asked._tickets.values()))
    scanner.root.rename(empty)
    scanner.root.with_name("away").rename(scanner.root)
    assert looked.taken() == ("a", None)


def test_numbers_that_do_not_last_are_left_out_from_then_on(scanner: Scanner, looked: Looked) -> None:
    looked.ahead.ask(1.0)
    scanner.inodes_last = False
    assert looked.taken() == ("a", None), "it was asked for with them"


def test_one_that_is_killed_costs_a_look_and_no_listing_is_wrong(
    scanner: Scanner, processes: ListingProcesses, looked: Looked, caplog: pytest.LogCaptureFixture
) -> None:
    looked.ahead.ask(1.0)
    for process in [*processes.processes]:
        os.kill(process.pid, 9)
        eventually(partial(_has_ended, process))
    found = [looked.taken() for _ in FOLDERS]
    assert [folder for folder, _ in found] == [*FOLDERS]
    for folder, early in found:  # one may have answered before
        own = scanner.list(folder)
        assert own is not None
        assert early is None or early.listing.seen == fingerprint_of(own.files)
    assert "a process that lists folders has ended (signal 9): going on without it" in caplog.text
    assert processes.room() == 0, "what has ended one may end the next"
    assert not processes.processes


def test_one_that_hangs_is_not_waited_for(
    processes: ListingProcesses, looked: Looked, monkeypatch: pytest.MonkeyPatch
) -> None:
    for process in processes.processes:
        os.kill(process.pid, 19)
    looked.ahead.ask(1.0)
    monkeypatch.setattr(listings_module, "HUNG_SECONDS", 0.05)
    assert [early for _, early in (looked.taken() for _ in FOLDERS)] == [None] * len(FOLDERS)
    assert not processes.processes


def test_where_none_can_be_started_the_agent_lists(scanner: Scanner, monkeypatch: pytest.MonkeyPatch) -> None:
    for none in (None, ListingProcesses(scanner, 2, python="/nonexistent"), ListingProcesses(scanner, 0)):
        looked = Looked(scanner, none, monkeypatch)
        assert [early for _, early in (looked.take() for _ in FOLDERS)] == [None] * len(FOLDERS)


def test_few_files_start_none(scanner: Scanner, monkeypatch: pytest.MonkeyPatch) -> None:
    processes = ListingProcesses(scanner, 2)
    looked = Looked(scanner, processes, monkeypatch)
    monkeypatch.setattr(ahead_module, "MUCH", 20)
    own = scanner.list("b")
    assert own is not None
    looked.ahead.listed(own)
    looked.ahead.ask(1.0)
    assert not processes.processes
    looked.ahead.listed(own)
    looked.ahead.ask(1.0)
    assert len(processes.processes) == 2
    looked.ahead.idle(1.0)
    looked.ahead.idle(1.0 + ahead_module.LINGER)
    assert processes.processes
    looked.ahead.idle(1.1 + ahead_module.LINGER)
    assert not processes.processes


def test_answers_that_nobody_waits_for_are_in_nobodys_way(
    scanner: Scanner, processes: ListingProcesses, looked: Looked
) -> None:
    looked.ahead.ask(1.0)
    for folder in FOLDERS:
        looked.queue.spoil(folder)
    assert [early for _, early in (looked.taken() for _ in FOLDERS)] == [None] * len(FOLDERS)
    eventually(lambda: processes.room() == 2)
    asked = processes.ask([("c", None), ("d", None)], known=True)
    eventually(lambda: processes.is_answered(asked, 0.1))
    found = [one.listing.folder for one in asked.found or () if one]
    assert found == ["c", "d"]
    own = scanner.list("c")
    assert own is not None


def test_large_folders_are_the_agents_and_an_answer_is_bounded(
    scanner: Scanner, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = partial(listed, scanner, Folders((("a", None), ("b", None), ("gone", None), ("c", None)), True, True))
    assert [isinstance(one, Listed) for one in here()] == [True, True, False, True]
    monkeypatch.setattr(listed_module, "TOGETHER", 15)
    assert len(here()) == 2
    monkeypatch.setattr(listed_module, "MOST_FILES", 0)
    assert here() == [None] * 4


def test_they_take_little(processes: ListingProcesses) -> None:
    for process in processes.processes:
        with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
            resident = next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024
        assert resident < 25, f"{sys.version}: {resident} MiB"


@pytest.mark.parametrize("victims", [0, 2])
def test_a_large_scan_shows_all_that_is_there_and_comes_meanwhile(tmp_path: Path, victims: int) -> None:
    folders, count = 40, 1000
    for folder in range(folders):
        place = tmp_path / "inbox" / f"cam_{folder:02d}"
        place.mkdir(parents=True)
        for number in range(count):
            os.close(os.open(place / f"frame_{number:04d}.jpg", os.O_CREAT | os.O_WRONLY))
    with Running(tmp_path, SEQUENCE_SETTLE_SECONDS=SETTLES_NEVER) as agent:
        pids = eventually(agent.children)
        for pid in pids[:victims]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        for folder in range(folders):
            (tmp_path / "inbox" / f"cam_{folder:02d}" / f"frame_{count}.jpg").write_bytes(b"x")
        agent.until(lambda: agent.counts().get("settling") == (folders, folders * (count + 1)))
        if victims:
            assert "a process that lists folders has ended (signal 9): going on without it" in agent.said()
        else:
            agent.until(lambda: not agent.children())  # it has nothing to list any more


def _has_ended(process: WorkerProcess) -> bool:
    return not process.is_alive
