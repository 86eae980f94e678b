"""Detection turn by turn, with the time handed in: real files, a real ledger, no watcher and no loop."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import sqlite3
import time
from threading import Event
from typing import TYPE_CHECKING

import pytest

from agent.core.listing_queue import LULL
from agent.core.names import Filters
from agent.core.quiet_times import QuietTimes
from agent.core.reference_id import IdRules
from agent.errors import FolderUnavailable, LedgerUnreadable
from agent.folder.changes import MANY_NAMES, Changes
from agent.folder.entries import glance
from agent.folder.scanner import Scanner
from agent.folder.tree import Tree
from agent.host.clock import Clocks, utc_now
from agent.host.workers import AtOnce
from agent.ledger import orders
from agent.ledger.reads import Reads
from agent.ledger.store import Ledger
from agent.ledger.writer import LedgerWriter
from agent.model import Kind, basename, parent
from agent.model.units import UnitKey
from agent.noticing.decide import LedgerDecider, Verdicts
from agent.noticing.detector import LISTING_SECONDS
from agent.noticing.intake import PREPARE_SECONDS
from agent.noticing.ledger_book import LedgerBook
from agent.noticing.messages import Finished, NotWritten
from agent.noticing.start import noticing
from agent.reading.examiner import FileExaminer
from agent.reading.reader import Reader
from agent.reading.readers import CHUNK_FILES, Readers
from tests.support import await_tick, frames, image, rows, write

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    from agent.host.workers import Pool
    from agent.noticing.messages import Finished


class Later(AtOnce):
    """Does what it is handed when it is told to."""

    def __init__(self) -> None:
        self.handed: list[Callable[[], None]] = []

    def submit(self, work: Callable[[], None]) -> None:
        self.handed.append(work)

    def do(self) -> None:
        while self.handed:
            self.handed.pop(0)()


class Bench:
    """A detector whose time stands still until it is told to pass; a turn lists all that waits, or `slices` of it.

    What is there counts as old; where `is_fresh`, as just changed.
    """

    def __init__(
        self, place: Path, ledger: LedgerWriter, *, trusted: bool = True, pool: Pool | None = None, quiet: float = 30.0
    ) -> None:
        self.inbox = place / "inbox"
        self.path = place / "ledger.db"
        self.ledger = ledger
        self.reads = Reads.open(self.path)
        self.now = 1000.0
        self.there = True
        self.is_fresh = False
        self.asked = 0
        self.ticks = 0.0
        self.slices = math.inf
        self.open_files: dict[str, bool] = {}
        self.listed: list[str] = []
        self.prepared: list[float] = []
        self.messages: list[Finished | NotWritten] = []
        filters = Filters.of(["jpg"], ["stills"])
        self.scanner = Scanner(self.inbox, filters)
        self.book = LedgerBook(ledger, self.messages.append)
        rules = IdRules("{path}~{digest}", "host")
        self.noticing = noticing(
            Tree(self.scanner, filters),
            self.reads,
            QuietTimes(2.0, quiet, ""),
            Readers(
                Reader(FileExaminer(self.scanner), "warn"),
                dict.fromkeys(Kind, pool or AtOnce()),
                lambda: self.prepared.append(self.now),
            ),
            book=self.book,
            decider=LedgerDecider(ledger, Verdicts(self.scanner, rules), self.messages.append),
            clocks=Clocks(lambda: time.time() + (0 if self.is_fresh else self.now), self.monotonic, lambda: 0.0),
            writers=self,
            absence_is_proof=self.absence_is_proof,
            trusted=trusted,
            cover=self.listed.append,
            fed=self.fed,
        )
        self.detector = self.noticing.detector
        self.waiting = self.noticing.rest.waiting

    def absence_is_proof(self) -> bool:
        self.asked += 1
        return self.there

    def writing_in(self, folder: str) -> dict[str, bool]:
        return {} if folder else self.open_files

    def writing_beside(self, folder: str) -> str:
        return ""

    def monotonic(self) -> float:
        return self.now + self.ticks

    def fed(self) -> None:
        self.ticks += 2 * LISTING_SECONDS / self.slices

    def slice(self) -> bool:
        """Take a turn with one slice of a listing; return whether that ended all there is to list."""
        self.slices, self.ticks = 1, 0.0
        self.detector.turn(self.now)
        self.slices, self.ticks = math.inf, 0.0
        self.finish()
        return not self.detector.is_scanning(self.now)

    def turn(self) -> float:
        """Take turns at one moment until nothing more comes of it, all of it written; return when the next is due."""
        while True:
            at = self.detector.turn(self.now)
            if not self.finish() and at > self.now:
                return at

    def finish(self) -> bool:
        """Wait until all is written, and take in what was read; return whether there was anything."""
        self.ledger.call(lambda _: None)
        messages = list(self.messages)
        self.messages.clear()
        for message in messages:
            if isinstance(message, NotWritten):
                self.book.put_back(message)
            else:
                self.detector.finished(message, self.now)
        return bool(messages)

    def after(self, seconds: float) -> float:
        self.now += seconds
        return self.turn()

    def notice(self, *paths: str) -> None:
        """Tell of events, and wait until what follows from them at once was done."""
        self.tell(*paths)
        self.turn()
        self.after(LULL)

    def tell(self, *paths: str) -> None:
        """Tell of events, no more."""
        noticed = Changes()
        for path in paths:
            is_folder = (self.inbox / path).is_dir()
            assert noticed.add(parent(path), os.fsencode(basename(path)), is_folder=is_folder)
        self.detector.noticed([noticed], self.now)

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
        thread = LedgerWriter(ledger)
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
    await_tick(bench.inbox.with_name("clock"), file.stat().st_ctime_ns)
    os.utime(file)
    bench.after(0.1)  # the look that was due finds it changed
    bench.after(1.9)
    assert bench.state("a.jpg") == "settling"
    bench.after(0.1)
    assert bench.state("a.jpg") == "pending"


def test_an_image_whose_writer_is_done_settles_though_no_event_names_it(bench: Bench) -> None:
    """Found here: of many events in a folder not all names are kept, and the image waited for a minute."""
    write(bench.inbox / "a.jpg", image(0))
    bench.open_files["a.jpg"] = True
    bench.notice("a.jpg")
    bench.after(5)
    assert bench.state("a.jpg") == "settling"
    bench.open_files.clear()
    others = [f"{number}.jpg" for number in range(MANY_NAMES + 1)]
    for number, name in enumerate(others, start=1):
        write(bench.inbox / name, image(number))
    bench.notice(*others)
    bench.after(2)
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
    assert len(bench.waiting) == 0
    assert bench.after(0) > bench.now + 60


def test_a_sequence_settles_by_its_listing(bench: Bench) -> None:
    frames(bench.inbox / "s", 3, seed=1)
    bench.notice("s")
    bench.after(7)  # a longer pause would have the folder wait for more than its quiet time
    frames(bench.inbox / "s", 1, seed=1, first=4)
    bench.notice("s/frame_4.jpg")
    bench.after(29)
    assert bench.state("s") == "settling"
    bench.after(1)
    assert bench.state("s") == "pending"
    assert rows(bench.path, "s")[0]["frame_count"] == 4


@pytest.mark.parametrize("before", ["frame_rows", "seen"])
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
        assert len(after.waiting) == 0
        os.utime(after.inbox / "s" / "frame_2.jpg")
        after.detector.rescan(after.now)
        after.turn()
        assert len(after.waiting) == 1


def test_a_sweep_finds_what_no_event_told_of(bench: Bench) -> None:
    (bench.inbox / "s" / "deep").mkdir(parents=True)
    bench.detector.sweep(bench.now)
    bench.turn()
    await_tick(bench.inbox.with_name("clock"), (bench.inbox / "s" / "deep").stat().st_ctime_ns)
    write(bench.inbox / "a.jpg", image(1))
    frames(bench.inbox / "s" / "deep", 2, seed=1)
    bench.detector.sweep(bench.now)
    bench.turn()
    assert (bench.state("a.jpg"), bench.state("s/deep")) == ("settling", "settling")


def test_where_events_tell_a_sweep_takes_folders_in_turn_and_the_fresh_ones_always(bench: Bench) -> None:
    folders = [f"f{number}" for number in range(10)]
    for folder in folders:
        (bench.inbox / folder).mkdir(parents=True)
    bench.detector.rescan(bench.now)
    bench.turn()
    await_tick(bench.inbox.with_name("clock"), max((bench.inbox / each).stat().st_ctime_ns for each in folders))
    for folder in folders:
        write(bench.inbox / folder / "frame_1.jpg", image(1))
    found: list[str] = []
    for _ in range(4):  # of eleven, the watch folder is one, three at a time
        bench.listed.clear()
        bench.detector.sweep(bench.now, 0.25)
        bench.turn()
        assert len(bench.listed) <= 3
        found += bench.listed
    assert sorted(found) == folders, "each once, and within as many sweeps as there are parts"
    bench.is_fresh = True
    write(bench.inbox / "f3" / "frame_2.jpg", image(1))
    bench.detector.look(UnitKey("f3", Kind.SEQUENCE), bench.now)
    bench.turn()
    for _ in range(5):
        bench.listed.clear()
        bench.detector.sweep(bench.now, 0.01)
        bench.turn()
        assert "f3" in bench.listed, "its times may not show what came since"


@pytest.fixture
def large(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A large folder of which all is known, and at which a first short look was taken."""
    monkeypatch.setattr("agent.noticing.glances.FEW", 3)
    for number in range(4):
        write(bench.inbox / f"{number}.jpg", image(number))
    bench.detector.rescan(bench.now)
    bench.turn()
    bench.after(2)
    bench.listed.clear()
    _touch(bench)
    bench.detector.sweep(bench.now, 0.1)
    bench.turn()
    assert bench.listed == [""]
    bench.listed.clear()
    return bench


