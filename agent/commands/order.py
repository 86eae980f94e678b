"""`retry`, `resubmit`, `dismiss`, `baseline`, `pause`, `resume`: what a person tells the agent.

A running agent obeys within two seconds.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from rich.progress import track

from agent.commands import shell
from agent.core.states import UNREAD, State
from agent.errors import LedgerUnavailable
from agent.host import locks
from agent.host.clock import utc_now
from agent.ledger import orders
from agent.ledger.store import Ledger
from agent.reporting.explain import relative
from agent.reporting.preview import units_now
from agent.service.assembly import TARGET_NAME
from agent.settings.parts import world_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.ledger.orders import Target


@contextmanager
def open_ledger(*, create: bool = False) -> Iterator[Ledger]:
    """Open the ledger to write; without `create` it must be there."""
    path = shell.ledger_path()
    if not create and not path.exists():
        raise LedgerUnavailable(f"there is no ledger at {path}: has the agent run yet? LEDGER_PATH names the file")
    ledger = Ledger(path, utc_now, TARGET_NAME)
    try:
        yield ledger
    finally:
        ledger.close()


def _targets(ledger: Ledger, names: tuple[str, ...]) -> tuple[list[Target], list[str]]:
    """Return the rows of the names, and the names that have none. A path is taken as given, or from here."""
    watch_dir = ledger.get("watch_dir")
    found: dict[int, Target] = {}
    missing = []
    for name in names:
        rows = orders.targets(ledger, name) or orders.targets(ledger, relative(watch_dir, name, os.getcwd()) or name)
        found.update((row.id, row) for row in rows)
        if not rows:
            missing.append(name)
    return list(found.values()), missing


@click.command()
@click.option("--code", metavar="CODE", help="Only rows with this error_code (probe, gaps, …).")
@click.argument("names", nargs=-1, metavar="[PATH or REFERENCE_ID]…")
@shell.settled
def retry(*, code: str | None, names: tuple[str, ...]) -> None:
    """Give what failed, is held, or is invalid another try; what changed after submission stays held.

    Example: playment-agent retry --code probe
    """
    if not names and code is None:
        raise click.UsageError("name a PATH or REFERENCE_ID, or rows by --code")
    with open_ledger() as ledger, ledger.transaction():
        rows, missing = _targets(ledger, names) if names else (orders.all_waiting_for_a_person(ledger), [])
        rows = [row for row in rows if code is None or row.error_code == code]
        for row in rows:
            state = orders.retry(ledger, row)
            shell.say(f"{row.path}: {row.state} -> {state}" if state else f"{row.path}: {_why_no_retry(row)}")
    _end(missing, found=bool(rows))


def _why_no_retry(row: Target) -> str:
    if row.error_code in UNREAD:
        return f"it goes on by itself once this is mended: {row.reason}"
    if row.state is State.HELD:
        return "it changed after submission: 'resubmit' sends it as a new job, 'dismiss' leaves it"
    return f"it is {row.state}: retry is for failed, held and invalid ones"


@click.command()
@click.argument("path")
@shell.settled
def resubmit(*, path: str) -> None:
    """Send what changed at PATH after submission, as a new job; the old job stays. PATH may be a folder above.

    'explain PATH' says what differs.

    Example: playment-agent resubmit inbox/cam1
    """
    with open_ledger() as ledger, ledger.transaction():
        rows, missing = _targets(ledger, (path,))
        changed = [row for row in rows if orders.is_change(row)]
        refused = False
        for row in changed:
            if orders.resubmit(ledger, row):
                shell.say(f"{row.path}: to be sent as a new job ({row.reason})")
            else:
                refused = True
                shell.say(f"{row.path}: it cannot be sent as it is: {row.reason}")
        if rows and not changed:
            shell.say(f"{path}: nothing changed after submission")
    _end(missing, found=bool(rows), refused=refused)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="PATH or REFERENCE_ID…")
@shell.settled
def dismiss(*, names: tuple[str, ...]) -> None:
    """Say that this needs no job: it becomes `ignored`.

    Example: playment-agent dismiss inbox/test.jpg
    """
    with open_ledger() as ledger, ledger.transaction():
        rows, missing = _targets(ledger, names)
        for row in rows:
            done = orders.dismiss(ledger, row)
            shell.say(
                f"{row.path}: ignored" if done else f"{row.path}: it is {row.state}, {TARGET_NAME} has or may have it"
            )
    _end(missing, found=bool(rows))


def _end(missing: list[str], *, found: bool, refused: bool = False) -> None:
    for name in missing:
        click.echo(f"playment-agent: the ledger has no row for {name!r}", err=True)
    if not found and not missing:
        shell.say("no such row")
    sys.exit(1 if missing or refused else 0)


@click.command()
@shell.settled
def baseline() -> None:
    """Mark all that is in the folder now as `ignored`: only what comes later is submitted.

    For a first start on an archive. All files are read, so that what is moved later is known again.

    Example: playment-agent baseline
    """
    settings = shell.settings(needs_key=False)
    with (
        locks.lock_file(settings.lock_path),
        locks.lock_folder(settings.watch_dir),
        open_ledger(create=True) as ledger,
    ):
        ledger.bind(world_of(settings))
        done = sent = 0
        for unit in track(units_now(settings), "reading", disable=not sys.stderr.isatty()):
            with ledger.transaction():
                if orders.set_aside(ledger, unit):
                    done += 1
                else:
                    sent += 1
    shell.say(f"{done:,} units are ignored" + (f"; {sent:,} were sent before and stay as they are" if sent else ""))


@click.command()
@shell.settled
def pause() -> None:
    """Stop sending; noticing goes on.

    Example: playment-agent pause
    """
    _pause(paused=True)


@click.command()
@shell.settled
def resume() -> None:
    """Start sending again.

    Example: playment-agent resume
    """
    _pause(paused=False)


def _pause(*, paused: bool) -> None:
    with open_ledger() as ledger, ledger.transaction():
        before = orders.pause(ledger, paused=paused)
    now = "sending is paused; noticing goes on" if paused else "sending goes on"
    shell.say(f"{now} (as before)" if before is paused else now)
