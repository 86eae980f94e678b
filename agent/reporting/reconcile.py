"""Compares the ledger with the target's own lists: what is missing there, what is extra, what differs."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from agent.core.adoption import contradictions, may_be_ours
from agent.core.states import AT_TARGET, MOVES, State
from agent.ledger import jobs, late
from agent.ledger.reads import Reads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.ledger.recorded import Recorded
    from agent.ledger.store import Ledger
    from agent.model.jobs import Found
    from agent.targets import Batch, Target


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which the ledger and the target differ. `here` is the ledger's word, `there` is the target's.

    `what` is `missing` (submitted here, in no list), `extra` (in a list, not known here), `unsent` (in a list, not
    submitted here), `twin` (in a list beside the one that is known here), `job_id`, `frames`, `tag` or `batch`.
    `adopted` tells that the ledger has taken over what is there.
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
class _Compared:
    """What one listed job means for its row: the differences, and what to write where they are to be adopted."""

    row: Recorded
    differences: list[Difference]
    adopt: dict[str, str] = field(default_factory=dict)


def reconcile(
    ledger: Ledger, target: Target, *, adopt: bool, is_ours: Callable[[str], bool] = lambda _id: True
) -> Iterator[Difference]:
    """Yield every difference, with one pass over all lists; `adopt` takes over into the ledger what is there.

    Adopted are jobs that the ledger has not as submitted, other job ids, and other batches; never other frames or
    tags, which a person must look into, nor twins: those the agent looks at again. A job that is not known here differs
    only where its id `is_ours`. Raises RemoteError, LedgerUnavailable.
    """
    comparison = _Comparison(ledger, target, adopt=adopt, is_ours=is_ours)
    for batch, some in target.listed():
        with ledger.transaction():
            differences = [each for job in some for each in comparison.of(job, batch)]
        yield from differences
    with ledger.transaction():
        differences = list(comparison.of_others())
    yield from differences
    yield from _missing(Reads.within(ledger), comparison.rows)


class _Comparison:
    """Compares listed jobs with the ledger, one after another; `rows` are those whose jobs were listed.

    Each method runs inside a transaction of its caller.
    """

    def __init__(self, ledger: Ledger, target: Target, *, adopt: bool, is_ours: Callable[[str], bool]) -> None:
        self._ledger = ledger
        self._reads = Reads.within(ledger)
        self._target = target
        self._adopts = adopt
        self._is_ours = is_ours
        self._own: set[int] = set()
        self._others: list[tuple[Found, Batch]] = []
        self.rows: set[int] = set()

    def of(self, job: Found, batch: Batch) -> Iterator[Difference]:
        """Compare a job, unless it is another one than the row's and may be its twin: that is known in the end."""
        row = self._reads.recorded(job.reference_id)
        if row is None:
            if self._is_ours(job.reference_id):
                yield Difference("extra", job.reference_id, "", "", job.job_id)
            return
        self.rows.add(row.id)
        if row.state in AT_TARGET and row.job_id != job.job_id and not self._target.refuses_duplicates:
            self._others.append((job, batch))
        else:
            yield from self._with(row, job, batch)

    def of_others(self) -> Iterator[Difference]:
        """Compare the jobs that were left: twins, where the row's own was listed, too."""
        for job, batch in self._others:
            row = self._reads.recorded(job.reference_id)
            if row is None:
                continue
            if row.id not in self._own:
                yield from self._with(row, job, batch)
                self._own.add(row.id)
                continue
            if self._adopts:
                late.look(self._ledger, row.id)
            yield Difference("twin", row.reference_id, row.path, row.job_id or "", job.job_id)

    def _with(self, row: Recorded, job: Found, batch: Batch) -> Iterator[Difference]:
        found = _compare(row, job, batch)
        adopted = bool(found.adopt) and self._adopts
        if adopted:
            _adopt(self._ledger, found, job, self._target.name)
        if adopted or row.job_id == job.job_id:
            self._own.add(row.id)
        for difference in found.differences:
            yield replace(difference, adopted=adopted and difference.what in found.adopt)


def _compare(row: Recorded, job: Found, batch: Batch) -> _Compared:
    found = _Compared(row, [])

    def differs(what: str, here: object, there: object, *, can_be_adopted: bool) -> None:
        found.differences.append(Difference(what, row.reference_id, row.path, str(here or ""), str(there or "")))
        if can_be_adopted:
            found.adopt[what] = str(there)

    against = contradictions(job, row)
    for what, here, there in against:
        differs(what, here, there, can_be_adopted=False)
    if row.state is State.FAILED and row.job_id == job.job_id:
        return found  # the target took it, and it has failed there: that is known
    if row.state not in AT_TARGET:
        can = may_be_ours(job, row) and State.SUBMITTED in MOVES[row.state]
        differs("unsent", row.state, job.job_id, can_be_adopted=can)
        return found
    same = not against
    if row.job_id != job.job_id:
        differs("job_id", row.job_id, job.job_id, can_be_adopted=same)
    if row.batch_id != batch.id if row.batch_id else not batch.is_default:
        differs("batch", row.batch_id or "the default batch", batch.id, can_be_adopted=same)
    return found


def _adopt(ledger: Ledger, found: _Compared, job: Found, target: str) -> None:
    row = found.row
    if "unsent" in found.adopt:
        jobs.accepted(ledger, row.id, job.job_id, f"found in {target}'s lists by reconcile")
    else:
        columns = {"job_id": found.adopt.get("job_id"), "batch_id": found.adopt.get("batch")}
        ledger.set(row.id, **{name: value for name, value in columns.items() if value is not None})
        ledger.record(row.id, "reconciled", ", ".join(f"{what}: {there}" for what, there in found.adopt.items()))


def _missing(reads: Reads, seen: set[int]) -> Iterator[Difference]:
    """Yield what is submitted here and in no list there."""
    for job, reference_id, path, job_id in reads.sent():
        if job not in seen:
            yield Difference("missing", reference_id, path, job_id, "")
