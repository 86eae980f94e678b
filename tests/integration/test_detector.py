"""Detection turn by turn, with the time handed in: real files, a real ledger, no watcher and no loop."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from typing import TYPE_CHECKING

import pytest

from agent.agenda import LULL
from agent.detector import Detector
from agent.filters import Filters
from agent.intake import Intake
from agent.ledger import orders
from agent.ledger.store import Ledger, connect
from agent.ledger.thread import LedgerThread
from agent.model import Kind, basename, parent
from agent.plan import Rules
from agent.quiet import Quiet
from agent.reader import Reader
from agent.scanner import Scanner
from agent.settle import UnitKey
from agent.watcher import Noticed
from agent.wiring import utc_now
from tests.support import frames, image, rows, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from agent.intake import Finished


class AtOnce:
    """Does what it is handed at once, in the caller's thread."""

    count = 1

    def submit(self, work: Callable[[], None]) -> None:
        work()

    def close(self, seconds: float) -> bool:
        return True


class Bench:
    """A detector whose time stands still until it is told to pass."""

    def __init__(self, place: Path, ledger: LedgerThread, *, trusted: bool = True) -> None:
        self.inbox = place / "inbox"
        self.path = place / "ledger.db"
        self.ledger = ledger
        self.reads = connect(self.path, read_only=True)
        self.now = 1000.0
        self.there = True
        self.listed: list[str] = []
        self.finished: list[Finished] = []
        filters = Filters.of(["jpg"], ["stills"])
        self.scanner = Scanner(self.inbox, filters)
        self.intake = Intake(
            self.scanner,
            Quiet(2.0, 30.0, ""),
            Rules("{path}~{digest}", "host"),
            reader=Reader(self.scanner, "warn"),
            readers=dict.fromkeys(Kind, AtOnce()),
            ledger=ledger,
            post=self.finished.append,
            wall=time.time,
            trusted=trusted,
        )
        self.detector = Detector(
            self.scanner,
            filters,
            self.intake,
            self.reads,
            fed=lambda: None,
            wall=lambda: time.time() + self.now,
            monotonic=lambda: self.now,
            cpu=lambda: 0.0,
            absence_is_proof=lambda: self.there,
        )

    def turn(self) -> float:
        """Take turns at one moment until nothing more comes of it, all of it written; return when the next is due."""
        while True:
            at = self.detector.turn(self.now)
            self.ledger.call(lambda _: None)
            finished = list(self.finished)
            self.finished.clear()
            for outcome in finished:
                self.detector.finished(outcome, self.now)
            if not finished and at > self.now:
                return at

    def after(self, seconds: float) -> float:
        self.now += seconds
        return self.turn()

    def notice(self, *paths: str) -> None:
        """Tell of events, and wait until what follows from them at once was done."""
        noticed = Noticed()
        for path in paths:
            is_folder = (self.inbox / path).is_dir()
            assert noticed.add(parent(path), os.fsencode(basename(path)), is_folder=is_folder)
        self.detector.noticed([noticed], self.now)
        self.turn()
        self.after(LULL)

    def state(self, path: str) -> str:
        found = rows(self.path, path)
        return str(found[-1]["state"]) if found else ""

    def send(self, path: str) -> None:
        """Write that a unit was sent."""
        self.ledger.call(
            lambda ledger: ledger.sql.execute("update jobs set state = 'submitted' where path = ?", (path,))
        )


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    (tmp_path / "inbox").mkdir()
    with contextlib.ExitStack() as stack:
        ledger = Ledger(tmp_path / "ledger.db", utc_now)
        stack.callback(ledger.close)
        thread = LedgerThread(ledger)
        stack.callback(thread.close)
        bench = Bench(tmp_path, thread)
        stack.callback(bench.reads.close)
        bench.detector.rescan(bench.now)
        bench.turn()
        yield bench


