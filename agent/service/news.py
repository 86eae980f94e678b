"""Builds what tells the news, from the settings."""

from __future__ import annotations

import contextlib
import os
import socket
from importlib.util import find_spec
from typing import TYPE_CHECKING

from agent.errors import SettingsError
from agent.host.clock import utc_now
from agent.service.names import called
from agent.settings.settings import AWS_NAMES
from agent.settings.variables import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.ledger.writer import LedgerWriter
    from agent.news.notifier import Notifier, Outcome
    from agent.news.words import Sender
    from agent.settings.settings import Settings

NOT_INSTALLED = "NOTIFY_URL is set, and what tells by it is not installed: pip install '.[notify]'."
OURS = (
    {variable.name for variable in VARIABLES}
    | (set(AWS_NAMES) - {"HOME"})
    | {"CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_FDS", "LISTEN_PID"}
)
"""Variables that no command is given: the keys, where they are, and what systemd tells the agent alone."""


def notifier_of(settings: Settings) -> Notifier | None:
    """Return what tells messages, None where nothing is to. Raises SettingsError where the extra for it is missing."""
    if settings.notify_url is None and not settings.notify_command:
        return None
    if settings.notify_url is not None and find_spec("apprise") is None:
        raise SettingsError([NOT_INSTALLED])
    from agent.news.notifier import Notifier  # noqa: PLC0415 (who tells nothing needs none of it)

    environ = {name: value for name, value in os.environ.items() if name not in OURS}
    return Notifier(settings.notify_url.reveal() if settings.notify_url else "", settings.notify_command, environ)


def sender_of(settings: Settings) -> Sender:
    """Return who tells: a host tells of its own jobs alone, by its name in a fleet where it has one."""
    from agent.news.words import Sender  # noqa: PLC0415 (the same)

    host = settings.fleet_host or socket.gethostname()
    return Sender(host, os.fspath(settings.watch_dir), called(settings.target))


@contextlib.contextmanager
def telling(
    settings: Settings, notifier: Notifier | None, ledger: LedgerWriter, monotonic: Callable[[], float]
) -> Iterator[None]:
    """Tell what is new as long as the block runs, where the settings say by what."""
    if notifier is None:
        yield
        return
    from agent.ledger.news import NewsReads  # noqa: PLC0415 (the same)
    from agent.news.telling import News  # noqa: PLC0415

    with NewsReads.open(settings.ledger_path) as reads:
        news = News(
            ledger,
            reads,
            notifier,
            sender=sender_of(settings),
            summary_at=settings.notify_summary_at,
            now=utc_now,
            monotonic=monotonic,
        )
        news.start()
        try:
            yield
        finally:
            news.close()


def try_news(settings: Settings, *, tell: bool) -> Outcome | None:
    """Look whether news could be told, or `tell` one on trial; None where none are to be. Raises SettingsError."""
    notifier = notifier_of(settings)
    if notifier is None:
        return None
    from agent.news.words import as_json, trial  # noqa: PLC0415 (the same)

    return notifier.tell(as_json(trial(), sender_of(settings), 0, utc_now().astimezone())) if tell else notifier.check()
