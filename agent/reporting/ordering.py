"""What a person orders of jobs, and what is said of each: for the commands, and for the page."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.core.states import UNREAD, State
from agent.host.clock import utc_now
from agent.ledger import orders
from agent.ledger.store import Ledger, no_ledger
from agent.service.names import called

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from agent.ledger.orders import Target


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a job that an order was about: its new state, None where it stays, and a line that says so."""

    row: Target
    then: State | None
    line: str


@contextmanager
def open_ledger(path: Path, *, create: bool = False) -> Iterator[Ledger]:
    """Open the ledger to write; without `create` it must be there."""
    if not create and not path.exists():
        raise no_ledger(path)
    ledger = Ledger(path, utc_now, "")
    try:
        ledger.target = called(ledger.get("target"))
        yield ledger
    finally:
        ledger.close()


def retry(ledger: Ledger, rows: Iterable[Target]) -> list[Done]:
    """Give jobs another try. Runs inside a transaction of its caller, as the next two."""
    done = []
    for row in orders.again(ledger, rows):
        then = orders.retry(ledger, row)
        done.append(Done(row, then, f"{row.path}: {row.state} -> {then}" if then else _no_retry(row)))
    return done


def resubmit(ledger: Ledger, rows: Iterable[Target]) -> list[Done]:
    """Send those that changed after submission as new jobs; of others nothing is said."""
    done = []
    for row in filter(orders.is_change, orders.again(ledger, rows)):
        if orders.resubmit(ledger, row):
            done.append(Done(row, State.PENDING, f"{row.path}: to be sent as a new job ({row.reason})"))
        else:
            done.append(Done(row, None, f"{row.path}: it cannot be sent as it is: {row.reason}"))
    return done


def dismiss(ledger: Ledger, rows: Iterable[Target]) -> list[Done]:
    """Say that jobs are not needed."""
    done = []
    for row in orders.again(ledger, rows):
        is_ignored = orders.dismiss(ledger, row)
        no = f"it is {row.state}, {ledger.target} has or may have it"
        line = f"{row.path}: {'ignored' if is_ignored else no}"
        done.append(Done(row, State.IGNORED if is_ignored else None, line))
    return done


def pause(ledger: Ledger, *, paused: bool) -> str:
    """Stop, or start, sending; return what is so now."""
    before = orders.pause(ledger, paused=paused)
    return paused_line(paused=paused, is_as_before=before is paused)


def paused_line(*, paused: bool, is_as_before: bool, whose: str = "") -> str:
    """Return the line about sending that was stopped, or started."""
    now = f"sending{whose} is paused; noticing goes on" if paused else f"sending{whose} goes on"
    return f"{now} (as before)" if is_as_before else now


def _no_retry(row: Target) -> str:
    if row.error_code in UNREAD:
        why = f"it goes on by itself once this is mended: {row.reason}"
    elif row.state is State.HELD:
        why = "it changed after submission: 'resubmit' sends it as a new job, 'dismiss' leaves it"
    else:
        why = f"it is {row.state}: retry is for failed, held and invalid ones"
    return f"{row.path}: {why}"
