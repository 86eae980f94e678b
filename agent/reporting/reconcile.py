"""Compares the ledger with Playment's own lists: what is missing there, what is extra, what differs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from agent.core.states import MOVES, State
from agent.ledger import jobs
from agent.ledger.reads import Reads
from agent.model import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from agent.ledger.recorded import Recorded
    from agent.ledger.store import Ledger
    from agent.targets.playment.answers import ListedJob
    from agent.targets.playment.client import Playment

SENT_STATES = (State.SUBMITTED, State.COMPLETED)
AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which the ledger and Playment differ. `here` is the ledger's word, `there` is Playment's.

    `what` is `missing` (submitted here, in no list), `extra` (in a list, not known here), `unsent` (in a list, not
    submitted here), `job_id`, `frames`, `tag` or `batch`. `adopted` tells that the ledger has taken over what is there.
    """

    what: str
    reference_id: str
    path: str
    here: str
    there: str
    adopted: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the difference for JSON and tables."""
        return asdict(self)


@dataclass(slots=True)
class _Found:
    """What one listed job means for its row: the differences, and what to write where they are to be adopted."""

    row: Recorded
    differences: list[Difference]
    adopt: dict[str, str] = field(default_factory=dict)


def reconcile(ledger: Ledger, playment: Playment, *, adopt: bool) -> Iterator[Difference]:
    """Yield every difference, with one pass over all lists; `adopt` takes over into the ledger what is there.

    Adopted are jobs that the ledger has not as submitted, other job ids, and other batches; never other frames or
    tags, which a person must look into. Raises RemoteError, LedgerUnavailable.
    """
    seen: set[int] = set()
    for batch in playment.details().batches:
        default = batch.id if batch.is_default else None
        listed = playment.iter_batch_jobs(batch.id)
        while some := list(islice(listed, AT_ONCE)):
            with ledger.transaction():
                differences = list(_compared(ledger, some, batch.id, default, seen, adopt=adopt))
            yield from differences
    yield from _missing(Reads.within(ledger), seen)


def _compared(
    ledger: Ledger, listed: Iterable[ListedJob], batch_id: str, default: str | None, seen: set[int], *, adopt: bool
) -> Iterator[Difference]:
    """Compare listed jobs with their rows."""
    reads = Reads.within(ledger)
    for job in listed:
        row = reads.recorded(job.reference_id)
        if row is None:
            yield Difference("extra", job.reference_id, "", "", job.id)
            continue
        seen.add(row.id)
        found = _compare(row, job, batch_id, default)
        adopted = bool(found.adopt) and adopt
        if adopted:
            _adopt(ledger, found, job)
        for difference in found.differences:
            taken = adopted and difference.what in found.adopt
            yield Difference(**{**asdict(difference), "adopted": taken})


def _compare(row: Recorded, job: ListedJob, batch_id: str, default: str | None) -> _Found:
    found = _Found(row, [])

    def differs(what: str, here: object, there: object, *, can_be_adopted: bool) -> None:
        found.differences.append(Difference(what, row.reference_id, row.path, str(here or ""), str(there or "")))
        if can_be_adopted:
            found.adopt[what] = str(there)

    frames = job.frames or (1 if row.kind is Kind.IMAGE else 0)
    same = frames == row.frame_count and (job.tag is None or row.tag is None or job.tag == row.tag)
    if frames != row.frame_count:
        differs("frames", row.frame_count, frames, can_be_adopted=False)
    if job.tag is not None and row.tag is not None and job.tag != row.tag:
        differs("tag", row.tag, job.tag, can_be_adopted=False)
    if row.state not in SENT_STATES:
        can = same and _may_be_ours(row) and State.SUBMITTED in MOVES[row.state]
        differs("unsent", row.state, job.id, can_be_adopted=can)
        return found
    if row.job_id != job.id:
        differs("job_id", row.job_id, job.id, can_be_adopted=same)
    if (row.batch_id or default) != batch_id:
        differs("batch", row.batch_id or "the default batch", batch_id, can_be_adopted=same)
    return found


def _adopt(ledger: Ledger, found: _Found, job: ListedJob) -> None:
    row = found.row
    if "unsent" in found.adopt:
        jobs.accepted(ledger, row.id, job.id, "found in Playment's lists by reconcile")
    else:
        columns = {"job_id": found.adopt.get("job_id"), "batch_id": found.adopt.get("batch")}
        ledger.set(row.id, **{name: value for name, value in columns.items() if value is not None})
        ledger.record(row.id, "reconciled", ", ".join(f"{what}: {there}" for what, there in found.adopt.items()))


def _may_be_ours(row: Recorded) -> bool:
    """As in adoption: a try was never answered, or the id holds the digest of this very content."""
    return row.unanswered > 0 or (row.digest is not None and row.digest[:12] in row.reference_id)


def _missing(reads: Reads, seen: set[int]) -> Iterator[Difference]:
    """Yield what is submitted here and in no list there."""
    for job, reference_id, path, job_id in reads.sent():
        if job not in seen:
            yield Difference("missing", reference_id, path, job_id, "")
