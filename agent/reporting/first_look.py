"""What a new ledger takes over at a person's word, before an agent has run with it: `reconcile --adopt`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.ledger import past
from agent.ledger.reads import Reads
from agent.noticing.decide import Verdicts
from agent.reporting.reconcile import Difference
from agent.service.folder import scanner_of
from agent.settings.parts import rules_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from agent.ledger.store import Ledger
    from agent.model import Unit
    from agent.reporting.whose import Whose
    from agent.settings.settings import Settings
    from agent.targets import Target


def take_over(
    settings: Settings, ledger: Ledger, target: Target, units: Iterable[Unit], whose: Whose
) -> Iterator[Difference]:
    """Look through the target's lists for the jobs of the `units`, which are all there are; yield what was found.

    A job whose files are here under another path, and not at their own, is taken over with them. Raises RemoteError,
    LedgerUnavailable, FolderUnavailable.
    """
    rules = rules_of(settings)
    with ledger.transaction():
        past.begin(ledger)
    found = False
    for _, some in target.listed():
        with ledger.transaction():
            ids = past.learn(ledger, some, rules.reader)
            whose.others += len(some) - len(ids)
            if ids and not found:
                found = True
                past.suspect(ledger, ids[0])
    verdicts = Verdicts(scanner_of(settings), rules)
    for unit in units if found else ():
        with ledger.transaction():
            verdicts.adopt(ledger, unit)
    with ledger.transaction():
        past.finish(ledger, rules, found=found, whole=True)
        rest = past.left(ledger)
    for _, reference_id, path, job_id in Reads.within(ledger).sent():
        yield Difference("extra", reference_id, path, "", job_id, adopted=True)
    for reference_id, job_id in rest:
        if whose.is_ours(reference_id):
            yield Difference("extra", reference_id, "", "", job_id)
