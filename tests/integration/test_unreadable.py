"""No error of reading makes a unit `invalid`: it waits, is told where that lasts, and goes on by itself."""

from __future__ import annotations

import errno
import os
import pickle
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from agent.core.folder_rules import SettingsFile
from agent.errors import FileUnreadable
from agent.folder.settings_files import FolderSettingsFiles
from agent.ledger import orders
from agent.ledger.migrations import MIGRATIONS
from agent.ledger.reads import Reads
from agent.ledger.store import Ledger
from agent.reading.examiner import FileExaminer
from agent.reading.processes.child import answer
from agent.reading.reader import Reader
from tests.integration.test_detector import Bench, bench
from tests.sending import Clock
from tests.support import Agent, Playment, await_tick, frames, image, query, rows, settings, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["bench"]

ERRORS = sorted(errno.errorcode)
"""All that the system knows of."""
GONE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}
"""What opening says of a file that is not there any more, or is another one now: it is looked at again."""


class Share:
    """Answers open or read with an error as long as it is `sick`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sick: dict[str, int] = {}
        self._open, self._pread = os.open, os.pread
        monkeypatch.setattr(os, "open", self._opens)
        monkeypatch.setattr(os, "pread", self._reads)
        self._names: dict[int, str] = {}

    def _opens(self, path: Any, flags: int, *more: Any, **named: Any) -> int:
        name = os.path.basename(os.fspath(path))
        self._fail(f"open {name}")
        fd = self._open(path, flags, *more, **named)
        self._names[fd] = name
        return fd

    def _reads(self, fd: int, count: int, offset: int) -> bytes:
        self._fail(f"read {self._names.get(fd)}")
        return self._pread(fd, count, offset)

    def _fail(self, what: str) -> None:
        if what in self.sick:
            raise OSError(self.sick[what], os.strerror(self.sick[what]))


@pytest.fixture
def share(monkeypatch: pytest.MonkeyPatch) -> Share:
    return Share(monkeypatch)


@pytest.mark.parametrize("on", ["open", "read"])
def test_whatever_error_reading_ends_with_it_says_nothing_about_the_file(bench: Bench, share: Share, on: str) -> None:
    write(bench.inbox / "a.jpg", image(1))
    stamp = bench.scanner.stamp("a.jpg")
    assert stamp is not None
    examiner = FileExaminer(bench.scanner)
    for number in ERRORS:
        if on == "open" and number in GONE:
            continue
        share.sick = {f"{on} a.jpg": number}
        with pytest.raises(FileUnreadable, match=r"a\.jpg: it (may not|cannot) be read"):
            examiner.image("a.jpg", stamp)
    share.sick = {}
    assert examiner.image("a.jpg", stamp).problem is None


def test_fewer_bytes_than_there_are_prove_nothing_either(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    write(bench.inbox / "a.jpg", image(1))
    stamp = bench.scanner.stamp("a.jpg")
    assert stamp is not None
    whole = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, count, offset: whole(fd, count, offset)[:300])
    monkeypatch.setattr(os, "preadv", lambda _fd, _buffers, _offset: 0)
    with pytest.raises(FileUnreadable, match="only 300 of"):
        FileExaminer(bench.scanner).image("a.jpg", stamp)


def test_memory_that_is_short_proves_nothing_either(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    content = image(1)
    write(bench.inbox / "a.jpg", content[:20] + b"no segment" + content[20:])
    stamp = bench.scanner.stamp("a.jpg")
    assert stamp is not None

    def short(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("PIL.JpegImagePlugin.JpegImageFile.load", short)
    with pytest.raises(FileUnreadable, match="Cannot allocate memory"):
        FileExaminer(bench.scanner).image("a.jpg", stamp)


def test_a_unit_waits_longer_after_each_try_and_goes_on_by_itself(bench: Bench, share: Share) -> None:
    write(bench.inbox / "a.jpg", image(1))
    frames(bench.inbox / "s", 3, seed=2)
    share.sick = {"open a.jpg": errno.EBUSY, "read frame_2.jpg": errno.EIO}
    bench.notice("a.jpg", "s")
    bench.after(2)
    bench.after(28)
    (image_row,), (sequence_row,) = rows(bench.path, "a.jpg"), rows(bench.path, "s")
    assert (image_row["state"], image_row["error_code"]) == ("settling", "unreadable")
    assert image_row["reason"] == (
        "a.jpg: it cannot be read now (Device or resource busy); it is tried again, and goes on by itself"
    )
    assert (sequence_row["state"], sequence_row["error_code"]) == ("settling", "unreadable")
    assert "s/frame_2.jpg: it cannot be read now (Input/output error)" in sequence_row["reason"]
    tries = []
    for _ in range(1500):
        before = bench.noticing.intake._unreadable._units[next(iter(bench.noticing.intake._unreadable.tried(1)))].times
        bench.after(1)
        now = bench.noticing.intake._unreadable._units[next(iter(bench.noticing.intake._unreadable.tried(1)))].times
        tries += [bench.now] * (now - before)
    assert 3 <= len(tries) <= 12
    share.sick = {}
    bench.after(600)
    bench.after(30)
    assert (bench.state("a.jpg"), bench.state("s")) == ("pending", "pending")
    assert rows(bench.path, "a.jpg")[0]["error_code"] == ""


def test_what_somebody_has_seen_to_is_tried_at_once(bench: Bench, share: Share) -> None:
    write(bench.inbox / "a.jpg", image(1))
    share.sick = {"open a.jpg": errno.EACCES}
    bench.notice("a.jpg")
    for _ in range(400):
        bench.after(2)
    assert rows(bench.path, "a.jpg")[0]["error_code"] == "unreadable"
    share.sick = {}
    write(bench.inbox / "a.jpg", image(1) + b"copied again")
    bench.notice("a.jpg")
    bench.after(2)
    assert bench.state("a.jpg") == "pending"


def test_rights_that_were_given_are_found_by_the_next_scan(bench: Bench, share: Share) -> None:
    """No event tells of them, and the next try may be ten minutes away."""
    files = [write(bench.inbox / "a.jpg", image(1)), *frames(bench.inbox / "s", 2, seed=2)]
    write(bench.inbox / "b.jpg", image(3))
    share.sick = dict.fromkeys(("open a.jpg", "open b.jpg", "open frame_1.jpg"), errno.EACCES)
    bench.notice("a.jpg", "b.jpg", "s")
    for _ in range(450):
        bench.after(2)
    share.sick = {}
    for file in files:
        await_tick(bench.inbox.with_name("clock"), file.stat().st_ctime_ns)
        file.chmod(0o640)
    bench.detector.rescan(bench.now)
    bench.turn()
    bench.after(2)
    bench.after(28)
    assert [bench.state(path) for path in ("a.jpg", "s", "b.jpg")] == ["pending", "pending", "settling"]


def test_retry_has_it_tried_at_once(bench: Bench, share: Share) -> None:
    write(bench.inbox / "a.jpg", image(1))
    write(bench.inbox / "b.jpg", image(2))
    share.sick = {"open a.jpg": errno.EACCES, "open b.jpg": errno.EACCES}
    bench.notice("a.jpg", "b.jpg")
    for _ in range(400):
        bench.after(2)
    share.sick = {}
    (row,) = bench.ledger.call(lambda ledger: orders.named(ledger, "a.jpg"))
    assert bench.ledger.call(lambda ledger: orders.retry(ledger, row)) == "settling"
    bench.detector.look_at_settling(bench.now)
    bench.after(2)
    assert (bench.state("a.jpg"), bench.state("b.jpg")) == ("pending", "settling")


def test_one_that_is_deleted_while_it_cannot_be_read_is_gone(bench: Bench, share: Share) -> None:
    write(bench.inbox / "a.jpg", image(1))
    share.sick = {"open a.jpg": errno.EIO}
    bench.notice("a.jpg")
    bench.after(2)
    (bench.inbox / "a.jpg").unlink()
    bench.after(10)
    assert (bench.state("a.jpg"), rows(bench.path, "a.jpg")[0]["error_code"]) == ("gone", "")


def test_what_came_in_the_place_of_something_sent_is_told_where_it_cannot_be_read(bench: Bench, share: Share) -> None:
    """But not where only the rights of what was sent have changed."""
    file = write(bench.inbox / "a.jpg", image(1))
    bench.notice("a.jpg")
    bench.after(2)
    bench.send("a.jpg")
    share.sick = {"open a.jpg": errno.EACCES}
    await_tick(bench.inbox.with_name("clock"), file.stat().st_ctime_ns)
    file.chmod(0o600)
    bench.detector.rescan(bench.now)
    bench.turn()
    for _ in range(10):
        bench.after(2)
    assert [row["state"] for row in rows(bench.path, "a.jpg")] == ["submitted"]
    write(file, image(2) + b"longer")
    bench.notice("a.jpg")
    for _ in range(10):
        bench.after(2)
    told = [(row["state"], row["error_code"]) for row in rows(bench.path, "a.jpg")]
    assert told == [("submitted", ""), ("settling", "unreadable")]
    share.sick = {}
    bench.after(600)
    bench.after(2)
    told = [(row["state"], row["error_code"]) for row in rows(bench.path, "a.jpg")]
    assert told == [("submitted", ""), ("held", "changed")]


def test_it_needs_attention_once_that_has_lasted_for_two_minutes(bench: Bench, share: Share) -> None:
    write(bench.inbox / "a.jpg", image(1))
    share.sick = {"open a.jpg": errno.EIO}
    bench.notice("a.jpg")
    bench.after(2)
    attention = "select path, state, error_code from attention"
    assert query(bench.path, attention) == []
    assert (bench.reads.standing().attention, bench.reads.standing().waiting) == (0, 1)
    since = rows(bench.path, "a.jpg")[0]["updated_at"]
    bench.after(60)
    assert rows(bench.path, "a.jpg")[0]["updated_at"] == since  # however often it is tried
    earlier = "update jobs set updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-121 seconds')"
    bench.ledger.call(lambda ledger: ledger.sql.execute(earlier))
    assert query(bench.path, attention) == [{"path": "a.jpg", "state": "settling", "error_code": "unreadable"}]
    assert (bench.reads.standing().attention, bench.reads.standing().waiting) == (1, 0)
    plan = bench.ledger.call(
        lambda ledger: ledger.sql.execute(f"explain query plan {attention}").fetchall(),
    )
    assert any("jobs_unreadable" in row[3] for row in plan), plan
    # A start tries it at once, and tells of it as before until it was read.
    again = Bench(bench.path.parent, bench.ledger)
    with closing(again.reads):
        again.detector.rescan(again.now)
        again.turn()
        assert len(query(bench.path, attention)) == 1
        share.sick = {}
        again.after(2)
        assert again.state("a.jpg") == "pending"
        assert query(bench.path, attention) == []


def take_five_steps(ledger: sqlite3.Connection) -> None:
    """Make a ledger as it was before what cannot be read was told from what is no image."""
    for step in MIGRATIONS[:5]:
        step(ledger)
    ledger.execute("pragma user_version = 5")


@pytest.fixture
def old(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "old.db", isolation_level=None)) as connection:
        take_five_steps(connection)
        yield connection


def test_what_earlier_versions_called_invalid_or_changed_goes_on(tmp_path: Path, old: sqlite3.Connection) -> None:
    told = {
        "rights.jpg": ("invalid", "", "it may not be read (Permission denied): give the agent's user the right to"),
        "busy.jpg": ("invalid", "", "it cannot be read: Device or resource busy"),
        "run": ("invalid", "", "frame_1.jpg: cut short: x; frame_2.jpg: it cannot be read: Input/output error"),
        "sent.jpg": ("held", "changed", "the file's content changed after submission; now it cannot be read: x"),
        "cut.jpg": ("invalid", "", "cut short: the JPEG has no end marker (EOI); copy it again"),
        "other.jpg": ("held", "changed", "the file's content changed after submission"),
    }
    for path, (state, code, reason) in told.items():
        old.execute(
            "insert into jobs (path, folder, kind, state, error_code, reason, first_seen_at, updated_at) "
            "values (?, '', 'image', ?, ?, ?, 'then', 'then')",
            (path, state, code, reason),
        )
    with closing(Ledger(tmp_path / "old.db", Clock().now)) as ledger, closing(Reads.within(ledger)) as reads:
        now = {row["path"]: row["state"] for row in reads.jobs()}
        assert now == {path: told[path][0] if path in ("cut.jpg", "other.jpg") else "settling" for path in told}
        assert reads.standing().jobs == {"settling": 4, "invalid": 1, "held": 1}
        assert [event["event"] for event in reads.about("run", "run")[0]["events"]] == ["settling"]


def test_a_ledger_of_before_sends_what_is_well_again(tmp_path: Path) -> None:
    with Playment() as playment:
        chosen = settings(tmp_path, playment.url)
        write(chosen.watch_dir / "a.jpg", image(1))
        with closing(sqlite3.connect(chosen.ledger_path, isolation_level=None)) as old:
            take_five_steps(old)
            old.execute(
                "insert into jobs (path, folder, kind, state, reason, first_seen_at, updated_at) "
                "values ('a.jpg', '', 'image', 'invalid', 'it cannot be read: Host is down', 'then', 'then')"
            )
        with Agent(chosen) as agent:
            agent.becomes("a.jpg", "submitted")
        assert playment.paths() == ["a.jpg"]


def test_a_file_of_settings_is_read_again_though_it_looks_as_it_did(bench: Bench, share: Share) -> None:
    write(bench.inbox / ".playment.toml", b"")
    files = FolderSettingsFiles(bench.scanner, lambda name, _content: SettingsFile(name))
    share.sick = {"open .playment.toml": errno.EIO}
    assert "it cannot be read (Input/output error)" in str(files.of("").problem)
    share.sick = {}
    assert files.of("").problem is None


def test_a_process_that_reads_frames_tells_the_same(bench: Bench, share: Share) -> None:
    frames(bench.inbox / "s", 3, seed=2)
    listing = bench.scanner.list("s")
    assert listing is not None
    share.sick = {"read frame_2.jpg": errno.EREMOTEIO}
    answered = answer(bench.scanner, FileExaminer(bench.scanner), ("s", [*listing.files]))
    told = pickle.loads(pickle.dumps(answered))
    assert (type(told), str(told)) == (FileUnreadable, "s/frame_2.jpg: it cannot be read now (Remote I/O error)")


def test_reading_a_sequence_that_cannot_be_read_names_the_frame(bench: Bench, share: Share) -> None:
    frames(bench.inbox / "s", 3, seed=2)
    listing = bench.scanner.list("s")
    assert listing is not None
    share.sick = {"open frame_3.jpg": errno.EACCES}
    with pytest.raises(FileUnreadable, match=r"s/frame_3\.jpg: it may not be read \(Permission denied\)"):
        Reader(FileExaminer(bench.scanner), "warn").sequence("s", [*listing.files])
