"""What comes before a pending job is published: the spend guard, and the settings of its folder."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from agent.core.spend_guard import is_used_up
from agent.errors import FolderUnavailable, HeldByFolder
from agent.ledger import holds, spend, units

if TYPE_CHECKING:
    from agent.ledger.due import Candidate
    from agent.ledger.reads import Reads
    from agent.ledger.writer import LedgerWriter
    from agent.sending.context import SendingContext


def put_off_beyond_limit(context: SendingContext, ledger: LedgerWriter, reads: Reads, spent: str) -> None:
    """Put off all that was not counted yet, once the day's limit is reached: nothing is published in vain.

    Whether a job may be sent is decided once more with its intent. `spent` is why a fleet sends no more today, or ''.
    Raises LedgerUnavailable.
    """
    now = context.now()
    if spent and reads.has_uncounted_due(now):
        ledger.call(partial(spend.put_off_all_as, why=spent))
    if is_used_up(context.limits, reads.spent_today(now)) and reads.has_uncounted_due(now):
        ledger.call(partial(spend.put_off_all, limits=context.limits))


def by_folder(context: SendingContext, candidate: Candidate) -> tuple[Candidate, str | None]:
    """Return a job that no intent has frozen with the tag and batch that hold in its folder, and its batch's name.

    The name is None where the batch is known by its id, or is the default one. Raises HeldByFolder, and TryLater where
    the folder's settings cannot be told.
    """
    job = candidate.job
    try:
        rules = context.folders.of(job.folder)
    except FolderUnavailable as error:
        raise error.of_job() from error
    why_held = rules.why_held()
    if why_held is not None:
        raise HeldByFolder(why_held, partial(holds.hold_pending, job=job.id, reason=why_held))
    if rules.ignore:
        why = rules.why_ignored
        raise HeldByFolder(why, partial(units.vanish, path=job.path, kind=job.kind, why=why))
    name = context.batch_name(job.path)
    if rules.batch is not None:
        batch_id, name = context.batch_of(job.path, rules.batch)
        job = replace(job, batch_id=batch_id)
    if rules.tag is not None:
        job = replace(job, tag=rules.tag)
    return replace(candidate, job=job), name
