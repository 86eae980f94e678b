"""What comes before a pending job is published: the spend guard, and the settings of its folder."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from agent.errors import FolderUnavailable, TryLater
from agent.ledger import folder_stops, spend, units
from agent.spend import is_used_up

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from agent.folder_settings import FolderRules
    from agent.ledger.jobs import Candidate
    from agent.ledger.store import Ledger, LedgerThread
    from agent.model import Job
    from agent.rig import Rig


def affordable(
    rig: Rig, ledger: LedgerThread, reads: sqlite3.Connection, candidates: list[Candidate]
) -> list[Candidate]:
    """Return those that may be prepared; once the day's limit is reached, all that was not counted is put off.

    So nothing is published in vain; whether a job may be sent is decided once more with its intent. Raises
    LedgerUnavailable.
    """
    if not is_used_up(rig.limits, spend.today(reads, rig.now())):
        return candidates
    counted = [candidate for candidate in candidates if candidate.counted]
    if len(counted) < len(candidates):
        ledger.call(partial(spend.put_off_all, limits=rig.limits))
    return counted


def rules_for(rig: Rig, job: Job) -> FolderRules:
    """Return what the settings of the job's folder say now. Raises TryLater where that cannot be told."""
    try:
        return rig.folders.of(job.folder)
    except FolderUnavailable as error:
        raise TryLater(str(error), code="folder", refused=True) from error


def stopped(job: Job, rules: FolderRules) -> Callable[[Ledger], object]:
    """Return what is to be written of a job that its folder's settings stop: it is held, or let go of."""
    why_held = rules.why_held()
    if why_held is None:
        return partial(units.vanish, path=job.path, kind=job.kind, why=rules.why_ignored)
    return partial(folder_stops.hold_pending, job=job.id, reason=why_held)
