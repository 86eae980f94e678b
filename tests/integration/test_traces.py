"""Where the bytes of a unit were before: found by indexes, however much there is."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from agent.ledger import seen, traces
from agent.ledger.store import Ledger
from agent.model import Frame, Kind, Stamp, Unit
from tests.sending import Clock, settle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with contextlib.closing(Ledger(tmp_path / "ledger.db", Clock().now)) as opened, opened.transaction():
        yield opened


def digest(content: int) -> str:
    """Return what may be the digest of a content."""
    return f"{content:08d}{'0' * 56}"


def sequence(path: str, *contents: int, inode: int = 0) -> Unit:
    """Return a sequence of frames; the inode numbers of two are others where `inode` is."""
    frames = tuple(
        Frame(place, f"{content}.jpg", f"{path}/{content}.jpg", Stamp(1, 1, 1, inode + content), digest(content))
        for place, content in enumerate(contents)
    )
    return Unit(path, Kind.SEQUENCE, frames, digest(hash((path, contents)) % 10**8))


def send(ledger: Ledger, unit: Unit, state: str = "submitted") -> None:
    """Write a unit that was sent."""
    settle(ledger, unit)
    ledger.sql.execute("update jobs set state = ? where path = ?", (state, unit.path))


def found(ledger: Ledger, unit: Unit) -> list[str]:
    """Return the paths of the sequences that may hold some of a unit's bytes."""
    return [holder.path for holder in traces.sequences_with(ledger.sql, unit)]


@pytest.mark.parametrize("place", [0, 1, 127, 128, 161, 1098])
def test_each_frame_of_a_long_sequence_is_found_by_its_bytes_and_by_its_file(ledger: Ledger, place: int) -> None:
    send(ledger, sequence("long", *range(1, 1100)))
    assert found(ledger, sequence("copy", place + 1, inode=10**6)) == ["long"]
    assert found(ledger, sequence("moved", place + 1)) == ["long"]


@pytest.mark.parametrize(
    ("state", "is_found"),
    [
        ("submitting", True),
        ("submitted", True),
        ("completed", True),
        ("duplicate", True),
        ("ignored", True),
        ("pending", False),
        ("settling", False),
        ("held", False),
        ("invalid", False),
        ("failed", False),
        ("gone", False),
    ],
)
def test_only_what_was_taken_is_found(ledger: Ledger, state: str, is_found: bool) -> None:
    send(ledger, sequence("sent", 1, 2), state)
    assert bool(found(ledger, sequence("other", 2, 3))) is is_found
    if state == "pending":  # a try of which nothing is known may have worked
        ledger.sql.execute("update jobs set unanswered = 1")
        assert found(ledger, sequence("other", 2, 3)) == ["sent"]


def test_digests_that_only_begin_alike_are_told_apart(ledger: Ledger) -> None:
    sent = sequence("sent", 1, 2)
    send(ledger, sent)
    (holder,) = traces.sequences_with(ledger.sql, sequence("other", 2, 3))
    assert [(trace.path, trace.digest) for trace in traces.frames_of(ledger.sql, holder)] == [
        (frame.path, frame.digest) for frame in sent.frames
    ]
    # The same inode number, another content: a number is used again.
    assert found(ledger, sequence("other", 102, 103, inode=-100)) == []


def test_of_thousands_that_hold_a_frame_the_newest_are_compared(ledger: Ledger) -> None:
    for number in range(traces.MOST_SEQUENCES + 5):
        send(ledger, sequence(f"s{number}", 1, 10 + number, inode=1000 * number))
    assert found(ledger, sequence("other", 1, inode=10**6)) == [
        f"s{number}" for number in reversed(range(5, traces.MOST_SEQUENCES + 5))
    ]


def test_every_question_is_answered_by_indexes(ledger: Ledger) -> None:
    send(ledger, sequence("sent", *range(1, 50)))
    asked: list[str] = []
    ledger.sql.set_trace_callback(asked.append)
    for holder in traces.sequences_with(ledger.sql, sequence("other", 2, 3)):
        list(traces.frames_of(ledger.sql, holder))
    list(traces.images_with(ledger.sql, sequence("other", 2, 3)))
    list(seen.folders(ledger.sql))
    ledger.sql.set_trace_callback(None)
    steps = [str(row[3]) for sql in asked for row in ledger.sql.execute(f"explain query plan {sql}")]
    for name in ("frames_digest", "frames_inode", "seen_first_digest", "jobs_digest", "jobs_folder"):
        assert any(f"INDEX {name} " in step for step in steps), (name, steps)
    scans = [step for step in steps if step.startswith("SCAN") and "VIRTUAL TABLE" not in step]
    assert scans == ["SCAN next", "SCAN next"], steps


@pytest.mark.parametrize("count", [0, 1, seen.ASKED_TOGETHER - 1, seen.ASKED_TOGETHER, seen.ASKED_TOGETHER + 1])
def test_folders_are_told_once_each(ledger: Ledger, count: int) -> None:
    names = [f"f{number:05}" for number in range(count)]
    ledger.sql.executemany(
        "insert into jobs (path, kind, state, first_seen_at, updated_at) values (?, 'image', 'submitted', '', '')",
        [(f"{folder}/{place}.jpg".lstrip("/"),) for folder in ("", *names) for place in range(3)],
    )
    assert list(seen.folders(ledger.sql)) == names
