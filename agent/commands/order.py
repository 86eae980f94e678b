"""`retry`, `resubmit`, `dismiss`, `pause`, `resume`: what a person tells the agent.

A running agent obeys within two seconds.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from agent.commands import shell
from agent.commands.fleet import joined
from agent.commands.selection import Wanted, choose, end, may_cost, say_each, selects, told
from agent.core.states import UNREAD, State
from agent.host.clock import utc_now
from agent.ledger import orders
from agent.ledger.store import Ledger, no_ledger
from agent.service.names import called

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.ledger.orders import Target


of_fleet = click.option("--fleet", "of_fleet", is_flag=True, help="Of all hosts of the fleet, not of this one.")


@contextmanager
def open_ledger(*, create: bool = False) -> Iterator[Ledger]:
    """Open the ledger to write; without `create` it must be there."""
    path = shell.ledger_path()
    if not create and not path.exists():
        raise no_ledger(path)
    ledger = Ledger(path, utc_now, "")
    try:
        ledger.target = called(ledger.get("target"))
        yield ledger
    finally:
        ledger.close()


@click.command(short_help="Give what failed, is held, or is invalid another try.")
@shell.settled
@selects(orders.RETRIED)
def retry(*, wanted: Wanted) -> None:
    """Give what failed, is held, or is invalid another try; what changed after submission stays held.

    A PATH may be a folder: all below it. On a terminal it asks before anything is sent.

    Example: playment-agent retry --code probe
    """
    with open_ledger() as ledger:
        chosen = choose(ledger, wanted, orders.RETRIED)
        may_cost([row for row in chosen.rows.values() if orders.is_sent_by_retry(row)])
        lines, sent, read = [], [], 0
        with ledger.transaction():
            for row in orders.again(ledger, chosen.rows.values()):
                state = orders.retry(ledger, row)
                sent += [row] if state is State.PENDING else []
                read += state is State.SETTLING
                lines.append((row.id, f"{row.path}: {row.state} -> {state}" if state else _no_retry(row)))
    say_each(lines, chosen)
    if chosen.rows.keys() - chosen.named:
        _say_sum(sent, (read, "to be read again"), (len(lines) - len(sent) - read, "left as is"))
    end(chosen, "" if lines else "nothing is failed, held or invalid")


def _say_sum(sent: list[Target], *others: tuple[int, str]) -> None:
    shell.say("; ".join([f"{told(sent)} will be sent", *(f"{count:,} {what}" for count, what in others if count)]))


def _no_retry(row: Target) -> str:
    if row.error_code in UNREAD:
        why = f"it goes on by itself once this is mended: {row.reason}"
    elif row.state is State.HELD:
        why = "it changed after submission: 'resubmit' sends it as a new job, 'dismiss' leaves it"
    else:
        why = f"it is {row.state}: retry is for failed, held and invalid ones"
    return f"{row.path}: {why}"


@click.command(short_help="Send what changed after submission, as a new job.")
@shell.settled
@selects(orders.RESUBMITTED)
def resubmit(*, wanted: Wanted) -> None:
    """Send what changed after submission, as a new job; the old job stays.

    A PATH may be a folder: all below it. 'explain PATH' says what differs. On a terminal it asks before anything is
    sent.

    Example: playment-agent resubmit inbox/cam1
    """
    with open_ledger() as ledger:
        chosen = choose(ledger, wanted, orders.RESUBMITTED)
        may_cost([row for row in chosen.rows.values() if orders.is_sent_by_resubmit(row)])
        lines, sent, refused = [], [], 0
        with ledger.transaction():
            for row in filter(orders.is_change, orders.again(ledger, chosen.rows.values())):
                if orders.resubmit(ledger, row):
                    sent.append(row)
                    lines.append((row.id, f"{row.path}: to be sent as a new job ({row.reason})"))
                else:
                    refused += 1
                    lines.append((row.id, f"{row.path}: it cannot be sent as it is: {row.reason}"))
    say_each(lines, chosen)
    if {row for row, _ in lines} - chosen.named:
        _say_sum(sent, (refused, "that cannot be sent as is"))
    end(chosen, "" if lines else "nothing changed after submission", refused=bool(refused))


@click.command()
@shell.settled
@selects(orders.DISMISSED)
def dismiss(*, wanted: Wanted) -> None:
    """Say that this needs no job: it becomes `ignored`.

    A PATH may be a folder: all below it that was not sent.

    Example: playment-agent dismiss inbox/test.jpg
    """
    with open_ledger() as ledger, ledger.transaction():
        chosen = choose(ledger, wanted, orders.DISMISSED)
        lines, done = [], 0
        for row in chosen.rows.values():
            is_ignored = orders.dismiss(ledger, row)
            done += is_ignored
            no = f"it is {row.state}, {ledger.target} has or may have it"
            lines.append((row.id, f"{row.path}: {'ignored' if is_ignored else no}"))
    say_each(lines, chosen)
    if chosen.rows.keys() - chosen.named:
        shell.say(f"{done:,} of {len(lines):,} are ignored")
    end(chosen, "" if lines else "nothing is there that was not sent")


@click.command()
@of_fleet
@shell.settled
def pause(*, of_fleet: bool) -> None:
    """Stop sending; noticing goes on.

    Example: playment-agent pause
    """
    _pause(paused=True, of_fleet=of_fleet)


@click.command()
@of_fleet
@shell.settled
def resume(*, of_fleet: bool) -> None:
    """Start sending again.

    Example: playment-agent resume
    """
    _pause(paused=False, of_fleet=of_fleet)


def _pause(*, paused: bool, of_fleet: bool) -> None:
    if of_fleet:
        with joined() as fleet:
            before = fleet.pause(paused=paused)
    else:
        with open_ledger(create=paused) as ledger, ledger.transaction():
            before = orders.pause(ledger, paused=paused)
    whose = " from all hosts of the fleet" if of_fleet else ""
    now = f"sending{whose} is paused; noticing goes on" if paused else f"sending{whose} goes on"
    shell.say(f"{now} (as before)" if before is paused else now)