def _touch(bench: Bench) -> None:
    await_tick(bench.inbox.with_name("clock"), bench.inbox.stat().st_ctime_ns)
    os.utime(bench.inbox)


def _come(bench: Bench, name: str, *, told: bool) -> None:
    await_tick(bench.inbox.with_name("clock"), bench.inbox.stat().st_ctime_ns)
    write(bench.inbox / name, image(int(name[:2])))
    if told:
        bench.detector.look(UnitKey(name, Kind.IMAGE), bench.now)


def _sweep(bench: Bench, seconds: float) -> list[str]:
    """Let so many seconds pass, with a sweep every two; return what was listed."""
    bench.listed.clear()
    for _ in range(int(seconds / 2)):
        bench.now += 2
        bench.detector.sweep(bench.now, 0.1)
        bench.turn()
    return bench.listed


def test_a_large_folder_is_not_listed_for_what_events_told_of(large: Bench) -> None:
    assert _sweep(large, 4) == []
    for number in range(10, 70):
        _come(large, f"{number}.jpg", told=True)
        assert _sweep(large, 2) == []
    assert _sweep(large, 40) == []
    assert large.state("10.jpg") == large.state("69.jpg") == "pending"


@pytest.mark.parametrize("told", ["10.jpg", ""])
def test_a_large_folder_is_listed_where_something_came_or_went_untold(large: Bench, told: str) -> None:
    if told:
        _come(large, told, told=True)
    _come(large, "20.jpg", told=False)
    assert _sweep(large, 32) == [""]
    assert large.state("20.jpg") in ("settling", "pending")
    assert _sweep(large, 32) == []
    (large.inbox / "2.jpg").unlink()
    assert _sweep(large, 34) == [""]
    assert large.state("2.jpg") == "gone"
    (large.inbox / "3.jpg").rename(large.inbox / "30.jpg")
    assert _sweep(large, 34) == [""]
    assert large.state("30.jpg") != ""


