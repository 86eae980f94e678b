"""Which rows an order is about: paths, folders with all below them, reference ids, or all that wait for a person."""

from __future__ import annotations

import functools
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import click

from agent.commands import shell
from agent.core.states import ATTENTION, State
from agent.ledger import orders
from agent.model import shown
from agent.reporting.places import relative

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.ledger.orders import Target
    from agent.ledger.store import Ledger

F = TypeVar("F", bound="Callable[..., Any]")
LINES = 20
"""Rows that are told one by one where they were not named one by one."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person has asked for on the command line."""

    names: tuple[str, ...]
    code: str | None
    state: State | None
    everything: bool

    def fits(self, row: Target) -> bool:
        """Tell whether a row is of the code and the state that were asked for."""
        return self.code in (None, row.error_code) and self.state in (None, row.state)


@dataclass(slots=True)
class Chosen:
    """The rows that an order is about; `named` are those that were named one by one, `missing` the names of none."""

    names: tuple[str, ...]
    rows: dict[int, Target] = field(default_factory=dict)
    named: set[int] = field(default_factory=set)
    missing: list[str] = field(default_factory=list)


def selects(states: frozenset[State]) -> Callable[[F], F]:
    """Give a command its arguments that select rows; it is handed them as `wanted`, a Wanted."""

    def decorate(command: F) -> F:
        choice = click.Choice(sorted(map(str, states)))

        @click.option("--code", metavar="CODE", help="Only rows with this error_code (probe, gaps, …).")
        @click.option("--state", type=choice, help="Only rows in this state.")
        @click.option("--all", "everything", is_flag=True, help="All rows that wait for a person.")
        @click.argument("names", nargs=-1, metavar="[PATH or REFERENCE_ID]…")
        @functools.wraps(command)
        def with_wanted(*, names: tuple[str, ...], code: str | None, state: str | None, everything: bool) -> Any:
            if any(not text.strip() for text in (*names, *([] if code is None else [code]))):
                raise click.UsageError("an empty CODE or PATH names no row: leave it out, or say --all")
            if names and everything:
                raise click.UsageError("--all means all there are: name no PATH beside it")
            if not (names or everything or code or state):
                raise click.UsageError("name a PATH or REFERENCE_ID, or rows by --code, --state or --all")
            return command(wanted=Wanted(names, code, State(state) if state else None, everything))

        return with_wanted  # type: ignore[return-value]  # click calls it, nobody else

    return decorate


def choose(ledger: Ledger, wanted: Wanted, states: frozenset[State]) -> Chosen:
    """Return the rows of names, and those below them that are in one of the `states`; without names, all of these.

    Without names, and where no state was asked for, a row must wait for a person.
    """
    chosen = Chosen(wanted.names)
    if not wanted.names:
        among = states if wanted.state else states & ATTENTION
        chosen.rows = {row.id: row for row in orders.in_states(ledger, among) if wanted.fits(row)}
    watch_dir = ledger.get("watch_dir")
    for name in wanted.names:
        for place in _places(watch_dir, name, os.getcwd()):
            exact, inside = orders.named(ledger, place), orders.below(ledger, place, frozenset(State))
            if exact or inside:
                rows = [*exact, *(row for row in inside if row.state in states)]
                chosen.rows.update((row.id, row) for row in rows if wanted.fits(row))
                chosen.named.update(row.id for row in exact)
                break
        else:
            chosen.missing.append(name)
    return chosen


def _places(watch_dir: str, name: str, cwd: str) -> Iterator[str]:
    """Yield what a name may mean in the ledger: as given, or as a path from here; a folder above it means all of it."""
    yield shown(name)
    plain = os.path.normpath(name)
    if not plain.startswith((".", "/")):
        yield shown(plain)
    if not watch_dir:
        return
    from_here = relative(watch_dir, name, cwd)
    there = os.path.realpath(os.path.join(cwd, name))
    if from_here:
        yield shown(from_here)
    elif os.path.commonpath((there, watch_dir)) == there:
        yield ""


def may_cost(rows: list[Target]) -> None:
    """Ask on a terminal whether rows are to be sent, which costs money; end the command where they are not."""
    if rows and sys.stdin.isatty():
        click.confirm(f"{told(rows)} will be sent and paid for. Go on?", abort=True)


def told(rows: list[Target]) -> str:
    """Return how many jobs and frames rows are."""
    frames = sum(row.frame_count for row in rows)
    return f"{len(rows):,} job{'s' if len(rows) != 1 else ''} ({frames:,} frame{'s' if frames != 1 else ''})"


def say_each(lines: list[tuple[int, str]], chosen: Chosen) -> None:
    """Say a line for each row that was named, and for the first of the others."""
    others = 0
    for row, line in lines:
        others += row not in chosen.named
        if row in chosen.named or others <= LINES:
            shell.say(line)
    if others > LINES:
        shell.say(f"… and {others - LINES:,} more")


def end(chosen: Chosen, nothing: str, *, refused: bool = False) -> None:
    """Say which names have no row, or `nothing`, that an order was about no row of theirs, and end the command.

    With 1 where a name has no row, or something was `refused`.
    """
    for name in chosen.missing:
        shell.say(f"playment-agent: the ledger has no row for {shown(name)!r}", err=True)
    if nothing and not chosen.missing:
        shell.say(f"{', '.join(map(shown, chosen.names))}: {nothing}" if chosen.names else "no such row")
    sys.exit(1 if chosen.missing or refused else 0)
