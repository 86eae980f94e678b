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
from agent.core.states import State
from agent.ledger import orders
from agent.reporting import ordering

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.ledger.orders import Target
    from agent.ledger.store import Ledger
    from agent.reporting.ordering import Done


of_fleet = click.option("--fleet", "of_fleet", is_flag=True, help="Of all hosts of the fleet, not of this one.")


@contextmanager
def open_ledger(*, create: bool = False) -> Iterator[Ledger]:
    """Open the ledger of the settings to write; without `create` it must be there."""
    with ordering.open_ledger(shell.ledger_path(), create=create) as ledger:
        yield ledger


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
        with ledger.transaction():
            done = ordering.retry(ledger, chosen.rows.values())
    lines, sent = _lines(done), _sent(done)
    read = sum(each.then is State.SETTLING for each in done)
    say_each(lines, chosen)
    if chosen.rows.keys() - chosen.named:
        _say_sum(sent, (read, "to be read again"), (len(lines) - len(sent) - read, "left as is"))
    end(chosen, "" if lines else "nothing is failed, held or invalid")


def _say_sum(sent: list[Target], *others: tuple[int, str]) -> None:
    shell.say("; ".join([f"{told(sent)} will be sent", *(f"{count:,} {what}" for count, what in others if count)]))


def _lines(done: list[Done]) -> list[tuple[int, str]]:
    return [(each.row.id, each.line) for each in done]


def _sent(done: list[Done]) -> list[Target]:
    return [each.row for each in done if each.then is State.PENDING]


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
        with ledger.transaction():
            done = ordering.resubmit(ledger, chosen.rows.values())
    lines, sent = _lines(done), _sent(done)
    refused = len(done) - len(sent)
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
        done = ordering.dismiss(ledger, chosen.rows.values())
    lines = _lines(done)
    say_each(lines, chosen)
    if chosen.rows.keys() - chosen.named:
        shell.say(f"{sum(each.then is not None for each in done):,} of {len(lines):,} are ignored")
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
        whose = " from all hosts of the fleet"
        shell.say(ordering.paused_line(paused=paused, is_as_before=before is paused, whose=whose))
        return
    with open_ledger(create=paused) as ledger, ledger.transaction():
        line = ordering.pause(ledger, paused=paused)
    shell.say(line)
