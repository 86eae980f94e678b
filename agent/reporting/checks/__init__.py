"""Tries every part of the set-up for real, for `check`, and changes none of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Check:
    """What was tried and how it came out. `text` says, where it is not OK, what to do.

    `exit_code` is what it makes of the command's: that of the error which `run` would end with.
    """

    part: str
    level: Level
    text: str
    exit_code: int = 0


def ok(part: str, text: str) -> Check:
    """Return a check that came out well."""
    return Check(part, Level.OK, text)


def warn(part: str, text: str) -> Check:
    """Return a check that shows something to know about; the agent works all the same."""
    return Check(part, Level.WARN, text)


def fail(part: str, text: str, exit_code: int = 1) -> Check:
    """Return a check that shows what is to be mended."""
    return Check(part, Level.FAIL, text, exit_code)