def test_an_image_settles_by_two_looks_its_quiet_time_apart(bench: Bench) -> None:
    file = write(bench.inbox / "a.jpg", image(1))
    bench.notice("a.jpg")
    assert bench.state("a.jpg") == "settling"
    bench.after(1.9)
    assert bench.state("a.jpg") == "settling"
    os.utime(file)
    bench.after(0.1)  # the look that was due finds it changed
    bench.after(1.9)
    assert bench.state("a.jpg") == "settling"
    bench.after(0.1)
    assert bench.state("a.jpg") == "pending"


def test_a_file_that_came_and_went_between_two_listings_is_gone(bench: Bench) -> None:
    """Found here: the folder's listing was as before, so that the file was looked for every second for ever."""
    write(bench.inbox / "there.jpg", image(1))
    bench.notice("there.jpg")
    bench.after(2)
    bench.detector.rescan(bench.now)
    bench.turn()
    bench.send("there.jpg")
    bench.detector.rescan(bench.now)
    bench.turn()
    write(bench.inbox / "moment.jpg", image(2))
    bench.notice("moment.jpg")
    assert bench.state("moment.jpg") == "settling"
    (bench.inbox / "moment.jpg").unlink()
    bench.notice("moment.jpg")
    assert bench.state("moment.jpg") == "gone"
    assert len(bench.intake.settle) == 0
    assert bench.after(0) > bench.now + 60


def test_a_sequence_settles_by_its_listing(bench: Bench) -> None:
    frames(bench.inbox / "s", 3, seed=1)
    bench.notice("s")
    bench.after(29)
    frames(bench.inbox / "s", 1, seed=1, first=4)
    bench.notice("s/frame_4.jpg")
    bench.after(29)
    assert bench.state("s") == "settling"
    bench.after(1)
    assert bench.state("s") == "pending"
    assert rows(bench.path, "s")[0]["frame_count"] == 4


@pytest.mark.parametrize("before", ["frames", "seen"])
def test_a_known_sequence_is_at_rest_after_a_restart(tmp_path: Path, bench: Bench, before: str) -> None:
    """By what the ledger keeps of its look, and in a ledger of before this was kept, by its frames."""
    frames(bench.inbox / "s", 3, seed=1)
    bench.notice("s")
    bench.after(30)
    bench.send("s")
    bench.ledger.call(lambda ledger: ledger.sql.execute(f"delete from {before}"))
    after = Bench(tmp_path, bench.ledger)
    with contextlib.closing(after.reads):
        after.detector.rescan(after.now)
        after.turn()
        assert len(after.intake.settle) == 0
        os.utime(after.inbox / "s" / "frame_2.jpg")
        after.detector.rescan(after.now)
        after.turn()
        assert len(after.intake.settle) == 1


def test_a_sweep_finds_what_no_event_told_of(bench: Bench) -> None:
    (bench.inbox / "s" / "deep").mkdir(parents=True)
    bench.detector.sweep(bench.now)
    bench.turn()
    write(bench.inbox / "a.jpg", image(1))
    frames(bench.inbox / "s" / "deep", 2, seed=1)
    bench.detector.sweep(bench.now)
    bench.turn()
    assert (bench.state("a.jpg"), bench.state("s/deep")) == ("settling", "settling")


def test_only_a_rescan_finds_what_was_rewritten_in_place(bench: Bench) -> None:
    file = write(bench.inbox / "a.jpg", image(1))
    bench.notice("a.jpg")
    bench.after(2)
    bench.send("a.jpg")
    for _ in range(2):  # the second listing finds all at rest
        bench.detector.rescan(bench.now)
        bench.turn()
    file.write_bytes(image(2))
    bench.detector.sweep(bench.now)
    bench.turn()
    assert len(bench.intake.settle) == 0
    bench.detector.rescan(bench.now)
    bench.turn()
    bench.after(2)
    assert [row["state"] for row in rows(bench.path, "a.jpg")] == ["submitted", "held"]


