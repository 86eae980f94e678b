"""Judges a year by what is left of it: every drop paid for once, every unit at an end, nothing that grew. Pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from tests.year.people import Drop

ENDS: Final = frozenset({"submitted", "completed", "gone", "ignored"})
WITH_REASON: Final = frozenset({"held", "invalid", "failed", "duplicate"})
WAL_MIB: Final = 8.0
"""At a month's end, and a minute after a reader that held it has gone."""


@dataclass(frozen=True, slots=True)
class Month:
    """What happened in a month, and how large all was at its end."""

    drops: int
    paid: int
    outages: int
    restarts: int
    kills: int
    rss_mib: float
    open_files: int
    wal_mib: float
    bytes_a_job: float
    log_lines: int


@dataclass(frozen=True, slots=True)
class Flat:
    """A figure that may be no larger in the last quarter than in the second, but for these.

    It is that of a quarter's middle month: one of the three has a burst, which may fall into an outage or not.
    """

    what: str
    of: Callable[[Month], float]
    times: float
    more: float


FLAT: Final = (
    Flat("memory in MiB", lambda month: month.rss_mib, 1.05, 2.0),
    Flat("open files", lambda month: month.open_files, 1.0, 4.0),
    Flat("the WAL in MiB", lambda month: month.wal_mib, 1.0, 4.5),
    Flat("the ledger's bytes a job", lambda month: month.bytes_a_job, 1.05, 0.0),
    Flat("log lines a month", lambda month: month.log_lines, 1.5, 100.0),
)
"""4 MiB are what SQLite's own checkpoints leave of a WAL; as many connections more or less may be open at a moment."""


def exactly_once(
    drops: Iterable[Drop], paid: Mapping[str, int], rows: Iterable[Mapping[str, Any]] = ()
) -> Iterator[str]:
    """Yield which drop was paid for too rarely or too often, and for which content nobody asked.

    `rows` are the ledger's: what it says of a path is told.
    """
    said = {row["path"]: f"{row['state']} ({row['reason'] or 'nothing is said'})" for row in rows}
    wanted: defaultdict[str, list[Drop]] = defaultdict(list)
    for drop in drops:
        wanted[drop.digest].append(drop)
    for digest, same in wanted.items():
        least, most, jobs = sum(drop.least for drop in same), sum(drop.most for drop in same), paid.get(digest, 0)
        if not least <= jobs <= most:
            told = ", ".join(f"{drop.path} of day {drop.day}, {said.get(drop.path, 'not known')}" for drop in same)
            what = "lost" if jobs < least else "paid too often"
            yield f"{what}: {told} ({digest}): {jobs} jobs, not {least} to {most}"
    for digest in paid.keys() - wanted.keys():
        yield f"paid for what nobody dropped: {digest}, {paid[digest]} jobs"


def all_ended(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield which rows of the ledger are at no end, and say no reason."""
    for row in rows:
        if row["state"] in ENDS or (row["state"] in WITH_REASON and row["reason"]):
            continue
        yield f"no end and no reason: {row['path']} is {row['state']} ({row['reason'] or 'nothing is said'})"


def all_known(rows: Iterable[Mapping[str, Any]], jobs: Mapping[str, str]) -> Iterator[str]:
    """Yield which of Playment's jobs, {reference_id: job_id}, the ledger does not know."""
    known = {row["reference_id"]: row["job_id"] for row in rows}
    for reference_id, job_id in jobs.items():
        if known.get(reference_id) != job_id:
            yield f"the ledger does not know the job {job_id} of {reference_id}: {known.get(reference_id)}"


def flat(months: Sequence[Month]) -> Iterator[str]:
    """Yield what was larger in the last quarter than in the second one of twelve months."""
    if len(months) < 12:
        return
    for each in FLAT:
        before, after = median(map(each.of, months[3:6])), median(map(each.of, months[9:12]))
        allowed = before * each.times + each.more
        if after > allowed:
            figures = f"{before:.4g} in the second quarter, {after:.4g} in the last"
            yield f"{each.what}: {figures} ({allowed:.4g} allowed)"


def bounded(wal_mib: Mapping[str, float]) -> Iterator[str]:
    """Yield how large the WAL was where it had to be small: {when: MiB}."""
    for when, size in wal_mib.items():
        if size > WAL_MIB:
            yield f"the WAL has {size:.1f} MiB {when} ({WAL_MIB:g} allowed)"
