"""`playment-agent baseline`: what is in the folder now needs no job."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import click

from agent.commands import configured, shell
from agent.commands.drawn import tracked
from agent.commands.order import open_ledger
from agent.host import locks
from agent.ledger import past
from agent.ledger.baseline import set_aside_all
from agent.reporting.preview import units_now
from agent.settings.parts import world_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from concurrent.futures import Future

    from agent.ledger.store import Ledger
    from agent.model import Unit

TOGETHER = 2000
"""Units, and files, that are written in one transaction: 4 MiB, and what a kill undoes is read again. By the thousand
20,000 images take 1.38 s, so 1.32."""


@click.command(short_help="Have all that is in the folder now left alone.")
@shell.settled
def baseline() -> None:
    """Mark all that is in the folder now as `ignored`: only what comes later is submitted.

    For a first start on an archive. All files are read, so that what is moved later is known again. Where folders
    cannot be listed, what is in them is not marked, and the exit code is 1.

    Example: playment-agent baseline
    """
    settings = configured.settings(needs_key=False)
    with (
        locks.lock_file(settings.lock_path),
        locks.lock_folder(settings.watch_dir),
        open_ledger(create=True) as ledger,
    ):
        ledger.bind(world_of(settings))
        done = total = 0
        unlisted: dict[str, str] = {}
        with ThreadPoolExecutor(1, "ledger") as writer:  # what is read next is read meanwhile
            written: Future[int] | None = None
            for units in _together(tracked(units_now(settings, unlisted), "reading")):
                done += written.result() if written is not None else 0
                written = writer.submit(_write, ledger, units)
                total += len(units)
            done += written.result() if written is not None else 0
        sent = total - done
        with ledger.transaction():
            past.decided(ledger)
    shell.say(f"{done:,} units are ignored" + (f"; {sent:,} were sent before and stay as they are" if sent else ""))
    for reason in unlisted.values():
        shell.say(f"{reason}: what is in it is not ignored, and would be sent once it can be read")
    sys.exit(1 if unlisted else 0)


def _write(ledger: Ledger, units: Sequence[Unit]) -> int:
    with ledger.transaction():
        return set_aside_all(ledger, units)


def _together(units: Iterable[Unit]) -> Iterator[list[Unit]]:
    """Yield units in groups, each for one transaction: a commit for each took 7 of the 10 s of 30,000."""
    group: list[Unit] = []
    files = 0
    for unit in units:
        group.append(unit)
        files += len(unit.frames)
        if max(len(group), files) >= TOGETHER:
            yield group
            group, files = [], 0
    if group:
        yield group