def test_a_folder_that_is_gone_takes_its_units_along(bench: Bench) -> None:
    frames(bench.inbox / "s" / "deep", 2, seed=1)
    frames(bench.inbox / "s2", 2, seed=2)
    write(bench.inbox / "stills" / "a.jpg", image(1))
    bench.detector.rescan(bench.now)
    bench.turn()
    bench.after(2)
    assert bench.state("stills/a.jpg") == "pending"
    shutil.rmtree(bench.inbox / "s")
    shutil.rmtree(bench.inbox / "stills")
    bench.notice("s", "stills")
    bench.detector.sweep(bench.now)
    bench.turn()
    states = [bench.state(path) for path in ("s/deep", "s2", "stills/a.jpg")]
    assert states == ["gone", "settling", "gone"]
    assert len(bench.intake.settle) == 1


def test_nothing_is_gone_where_absence_proves_nothing(bench: Bench) -> None:
    write(bench.inbox / "a.jpg", image(1))
    bench.notice("a.jpg")
    bench.there = False
    (bench.inbox / "a.jpg").unlink()
    bench.notice("a.jpg")
    assert bench.state("a.jpg") == "settling"


def test_in_another_folder_of_the_same_name_only_what_was_seen_there_can_be_missed(
    tmp_path: Path, bench: Bench
) -> None:
    write(bench.inbox / "old.jpg", image(1))
    bench.notice("old.jpg")
    (bench.inbox / "old.jpg").unlink()
    other = Bench(tmp_path, bench.ledger, trusted=False)
    with contextlib.closing(other.reads):
        write(other.inbox / "new.jpg", image(2))
        other.detector.rescan(other.now)
        other.turn()
        (other.inbox / "new.jpg").unlink()
        other.detector.rescan(other.now)
        other.turn()
        assert (other.state("old.jpg"), other.state("new.jpg")) == ("settling", "gone")


def test_events_in_folders_that_are_not_entered_are_no_look(bench: Bench) -> None:
    for path in (".hidden/a.jpg", "x.part/a.jpg", "s/.hidden/a.jpg", ".a.jpg", "notes.txt"):
        write(bench.inbox / path, image(1))
        bench.notice(path)
    assert bench.after(0) > bench.now + 60
    assert len(bench.intake.settle) == 0


def test_many_events_cost_one_listing(bench: Bench) -> None:
    for number in range(200):
        write(bench.inbox / f"{number}.jpg", image(number, size=(2, 2)))
    bench.notice(*(f"{number}.jpg" for number in range(200)))
    assert len(bench.intake.settle) == 200
    bench.after(2)
    assert {bench.state(f"{number}.jpg") for number in range(200)} == {"pending"}


def test_a_retry_by_a_person_is_looked_at_at_once(bench: Bench) -> None:
    write(bench.inbox / "a.jpg", b"no image at all, but a text that is long enough")
    bench.notice("a.jpg")
    bench.after(2)
    assert bench.state("a.jpg") == "invalid"
    bench.ledger.call(lambda ledger: [orders.retry(ledger, row) for row in orders.targets(ledger, "a.jpg")])
    bench.detector.look_at_settling(bench.now)
    assert UnitKey("a.jpg", Kind.IMAGE) in bench.intake.settle
    bench.turn()
    bench.after(2)
    assert bench.state("a.jpg") == "invalid"


def test_a_folder_that_cannot_be_listed_is_not_taken_for_gone(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    frames(bench.inbox / "s", 2, seed=1)
    bench.notice("s")
    bench.inbox.rename(bench.inbox.with_name("away"))
    bench.detector.rescan(bench.now)
    bench.turn()
    assert bench.state("s") == "settling"
    assert "the watch folder" in caplog.text
    bench.inbox.with_name("away").rename(bench.inbox)
    bench.after(30)
    bench.after(5)
    bench.after(30)
    assert bench.state("s") == "pending"
