"""A large ledger: what a person waits for `select * from status` while it is written, its bytes, and its upgrade.

- `status`: 1,000,000 jobs of one frame each. Another process moves jobs through all states by the agent's own
  functions and its ledger thread while the query is run, each time from the call until all rows are there.
- bytes: 20,000 image jobs with paths of 40 bytes go from `settling` to `submitted` by those functions, each with its
  URL and its events, counted by the spend guard; the size of the file, vacuumed, less that of an empty one, a job.
- upgrade: a ledger of 1,000,000 jobs as version 0.1.0 left it is opened.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import time
import uuid
from dataclasses import replace
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Protocol, TypeVar

from agent.core.reference_id import IdRules
from agent.core.spend_guard import Limits
from agent.host.clock import utc_now
from agent.ledger import jobs, related, units
from agent.ledger.due import due as due_jobs
from agent.ledger.frames import with_sources
from agent.ledger.store import Ledger
from agent.ledger.writer import LedgerWriter
from agent.model import Edition, Frame, Job, Kind, Stamp, Unit, basename
from agent.model.jobs import Terms
from agent.model.units import Sight
from tests import older_ledgers
from tests.benchmarks.measure import Bench, Figure, Row

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")


class Do(Protocol):
    """Does a piece of work in a transaction and returns what it gives."""

    def __call__(self, work: Callable[[Ledger], T], /) -> T:
        """Do it."""


LOOKS = 100
"""How often the query is run for one median."""
TOGETHER = 500
LIMITS = Limits(10**9, 10**9)
INODES = 30_000_000
"""They are as large as on a disk of some age."""
TERMS = Terms(Edition.V0, "boxes", None, 5)
RULES = IdRules("{path}~{digest}", "host")
ROWS = """
    insert into jobs (id, reference_id, path, kind, state, frame_count, bytes, digest, edition, tag, job_id, attempts,
        first_seen_at, settled_at, submitted_at, updated_at)
    with recursive n (i) as (select ?1 union all select i + 1 from n where i < ?2)
    select i, printf('cam/frame_%010d.jpg~0123456789ab', i), printf('cam/frame_%010d.jpg', i), 'image', 'submitted', 1,
        20000, printf('%064x', i), 'v0', 'boxes', printf('%036d', i), 1, at, at, at, at
    from (select i, strftime('%Y-%m-%dT%H:%M:%fZ', 1700000000 + i / 10.0, 'unixepoch') as at from n)
"""
FRAMES = """
    insert into frame_rows (job, position, size, mtime_ns, src, ctime_ns, inode)
    select id, 0, 20000, 17 * id, 'https://example.org/' || path, 17 * id, id from jobs where id between ?1 and ?2
"""
PART = 100_000


def status(bench: Bench) -> list[Row]:
    """Judge the query's time."""
    return [_status(bench)]


def ledger(bench: Bench) -> list[Row]:
    """Judge the bytes a job, and the upgrade."""
    return [_bytes(bench), _upgrade(bench)]


def _status(bench: Bench) -> Row:
    count = bench.size(1_000_000, 1000)
    with bench.place() as place:
        path = place / "ledger.db"
        _fill(path, count)
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as reads:
            seconds, moved = _looked(bench, path, reads)
    figures = (
        Figure("median", 1000 * median(seconds), "ms", 5),
        Figure("slowest", 1000 * max(seconds), "ms"),
        Figure("", moved, "jobs/s written meanwhile"),
    )
    return Row("status", f"{count:,} jobs and frames, {len(seconds)} looks", figures)


def _looked(bench: Bench, path: Path, reads: sqlite3.Connection) -> tuple[list[float], float]:
    """Return the seconds of each look while jobs are written, and how many of those were written a second."""
    looks = bench.size(LOOKS, 10)
    writing = bench.executor.submit(write, path, bench.size(5, 0.5))
    seconds: list[float] = []
    before = _written(reads)
    while _written(reads) == before and not writing.done():
        time.sleep(0.01)
    while not writing.done() and len(seconds) < looks * bench.repeat:
        started = time.monotonic()
        reads.execute("select * from status").fetchall()
        seconds.append(time.monotonic() - started)
        time.sleep(0.005)
    return seconds, writing.result()


def _written(reads: sqlite3.Connection) -> int:
    return int(reads.execute("select max(id) from jobs").fetchone()[0])