def test_a_large_folder_is_listed_at_once_where_no_events_tell(large: Bench) -> None:
    _come(large, "20.jpg", told=False)
    large.detector.sweep(large.now)
    large.turn()
    assert large.listed == [""]


def test_no_short_look_is_taken_where_no_events_tell(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def look(scanner: Scanner, folder: str) -> Generator[None, None, int | None]:
        looked.append(folder)
        return glance(scanner, folder)

    monkeypatch.setattr("agent.noticing.glances.FEW", 3)
    monkeypatch.setattr("agent.noticing.glances.glance", look)
    for number in range(4):
        write(bench.inbox / f"{number}.jpg", image(number))
    for _ in range(3):
        bench.detector.rescan(bench.now)
        bench.turn()
        _touch(bench)
        bench.detector.sweep(bench.now)
        bench.turn()
    assert len(bench.listed) >= 6
    assert looked == []
    _touch(bench)
    assert _sweep(bench, 4) == [""]
    assert looked == [""], "where they do, the listing has one before it"


def test_a_large_folder_that_cannot_be_looked_at_is_listed_which_says_so(large: Bench) -> None:
    _come(large, "20.jpg", told=True)
    large.inbox.rename(large.inbox.with_name("away"))
    with contextlib.suppress(FolderUnavailable):
        _sweep(large, 34)
    assert "" in large.detector.unavailable


def test_a_fresh_sequence_is_not_listed_again_while_it_is_read(
    tmp_path: Path, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found here: a listing of 100,000 frames beside the frames themselves took 30 MiB more."""
    monkeypatch.setattr("agent.noticing.lister.CLEAN_AGE", 60.0)  # by the real clock: fresh until this test is over
    pool = Later()
    after = Bench(tmp_path, bench.ledger, pool=pool)
    with contextlib.closing(after.reads):
        after.is_fresh = True
        frames(after.inbox / "s", 2, seed=1)
        after.detector.rescan(after.now)
        after.turn()
        assert after.listed == ["", "s"]
        after.detector.sweep(after.now)
        after.turn()
        assert after.listed == ["", "s"] * 2, "its times may not show what came since"
        after.after(30)
        assert len(pool.handed) == 1
        frames(after.inbox / "s", 1, seed=1, first=3)
        frames(after.inbox / "t", 1, seed=2)
        after.listed.clear()
        after.detector.sweep(after.now)
        while after.detector.is_scanning(after.now):
            after.detector.turn(after.now)
        assert after.listed == ["", "t"]
        pool.do()
        after.finish()
        after.detector.sweep(after.now)
        after.turn()
        assert rows(after.path, "s")[0]["frame_count"] == 3, "what came while it was read is found when it is over"


def test_the_readers_are_made_ready_just_before_a_long_sequence_settles(bench: Bench) -> None:
    """Whatever becomes of the look at it; a short one needs nothing."""
    began = bench.now
    frames(bench.inbox / "short", CHUNK_FILES, seed=1)
    frames(bench.inbox / "long", CHUNK_FILES + 1, seed=2)
    bench.notice("short", "long")
    while bench.now < began + 40:
        bench.noticing.intake.prepare(bench.now)
        bench.after(0.5)
    assert bench.prepared
    assert [at for at in bench.prepared if not began + 30 - PREPARE_SECONDS <= at <= began + 31] == []
    assert (bench.state("short"), bench.state("long")) == ("pending", "pending")


def test_the_readers_are_made_ready_at_once_where_the_quiet_time_is_short(tmp_path: Path, bench: Bench) -> None:
    hasty = Bench(tmp_path, bench.ledger, quiet=PREPARE_SECONDS)
    with contextlib.closing(hasty.reads):
        frames(hasty.inbox / "s", CHUNK_FILES + 1, seed=1)
        hasty.detector.rescan(hasty.now)
        hasty.turn()
        assert hasty.prepared == [hasty.now]


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
    assert len(bench.waiting) == 0
    bench.detector.rescan(bench.now)
    bench.turn()
    bench.after(2)
    assert [row["state"] for row in rows(bench.path, "a.jpg")] == ["submitted", "held"]


def test_what_could_not_be_compared_is_listed_again_by_the_next_sweep(bench: Bench) -> None:
    file = write(bench.inbox / "a.jpg", image(1))
    bench.notice("a.jpg")
    bench.after(2)
    bench.send("a.jpg")
    bench.detector.sweep(bench.now)
    bench.turn()
    file.write_bytes(image(2))  # its folder's times stay as they are
    bench.detector.rescan(bench.now)
    rest = bench.noticing.rest
    rest.reads = Reads(sqlite3.connect(":memory:"))
    with rest.reads, pytest.raises(LedgerUnreadable, match="no such table"):
        bench.turn()
    rest.reads = bench.reads
    bench.turn()
    assert len(bench.waiting) == 0
    bench.detector.sweep(bench.now)
    bench.turn()
    assert len(bench.waiting) == 1


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
    assert len(bench.waiting) == 1


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


def test_in_another_folder_what_was_seen_at_rest_can_be_missed_too(tmp_path: Path, bench: Bench) -> None:
    for name in ("here.jpg", "away.jpg"):
        write(bench.inbox / name, b"no image at all, but a text that is long enough: " + name.encode())
    bench.notice("here.jpg", "away.jpg")
    bench.after(2)
    (bench.inbox / "away.jpg").unlink()
    other = Bench(tmp_path, bench.ledger, trusted=False)
    with contextlib.closing(other.reads):
        other.detector.rescan(other.now)
        other.turn()
        (other.inbox / "here.jpg").unlink()
        other.detector.rescan(other.now)
        other.turn()
        assert (other.state("away.jpg"), other.state("here.jpg")) == ("invalid", "gone")


def test_events_in_folders_that_are_not_entered_are_no_look(bench: Bench) -> None:
    for path in (".hidden/a.jpg", "x.part/a.jpg", "s/.hidden/a.jpg", ".a.jpg", "notes.txt"):
        write(bench.inbox / path, image(1))
        bench.notice(path)
    assert bench.after(0) > bench.now + 60
    assert len(bench.waiting) == 0


def test_many_events_cost_one_listing(bench: Bench) -> None:
    for number in range(200):
        write(bench.inbox / f"{number}.jpg", image(number, size=(2, 2)))
    bench.notice(*(f"{number}.jpg" for number in range(200)))
    assert len(bench.waiting) == 200
    bench.after(2)
    assert {bench.state(f"{number}.jpg") for number in range(200)} == {"pending"}


def test_a_retry_by_a_person_is_looked_at_at_once(bench: Bench) -> None:
    write(bench.inbox / "a.jpg", b"no image at all, but a text that is long enough")
    bench.notice("a.jpg")
    bench.after(2)
    assert bench.state("a.jpg") == "invalid"
    bench.ledger.call(lambda ledger: [orders.retry(ledger, row) for row in orders.named(ledger, "a.jpg")])
    bench.detector.look_at_settling(bench.now)
    assert UnitKey("a.jpg", Kind.IMAGE) in bench.waiting
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


SLICES = 14
"""In how many slices a folder of 700 images is listed, sorted and compared."""


@pytest.fixture
def long(bench: Bench) -> Bench:
    """Return a bench with 700 known images in the folder `stills`, and its listing begun anew."""
    whole = image(1, size=(2, 2))
    for number in range(700):
        write(bench.inbox / "stills" / f"{number}.jpg", whole + number.to_bytes(2, "big"))
    bench.notice("stills")
    bench.after(2)
    write(bench.inbox / "stills" / "seen.jpg", image(701))
    write(bench.inbox / "stills" / "bad.jpg", b"no image at all, but a text that is long enough")
    bench.notice("stills/seen.jpg", "stills/bad.jpg")
    assert (bench.state("stills/0.jpg"), bench.state("stills/seen.jpg")) == ("pending", "settling")
    bench.detector.rescan(bench.now)
    return bench


def test_a_long_folder_is_listed_in_slices(long: Bench) -> None:
    """Once, though a sweep finds in between that it has changed since the last time."""
    for _ in range(SLICES // 2):
        long.slice()
    long.detector.sweep(long.now)
    assert [long.slice() for _ in range(SLICES // 2)] == [False] * (SLICES // 2 - 1) + [True]


@pytest.mark.parametrize("before", range(SLICES + 1))
def test_whatever_happens_while_a_long_folder_is_listed_is_taken_up(long: Bench, before: int) -> None:
    """At whatever slice it comes: what the listing and the comparison say of these files may be old by then."""
    stills = long.inbox / "stills"
    for _ in range(before):
        long.slice()
    write(stills / "new.jpg", image(801))
    write(stills / "1.jpg", image(802))
    (stills / "seen.jpg").unlink()
    (stills / "2.jpg").unlink()
    (stills / "3.jpg").rename(stills / "4.jpg")
    long.tell(*(f"stills/{name}.jpg" for name in ("new", "1", "seen", "2", "3", "4")))
    long.ledger.call(lambda ledger: [orders.retry(ledger, row) for row in orders.named(ledger, "stills/bad.jpg")])
    assert UnitKey("stills/new.jpg", Kind.IMAGE) in long.waiting, "at once, not when the listing is over"
    while not long.slice():
        assert long.state("stills/new.jpg") != "gone"
    long.turn()
    long.after(2)
    assert {name: [row["state"] for row in rows(long.path, f"stills/{name}")] for name in ("new.jpg", "1.jpg")} == {
        "new.jpg": ["pending"],
        "1.jpg": ["pending"],
    }
    long.after(20)
    states = [long.state(f"stills/{name}") for name in ("seen.jpg", "2.jpg", "3.jpg", "4.jpg", "bad.jpg")]
    assert states == ["gone", "gone", "gone", "pending", "invalid"]
    assert len(long.waiting) == 0


@pytest.mark.parametrize("before", range(SLICES))
def test_what_comes_and_goes_while_a_long_folder_is_listed_is_gone(long: Bench, before: int) -> None:
    """The next listing shows what this one shows; this one finds all that it shows at rest."""
    long.turn()
    long.after(2)
    long.after(20)
    long.detector.rescan(long.now)
    for _ in range(before):
        long.slice()
    for change in (
        lambda: write(long.inbox / "stills" / "new.jpg", image(801)),
        (long.inbox / "stills" / "new.jpg").unlink,
    ):
        change()
        long.tell("stills/new.jpg")
        long.slice()
    long.turn()
    assert long.state("stills/new.jpg") == "gone"


@pytest.mark.parametrize("before", range(SLICES))
def test_what_is_read_while_a_long_folder_is_listed_is_not_looked_at_again(long: Bench, before: int) -> None:
    """The listing shows what was there before."""
    for _ in range(before):
        long.slice()
    write(long.inbox / "stills" / "1.jpg", image(802))
    long.tell("stills/1.jpg")
    long.now += 2
    while not long.slice():
        pass
    assert UnitKey("stills/1.jpg", Kind.IMAGE) not in long.waiting
    assert [row["state"] for row in rows(long.path, "stills/1.jpg")] == ["pending"]


def test_a_folder_that_goes_while_it_is_listed_is_gone(long: Bench) -> None:
    long.slice()
    shutil.rmtree(long.inbox / "stills")
    long.notice("stills")
    while not long.slice():
        pass
    long.after(20)
    assert {row["state"] for row in rows(long.path, "stills/")} <= {"gone"}
    assert long.state("stills/0.jpg") == "gone"
    assert long.detector.folders == 1


def test_where_the_watch_folder_was_another_one_when_it_was_listed_nothing_is_gone(long: Bench) -> None:
    """Though it is the right one again when a slice is compared."""
    for number in range(600):
        (long.inbox / "stills" / f"{number}.jpg").unlink()
    long.there, long.asked = False, 0
    while not long.asked:
        long.slice()
    long.there = True
    while not long.slice():
        pass
    assert long.state("stills/0.jpg") == "pending"


def _held_up(ledger: LedgerWriter) -> Event:
    """Have the ledger's thread wait until the event is set: what is written meanwhile is one group."""
    waits, go = Event(), Event()

    def wait(_ledger: Ledger) -> None:
        waits.set()
        assert go.wait(20)

    ledger.submit(wait)
    assert waits.wait(20)
    return go


def test_a_listing_gets_its_turn_however_long_looking_takes(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    write(bench.inbox / "a.jpg", image(1))
    bench.notice("a.jpg")
    stamp = bench.scanner.stamp

    def slow(path: str) -> object:
        bench.ticks += 1
        return stamp(path)

    monkeypatch.setattr(bench.scanner, "stamp", slow)
    bench.now += 2
    bench.slices, fed = 1, []
    monkeypatch.setattr(bench.detector, "_fed", lambda: fed.append(bench.ticks))
    bench.detector.rescan(bench.now)
    bench.detector.turn(bench.now)
    assert fed


def test_a_sequence_that_is_gone_before_its_row_is_written_is_gone(bench: Bench) -> None:
    files = frames(bench.inbox / "s", 3, seed=1)
    go = _held_up(bench.ledger)
    bench.tell("s")
    bench.now += LULL
    bench.detector.turn(bench.now)
    assert UnitKey("s", Kind.SEQUENCE) in bench.waiting
    for file in files:
        file.unlink()
    bench.detector.rescan(bench.now)
    bench.detector.turn(bench.now)
    go.set()
    bench.turn()
    assert bench.state("s") == "gone"


def test_what_could_not_be_told_to_be_gone_is_told_by_the_next_listing(bench: Bench) -> None:
    for name in ("a.jpg", "b.jpg"):
        write(bench.inbox / name, b"no image at all, but a text that is long enough: " + name.encode())
    bench.notice("a.jpg", "b.jpg")
    bench.after(2)
    (bench.inbox / "a.jpg").unlink()
    bench.there = False
    bench.detector.rescan(bench.now)
    bench.turn()
    bench.there = True
    assert bench.state("a.jpg") == "invalid"
    bench.detector.rescan(bench.now)
    bench.turn()
    assert (bench.state("a.jpg"), bench.state("b.jpg")) == ("gone", "invalid")


def test_what_could_not_be_written_to_be_gone_is_written_later(bench: Bench) -> None:
    def is_full(_ledger: Ledger) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    write(bench.inbox / "a.jpg", b"no image at all, but a text that is long enough")
    bench.notice("a.jpg")
    bench.after(2)
    (bench.inbox / "a.jpg").unlink()
    bench.detector.rescan(bench.now)
    go = _held_up(bench.ledger)
    bench.detector.turn(bench.now)
    failing = bench.ledger.submit(is_full)
    go.set()
    assert failing.exception() is not None
    bench.finish()
    assert bench.state("a.jpg") == "invalid"
    bench.turn()
    assert bench.state("a.jpg") == "gone"


def test_what_was_sent_and_is_deleted_while_it_changes_is_looked_for_no_longer(bench: Bench) -> None:
    file = write(bench.inbox / "a.jpg", image(1))
    bench.notice("a.jpg")
    bench.after(2)
    bench.send("a.jpg")
    file.write_bytes(image(2))
    bench.notice("a.jpg")
    assert len(bench.waiting) == 1
    file.unlink()
    bench.after(2)
    bench.after(20)
    assert len(bench.waiting) == 0
    assert bench.after(0) > bench.now + 60
    assert bench.state("a.jpg") == "submitted"


def test_a_folder_is_let_go_of_in_the_middle_of_its_listing(long: Bench) -> None:
    before = set(os.listdir("/proc/self/fd"))
    for _ in range(SLICES // 2):
        long.slice()
    assert set(os.listdir("/proc/self/fd")) - before
    long.detector.close()
    assert set(os.listdir("/proc/self/fd")) <= before
