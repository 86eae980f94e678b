"""The manual page is what `--help` says, and roff takes nothing in it for its own."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from agent.commands import cli
from agent.terminal.roff import WIDTH, definitions, escaped, lines_of, paragraphs

if TYPE_CHECKING:
    from collections.abc import Iterator

UNESCAPED = {"\\-": "-", "\\(aq": "'", "\\(ga": "`", "\\(dq": '"', "\\(ha": "^", "\\(ti": "~", "\\e": "\\", "\\&": ""}


def printed(roff: str) -> str:
    """Return what `man` shows of it."""
    return re.sub(r"\\(?:\(..|.)", lambda found: UNESCAPED[found[0]], roff)


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126) | st.sampled_from("\n\täß")))
def test_any_text_comes_out_as_it_went_in(text: str) -> None:
    assert printed(escaped(text)) == " ".join(text.split())
    for line in lines_of(text.replace("`", "")):
        assert not line.startswith((".", "'"))


def test_what_roff_would_obey_is_text() -> None:
    assert escaped(".SH it's -x \\n") == "\\&.SH it\\(aqs \\-x \\en"
    assert paragraphs("one `two three`\nfour\n\n.five") == ["one \\fBtwo three\\fR four", ".PP", "\\&.five"]
    assert definitions([("--all", "all of `it`")]) == [".TP", "\\fB\\-\\-all\\fR", "all of \\fBit\\fR"]
    assert max(map(len, lines_of("a word " * 50))) <= WIDTH


def page() -> str:
    ran = CliRunner().invoke(cli, ["manual"], prog_name="playment-agent", env={"SOURCE_DATE_EPOCH": "1750000000"})
    assert ran.exit_code == 0, ran.output
    return ran.output


def commands(group: click.Group, context: click.Context) -> Iterator[tuple[str, click.Command, click.Context]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        inner = click.Context(command, parent=context, info_name=name)
        yield inner.command_path, command, inner
        if isinstance(command, click.Group):
            yield from commands(command, inner)


def test_it_says_of_each_command_and_option_what_help_says() -> None:
    text = printed(re.sub(r"\\f[BR]", "", page()))
    flat = " ".join(text.split())
    found = list(commands(cli, click.Context(cli, info_name="playment-agent")))
    assert len(found) > 20
    for path, command, context in found:
        assert f"\n.SS {path.removeprefix('playment-agent ')}\n" in text
        assert " ".join((command.help or "").split("\n\n")[0].replace("`", "").split()) in flat
        for parameter in command.get_params(context):
            for piece in parameter.get_help_record(context) or ():
                assert " ".join(piece.replace("`", "").replace("…", "...").split()) in flat
    assert '"2025-06-15"' in text
    assert "0 fine, 1 something needs attention, 2 usage or settings, 3 blocked." in flat


@pytest.mark.parametrize("checks", [["mandoc", "-T", "lint"], ["groff", "-man", "-ww", "-z", "-Tutf8"]])
def test_who_renders_it_finds_no_flaw(checks: list[str]) -> None:
    if shutil.which(checks[0]) is None:
        pytest.skip(f"{checks[0]} is not installed")
    done = subprocess.run(checks, input=page(), capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("", "")
