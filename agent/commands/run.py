"""`playment-agent run`: the service, or one pass."""

from __future__ import annotations

import contextlib
import gc
import sys
import time
from typing import TYPE_CHECKING

import click

from agent.commands import configured, shell
from agent.ledger.reads import Reads
from agent.service.loop import Service
from agent.service.signals import obey_signals
from agent.service.waiting import Waiting
from agent.terminal import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.ledger.reports import RunSums
    from agent.settings.settings import Settings
    from agent.terminal.bar import Bar

REST = 50
"""How many times as long as the bar's question took nothing is asked: a million jobs are summed up in a second."""


@click.command(short_help="Watch the folder and submit what is dropped into it.")
@click.option("--once", is_flag=True, help="Submit what is there now, then exit.")
@shell.settled
def run(*, once: bool) -> None:
    """Watch the folder and submit what is dropped into it, until SIGTERM or SIGINT. SIGHUP reads the settings again.

    A folder, or a file with the key, that is not there yet is waited for; but not with --once.

    With --once: scan, wait until what is there has settled, publish, submit, exit. What is still growing after three
    settle times is left, and makes the exit code 1.

    Example: playment-agent run --once
    """
    gc.freeze()
    if not once:
        sys.exit(Waiting(configured.settings, configured.reread()).run())
    settings = configured.settings()
    if sys.stderr.isatty():
        sys.exit(_with_bar(settings))
    sys.exit(_run(Service(settings, once=True, read=configured.reread())))


def _with_bar(settings: Settings) -> int:
    """Run once with a bar, and say at the end what has come of it; return the exit code."""
    from agent.commands.drawn import live  # noqa: PLC0415 - Rich takes 4 MiB, which a service would hold all its life

    with live() as bar, contextlib.ExitStack() as stack:
        shown = Shown(bar, lambda: stack.enter_context(Reads.open(settings.ledger_path)))
        code = _run(Service(settings, once=True, progress=shown.tick, read=configured.reread()))
        sums = shown.end()
    say(told(sums, shell.again("status")), err=True)
    return code


class Shown:
    """Keeps a bar up to date, from the loop's thread. `opened` opens the ledger, once it is there."""

    def __init__(self, bar: Bar, opened: Callable[[], Reads]) -> None:
        self._bar = bar
        self._opened = opened
        self._reads: Reads | None = None
        self._again_at = 0.0

    def tick(self) -> None:
        """Show how far it is; as seldom as asking is slow, where there are many jobs."""
        began = time.monotonic()
        if began >= self._again_at:
            self.end()
            self._again_at = began + (time.monotonic() - began) * REST

    def end(self) -> RunSums:
        """Show how far it is now, and return it."""
        self._reads = self._reads or self._opened()
        sums = self._reads.sums_of_run()
        sent, settling, waiting = sums.sent, sums.settling, sums.waiting
        far = [(done, done + first + second) for done, first, second in zip(sent, settling, waiting, strict=True)]
        self._bar.show("sending" if sent.jobs or waiting.jobs else "settling", *far)
        return sums


def told(sums: RunSums, status: str) -> str:
    """Return the one sentence at the end; `status` is the command that says more."""
    left = sums.settling.jobs + sums.waiting.jobs
    frames = f"{sums.sent.frames:,} frame{'s' if sums.sent.frames != 1 else ''}"
    parts = [
        f"{sums.sent.jobs:,} sent ({frames})",
        f"{left:,} still wait{'s' if left == 1 else ''}" if left else "",
        f"{sums.attention:,} need{'s' if sums.attention == 1 else ''} attention" if sums.attention else "",
    ]
    return ", ".join(filter(None, parts)) + (f": {status}" if any(parts[1:]) else "")


def _run(service: Service) -> int:
    obey_signals(service)
    return service.run()
