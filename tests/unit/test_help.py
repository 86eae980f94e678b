"""What `--help` says of the commands: whole sentences in the lists, and examples that are calls."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click
import pytest

from agent.commands import cli
from tests.documents import unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS = 80


def contexts(context: click.Context) -> Iterator[click.Context]:
    """Yield the context and those of all commands below it."""
    yield context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            assert command is not None
            yield from contexts(click.Context(command, info_name=name, parent=context))


ALL = list(contexts(click.Context(cli, info_name="playment-agent", terminal_width=COLUMNS)))
COMMANDS = [context for context in ALL if not isinstance(context.command, click.Group)]


@pytest.mark.parametrize("context", ALL, ids=lambda context: context.command_path)
def test_it_fits_a_terminal_and_every_list_says_whole_sentences(context: click.Context) -> None:
    said = context.get_help()
    assert [line for line in said.splitlines() if len(line) > COLUMNS] == []
    listed = said.partition("\nCommands:\n")[2].splitlines()
    assert [line for line in listed if not re.search(r"[^.]\.$", line)] == []


@pytest.mark.parametrize("context", COMMANDS, ids=lambda context: context.command_path)
def test_the_example_is_a_call_of_it(context: click.Context) -> None:
    (example,) = re.findall(r"^  Example: (.+)$", context.get_help(), flags=re.MULTILINE)
    called = example.partition("playment-agent ")
    name = context.command_path.removeprefix("playment-agent ")
    assert f"{called[2]} ".startswith(f"{name} ")
    assert unknown(called[2].split()) == []
