"""What the commands share: errors as sentences, where the ledger is, and output that no name can break."""

from __future__ import annotations

import functools
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from agent.core.unset_clock import told
from agent.errors import AgentError, LedgerUnreadable
from agent.host.clock import utc_now
from agent.ledger.store import unusable
from agent.settings.written import load_ledger_path
from agent.terminal import say as say_line

if TYPE_CHECKING:
    from collections.abc import Callable


F = TypeVar("F", bound="Callable[..., Any]")
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


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
    """Say what is wrong, and exit with the error's code."""
    tell(error)
    sys.exit(error.exit_code)


def tell(error: AgentError) -> None:
    """Say what is wrong, on standard error."""
    import logging  # noqa: PLC0415 - a tenth of `status`, which logs nothing

    from agent.host import logs  # noqa: PLC0415 - the same

    if isinstance(error, LedgerUnreadable):
        error = unusable("the ledger cannot be used", error)
    lines = str(error).splitlines()
    for line in lines:
        say_line(logs.for_standard_error(f"playment-agent: {line}", logging.ERROR), err=True)


def env_file() -> Path | None:
    """Return the file of settings that was named on the command line."""
    chosen: str | None = click.get_current_context().obj
    return Path(chosen) if chosen else None


def ledger_path() -> Path:
    """Return the ledger's path; nothing else needs to be set."""
    return load_ledger_path(os.environ, Path.cwd(), env_file())


def needs_clock() -> None:
    """Raise AgentError where the clock is not set: what is written of jobs now would carry a day that cannot be."""
    no_clock = told(utc_now())
    if no_clock:
        raise AgentError(no_clock)


def again(command: str, program: str = "playment-agent") -> str:
    """Return a command of ours as a person types it, with the settings of this one."""
    chosen = env_file()
    return f"{program} {f'--env-file {shlex.quote(str(chosen))} ' if chosen else ''}{command}"


def say(text: str = "", *, err: bool = False) -> None:
    """Print lines, with control characters escaped; on a terminal they are broken between words."""
    for line in text.splitlines() or [""]:
        say_line(line, err=err)
