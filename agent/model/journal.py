"""What a line of the log says to systemd's journal: how grave it is, and of which job. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

ABOUT: Final = "about"
_PRIORITIES: Final = ((50, 2), (40, 3), (30, 4), (20, 6))
"""Levels of `logging`, from CRITICAL to INFO, each with what syslog calls it."""


def about(path: str = "", reference_id: str | None = "", job_id: str | None = "") -> dict[str, dict[str, str]]:
    """Return the `extra` of a line about a single job: what is known of it."""
    fields = {"path": path, "reference_id": reference_id, "job_id": job_id}
    return {ABOUT: {name: value for name, value in fields.items() if value}}


def priority(level: int) -> int:
    """Return the syslog priority of a level of `logging` (sd-daemon(3)): 4 is a warning, 6 is to be known."""
    return next((number for least, number in _PRIORITIES if level >= least), 7)


def prefixed(lines: str, level: int) -> str:
    """Return lines as journald is to take them from a stream: it takes each for an entry of its own (sd-daemon(3))."""
    return "\n".join(f"<{priority(level)}>{line}" for line in lines.split("\n"))


def encoded(fields: Mapping[str, str]) -> bytes:
    """Return an entry of the journal's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL).

    A value that holds a line feed comes with its length, so that it can say nothing beyond itself.
    """
    entry = bytearray()
    for name, value in fields.items():
        content = value.encode(errors="backslashreplace")
        if b"\n" in content:
            entry += name.encode() + b"\n" + len(content).to_bytes(8, "little") + content + b"\n"
        else:
            entry += name.encode() + b"=" + content + b"\n"
    return bytes(entry)
