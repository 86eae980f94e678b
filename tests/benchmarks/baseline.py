"""`baseline` on an archive of single images, against the least that it needs: reading, sha256, and the same rows.

20,000 JPEGs of 20 KB in one folder, a new ledger. From the start of the command to its end. The reference reads and
hashes each file in one thread, and writes the very rows into an empty ledger, a thousand to a transaction.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import time
from statistics import median
from typing import TYPE_CHECKING

from agent.host.clock import utc_now
from agent.ledger.store import Ledger, iso
from tests.benchmarks import trees
from tests.benchmarks.felt import Sides
from tests.benchmarks.measure import TIMES, Bench, Figure, Row
from tests.benchmarks.running import NOWHERE
from tests.support import environ

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.benchmarks.installed import Installed

WRITTEN_TOGETHER = 1000
BEFORE = "there before the baseline"
JOB = (
    "insert into jobs (id, path, kind, state, reason, frame_count, bytes, digest, settled_at, first_seen_at, "
    "updated_at) values (:id, :path, 'image', 'ignored', :why, 1, :size, :digest, :at, :at, :at)"
)
FRAME = (
    "insert into frame_rows (job, position, size, mtime_ns, ctime_ns, inode) "
    "values (:id, 0, :size, :mtime, :ctime, :inode)"
)
EVENT = "insert into event_log (at, job, event, detail) values (0, :id, 'ignored', :why)"


def baseline(bench: Bench) -> list[Row]:
    """Judge the rate, and how it compares with the least."""
    count = bench.size(20_000, 50)
    tree = trees.images(bench, count)
    sides = Sides(bench)
    pairs = sides.each(lambda side: (_baseline(bench, tree, side), least_seconds(bench, tree)))
    rates = {name: count / median(ours for ours, _ in runs) for name, runs in pairs.items()}
    most = count / median(least for _, least in pairs[""])
    told = [f"read, sha256, rows by the thousand: {most:,.0f}/s"]
    told += [f"{name}: {rate:,.0f}/s" for name, rate in rates.items() if name]
    figures = (
        Figure("ratio", rates[""] / most, TIMES, at_least=0.5),
        Figure("", rates[""], "units/s", at_least=6000),
    )
    return [Row("baseline", f"{count:,} images", figures, "; ".join(told))]


def _baseline(bench: Bench, tree: Path, side: Installed) -> float:
    with bench.place() as place:
        env = {**os.environ, **environ(place, NOWHERE, WATCH_DIR=str(tree)), **side.environ}
        before = time.monotonic()
        subprocess.run([side.python, "-m", "agent", "baseline"], env=env, cwd=place, check=True, capture_output=True)
        return time.monotonic() - before


def least_seconds(bench: Bench, tree: Path) -> float:
    """Return how many seconds the least takes, in a process of its own."""
    with bench.place() as place:
        return bench.apart(least, tree, place)


def least(tree: Path, place: Path) -> float:
    """Read and hash every file of a folder, write its rows, and return how many seconds that took."""
    with contextlib.closing(Ledger(place / "ledger.db", utc_now)) as ledger:
        before = time.monotonic()
        rows: list[Mapping[str, object]] = []
        for number, name in enumerate(sorted(os.listdir(tree)), 1):
            rows.append({"id": number, **_read(tree, name), "why": BEFORE, "at": iso(ledger.now)})
            if len(rows) == WRITTEN_TOGETHER:
                _write(ledger, rows)
                rows = []
        _write(ledger, rows)
        return time.monotonic() - before


def _read(tree: Path, name: str) -> Mapping[str, object]:
    with open(f"{tree}/{name}", "rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        digest = hashlib.sha256(file.read()).hexdigest()
    times = {"mtime": status.st_mtime_ns, "ctime": status.st_ctime_ns}
    return {"path": name, "size": status.st_size, "digest": digest, "inode": status.st_ino, **times}


def _write(ledger: Ledger, rows: Sequence[Mapping[str, object]]) -> None:
    with ledger.transaction():
        for statement in (JOB, FRAME, EVENT):
            ledger.sql.executemany(statement, rows)
