"""What a line of the log says to the journal: its priority, and the native protocol, which no value breaks out of."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.model.journal import about, encoded, prefixed, priority

NAMES = st.from_regex(r"\A[A-Z][A-Z0-9_]{0,30}\Z")


def decoded(entry: bytes) -> dict[str, bytes]:
    """Read an entry as systemd.io/JOURNAL_NATIVE_PROTOCOL says."""
    fields = {}
    while entry:
        line, _, rest = entry.partition(b"\n")
        name, is_short, value = line.partition(b"=")
        if not is_short:
            length = int.from_bytes(rest[:8], "little")
            value, end, rest = rest[8 : 8 + length], rest[8 + length : 9 + length], rest[9 + length :]
            assert end == b"\n"
        assert name.decode() not in fields
        fields[name.decode()] = value
        entry = rest
    return fields


@given(st.dictionaries(NAMES, st.text() | st.from_regex(r"\A[A-Z]+=.*\n[A-Z]+\n.*\Z")))
def test_every_value_is_read_as_it_was(fields: dict[str, str]) -> None:
    assert decoded(encoded(fields)) == {name: value.encode(errors="backslashreplace") for name, value in fields.items()}


def test_a_line_feed_adds_no_field() -> None:
    entry = encoded({"MESSAGE": "a\nPRIORITY=0", "PRIORITY": "6"})
    assert entry == b"MESSAGE\n" + bytes([12, 0, 0, 0, 0, 0, 0, 0]) + b"a\nPRIORITY=0\nPRIORITY=6\n"


@pytest.mark.parametrize(
    ("level", "found"),
    [(logging.DEBUG, 7), (logging.INFO, 6), (logging.WARNING, 4), (logging.ERROR, 3), (logging.CRITICAL, 2), (25, 6)],
)
def test_priorities_are_those_of_syslog(level: int, found: int) -> None:
    assert priority(level) == found


@given(st.text(), st.sampled_from([logging.INFO, logging.ERROR]))
def test_each_line_of_a_stream_has_the_priority(text: str, level: int) -> None:
    lines = prefixed(text, level).split("\n")
    assert {line[:3] for line in lines} == {f"<{priority(level)}>"}
    assert "\n".join(line[3:] for line in lines) == text


def test_what_is_not_known_of_a_job_is_no_field() -> None:
    assert about("a.jpg", None, "j1") == {"about": {"path": "a.jpg", "job_id": "j1"}}
    assert about() == {"about": {}}
