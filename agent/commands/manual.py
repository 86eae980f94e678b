"""`playment-agent manual`: the manual page, made from what `--help` says."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from agent import __version__, commands
from agent.host.clock import utc_now
from agent.terminal.roff import definitions, escaped, lines_of, paragraphs

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES = (
    (
        "/etc/playment-agent/agent.env",
        "The settings of the service, each explained in it; name it with --env-file.",
    ),
    ("/etc/playment-agent/api_key", "The key of the service."),
    ("/var/lib/playment-agent/ledger.db", "The ledger of the service: each job, its ids, and what became of it."),
)


@click.command()
def manual() -> None:
    """Print the manual page of all commands.

    Completion of commands and options: put what `_PLAYMENT_AGENT_COMPLETE=bash_source playment-agent` prints (or
    `zsh_source`, or `fish_source`) where your shell looks for it.

    Example: playment-agent manual | man -l -
    """
    click.echo("\n".join(_page(click.get_current_context().find_root())))


def _page(root: click.Context) -> list[str]:
    name = str(root.info_name)
    first, _, more = (root.command.help or "").partition("\n\n")
    lines = [
        f'.TH {escaped(name.upper())} 1 "{_day()}" "{escaped(f"{name} {__version__}")}" "User Commands"',
        ".SH NAME",
        f"{escaped(name)} \\-",
        *lines_of(f"{first[:1].lower()}{first[1:]}".rstrip(".")),
        ".SH SYNOPSIS",
        _usage(root),
        ".SH DESCRIPTION",
        *paragraphs(f"{first}\n\n{more}"),
        ".SH OPTIONS",
        *_options(root),
        ".SH COMMANDS",
    ]
    for context in _commands(root):
        path = context.command_path.removeprefix(f"{name} ")
        lines += [f".SS {escaped(path)}", _usage(context), ".PP", *paragraphs(context.command.help or "")]
        lines += _options(context)
    codes = (commands.__doc__ or "").partition("Exit codes: ")[2]
    return [*lines, ".SH EXIT STATUS", *lines_of(codes), ".SH FILES", *definitions(FILES)]


def _day() -> str:
    """Return the page's day: of the build that asks for it, so that it is the same in each, or this one."""
    built = os.environ.get("SOURCE_DATE_EPOCH")
    day = datetime.fromtimestamp(int(built), UTC) if built else utc_now()
    return f"{day:%Y-%m-%d}"


def _usage(context: click.Context) -> str:
    pieces = context.command.collect_usage_pieces(context)
    return f"\\fB{escaped(context.command_path)}\\fR {escaped(' '.join(pieces))}"


def _options(context: click.Context) -> list[str]:
    records = (parameter.get_help_record(context) for parameter in context.command.get_params(context))
    return definitions((term, text) for term, text in filter(None, records) if text)


def _commands(context: click.Context) -> Iterator[click.Context]:
    """Yield the context of each command below, those of a group after it."""
    group = context.command
    if not isinstance(group, click.Group):
        return
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None and not command.hidden:
            inner = click.Context(command, parent=context, info_name=name)
            yield inner
            yield from _commands(inner)
