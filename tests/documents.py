"""What is written for people: the README of the repository, and those that lie beside what they describe."""

from __future__ import annotations

import re
from pathlib import Path

import click

from agent.commands import cli

ROOT = Path(__file__).parents[1]
READMES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for pattern in ("README.md", "systemd/README.md", "findings/README.md", "agent/**/README.md")
    for path in sorted(ROOT.glob(pattern))
}
"""Their texts, by their paths."""
FIRST = READMES["README.md"]
OPERATING = READMES["systemd/README.md"]
FOR_USERS = FIRST + OPERATING


def unknown(words: list[str]) -> list[str]:
    """Return those of a call's options that its command has not."""
    command: click.Command = cli
    while words and isinstance(command, click.Group) and words[0] in command.commands:
        command, words = command.commands[words[0]], words[1:]
    known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
    return [word for word in words if re.fullmatch(r"--[a-z][a-z0-9-]*", word) and word not in known]
