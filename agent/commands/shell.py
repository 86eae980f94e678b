"""What the commands share: the settings, errors as sentences, and output that no name can break."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import shlex
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click
from rich.console import Console
from rich.progress import track

from agent.core.unset_clock import told
from agent.errors import AgentError, LedgerUnreadable
from agent.host import logs
from agent.host.clock import utc_now
from agent.ledger.store import unusable
from agent.service.assembly import DEFAULTS
from agent.settings import load
from agent.terminal import words
from agent.terminal.bar import above

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from agent.settings.load import PageSettings
    from agent.settings.secret import Secret
    from agent.settings.settings import Settings

T = TypeVar("T")
F = TypeVar("F", bound="Callable[..., Any]")


def settled(command: F) -> F:
    """Give a command `--env-file` (wherever it stands on the line), and turn our errors into sentences."""

    @click.option("--env-file", type=click.Path(), metavar="PATH", help="Read settings from here instead of .env.")
    @click.pass_context
    @functools.wraps(command)
    def wrapped(context: click.Context, /, *args: Any, env_file: str | None, **options: Any) -> Any:
        context.obj = env_file or context.obj
        try:
            return context.invoke(command, *args, **options)
        except AgentError as error:
            fail(error)

    return wrapped  # type: ignore[return-value]  # click's decorators lose the type


def fail(error: AgentError) -> NoReturn:
    """Say what is wrong, on standard error, and exit with the error's code."""
    if isinstance(error, LedgerUnreadable):
        error = unusable("the ledger cannot be used", error)
    lines = str(error).splitlines()
    for line in lines:
        words.say(logs.for_standard_error(f"playment-agent: {line}", logging.ERROR), err=True)
    sys.exit(error.exit_code)


def _env_file() -> Path | None:
    chosen: str | None = click.get_current_context().obj
    return Path(chosen) if chosen else None


def settings(*, needs_key: bool = True) -> Settings:
    """Return the settings, all checked, with logging set up for them; a key only where one is needed.

    Raises SettingsError.
    """
    found = load.load(os.environ, Path.cwd(), _env_file(), needs_key=needs_key, defaults=DEFAULTS)
    logs.set_up(found.log_level, found.log_format)
    return found


def reread() -> Callable[[], Settings]:
    """Return what reads the same settings again; it raises SettingsError, and sets nothing up."""
    return functools.partial(load.load, os.environ, Path.cwd(), _env_file(), defaults=DEFAULTS)


def address_and_key(target: str) -> tuple[str, Secret]:
    """Return where a target is and what lets us in; nothing else needs to be set. Raises SettingsError."""
    return load.load_address_and_key(target, os.environ, Path.cwd(), _env_file())


def ledger_path() -> Path:
    """Return the ledger's path; nothing else needs to be set."""
    return load.load_ledger_path(os.environ, Path.cwd(), _env_file())


def page_settings() -> PageSettings:
    """Return what the page needs of the settings; nothing else is looked at. Raises SettingsError."""
    return load.load_page(os.environ, Path.cwd(), _env_file())


def fleet_dsn() -> Secret | None:
    """Return the address of the fleet's database, None where there is none; nothing else needs to be set."""
    return load.load_fleet_dsn(os.environ, Path.cwd(), _env_file())


def needs_clock() -> None:
    """Raise AgentError where the clock is not set: what is written of jobs now would carry a day that cannot be."""
    no_clock = told(utc_now())
    if no_clock:
        raise AgentError(no_clock)


@contextlib.contextmanager
def logs_above(console: Console) -> Iterator[None]:
    """Have log lines come above what the console shows live: whole, and of single jobs only the warnings."""
    with logs.above(partial(above, console)):
        yield


def tracked(units: Iterable[T], doing: str) -> Iterator[T]:
    """Yield all, with a bar on standard error where that is a terminal."""
    if not sys.stderr.isatty():
        yield from units
        return
    console = Console(stderr=True)
    with logs_above(console):
        yield from track(units, doing, console=console)


def again(command: str, program: str = "playment-agent") -> str:
    """Return a command of ours as a person types it, with the settings of this one."""
    chosen = _env_file()
    return f"{program} {f'--env-file {shlex.quote(str(chosen))} ' if chosen else ''}{command}"


def say(text: str = "", *, err: bool = False) -> None:
    """Print lines, with control characters escaped; on a terminal they are broken between words."""
    for line in text.splitlines() or [""]:
        words.say(line, err=err)