def _fill(path: Path, count: int) -> None:
    with contextlib.closing(Ledger(path, utc_now)) as ledger:
        for first in range(1, count + 1, PART):
            span = (first, min(first + PART - 1, count))
            with ledger.transaction():
                ledger.sql.execute(ROWS, span)
                ledger.sql.execute(FRAMES, span)


def write(path: Path, seconds: float) -> float:
    """Move jobs through all states by the ledger thread for so long; return how many a second."""
    with contextlib.closing(Ledger(path, utc_now)) as ledger:
        thread = LedgerWriter(ledger)
        try:
            started, number = time.monotonic(), 0
            while time.monotonic() < started + seconds:
                _send(thread.call, range(number, number + TOGETHER))
                number += TOGETHER
            return number / (time.monotonic() - started)
        finally:
            thread.close()


def _bytes(bench: Bench) -> Row:
    count = bench.size(20_000, 500)
    with bench.place() as place, contextlib.closing(Ledger(place / "ledger.db", utc_now)) as ledger:
        empty = _size(ledger)
        for first in range(0, count, TOGETHER):
            _send(partial(_committed, ledger), range(first, min(first + TOGETHER, count)))
        each = (_size(ledger) - empty) / count
        sent = ledger.sql.execute("select count(*) from jobs where state = 'submitted'").fetchone()[0]
    assert sent == count
    return Row("ledger", f"{count:,} images", (Figure("", each, "bytes a job", 850),))


def _upgrade(bench: Bench) -> Row:
    count = bench.size(1_000_000, 1000)
    with bench.place() as place:
        older_ledgers.make(place / "ledger.db", count)
        before = os.path.getsize(place / "ledger.db")
        started = time.monotonic()
        with contextlib.closing(Ledger(place / "ledger.db", utc_now)) as opened:
            seconds = time.monotonic() - started
            (known,) = opened.sql.execute("select count(*) from jobs").fetchone()
            grown = _size(opened) / before
    assert known == count
    figures = (Figure("", seconds, "s", 60), Figure("vacuumed", 100 * grown, "% of its size"))
    return Row("ledger", f"upgrade of {count:,} jobs of 0.1.0", figures)


def _committed(ledger: Ledger, work: Callable[[Ledger], T]) -> T:
    with ledger.transaction():
        return work(ledger)


def _size(ledger: Ledger) -> int:
    ledger.sql.execute("vacuum")
    ledger.sql.execute("pragma wal_checkpoint(truncate)")
    return os.path.getsize(ledger.path)


def _send(do: Do, numbers: range) -> None:
    """Take images from unseen to `submitted`, each step in one transaction of `do`."""
    found = [_unit(number) for number in numbers]
    do(partial(_notice, found=found))
    do(partial(_settle, found=found))
    do(partial(_accept, sent=do(partial(_intend, count=len(found)))))


def _unit(number: int) -> Unit:
    path = f"camera_{number % 10:02d}/2026-11-21/frame_{number:09d}.jpg"
    assert len(path) == 40
    digest = hashlib.sha256(path.encode()).hexdigest()
    at = time.time_ns()
    stamp = Stamp(2_000_000, at, at, INODES + number)
    frame = Frame(0, basename(path), path, stamp, digest, None, (1920, 1080), 1)
    return Unit(path, Kind.IMAGE, (frame,), digest)


def _notice(ledger: Ledger, *, found: list[Unit]) -> None:
    for unit in found:
        units.notice(ledger, Sight(unit.path, unit.kind, "waits until it has been unchanged for 2 s", 1, unit.bytes))


def _settle(ledger: Ledger, *, found: list[Unit]) -> None:
    for unit in found:
        units.apply(ledger, related.plan(ledger.sql, unit, RULES))


def _intend(ledger: Ledger, *, count: int) -> list[Job]:
    due = [candidate.job for candidate in due_jobs(ledger.sql, ledger.now, count, (), TERMS, recent=ledger.recent)]
    sources = [[f"https://example.org/inbox/{frame.path}" for frame in job.frames] for job in due]
    ready = [
        replace(job, frames=with_sources(job.frames, urls), is_named=False)
        for job, urls in zip(due, sources, strict=True)
    ]
    return jobs.intend(ledger, ready, LIMITS)


def _accept(ledger: Ledger, *, sent: list[Job]) -> None:
    for job in sent:
        jobs.accepted(ledger, job.id, str(uuid.UUID(int=job.id)))
