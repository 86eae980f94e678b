"""Tries whether news could be told; one is told where that is asked for, and only then."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import SettingsError
from agent.reporting.checks import fail, ok
from agent.service.news import try_news

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.reporting.checks import Check
    from agent.settings.settings import Settings

NEWS = "news"


def check_news(settings: Settings, *, tell: bool) -> Iterator[Check]:
    """Look whether the addresses, or the command, could be told by; `tell` one message by them."""
    by = "NOTIFY_URL" if settings.notify_url else "NOTIFY_COMMAND"
    try:
        outcome = try_news(settings, tell=tell)
    except SettingsError as error:
        yield from (fail(NEWS, problem, error.exit_code) for problem in error.problems)
        return
    if outcome is None:
        if tell:
            yield fail(NEWS, "no message was sent: neither NOTIFY_URL nor NOTIFY_COMMAND is set", 2)
    elif outcome.why:
        yield fail(NEWS, f"{by}: {outcome.why}")
    elif tell:
        yield ok(NEWS, f"one message on trial was told by {by}")
    else:
        at = settings.notify_summary_at
        daily = f", and a summary each day at {at[0]:02}:{at[1]:02}" if at else ""
        yield ok(NEWS, f"told by {by}{daily}; none was sent: 'check --news' sends one on trial")
