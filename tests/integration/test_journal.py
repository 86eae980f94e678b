"""Log lines for systemd's journal: priorities on its stream, and datagrams to a socket."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from agent.host.logs import JournalHandler, LineHandler, TextFormatter, above, is_journal
from agent.model.journal import about
from tests.support import environ
from tests.unit.test_journal import decoded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SAY = """
import logging, sys
from agent.host import logs
from agent.model.journal import about
logs.set_up("INFO", sys.argv[1])
log = logging.getLogger("agent.test")
log.info("submitted %s", "a.jpg", extra=about("a.jpg"))
log.warning("two\\nlines")
try:
    raise ValueError("a defect")
except ValueError:
    log.exception("went wrong")
"""


def said(*arguments: str, ours: bool = True, code: int = 0) -> list[str]:
    """Return the lines that a process writes to standard error, where that is the journal's stream, or is not."""
    read, write = os.pipe()
    found = os.fstat(write)
    stream = f"{found.st_dev}:{found.st_ino if ours else found.st_ino + 1}"
    with os.fdopen(read) as lines:
        environ = {**os.environ, "JOURNAL_STREAM": stream}
        done = subprocess.run([sys.executable, *arguments], env=environ, stderr=write, check=False, timeout=60)
        os.close(write)
        assert done.returncode == code
        return lines.read().splitlines()


def test_each_line_on_the_journals_stream_has_its_priority_and_no_time() -> None:
    lines = said("-c", SAY, "text")
    assert lines[:4] == [
        "<6>INFO submitted a.jpg",
        "<4>WARNING two\\x0alines",
        "<3>ERROR went wrong",
        "<3>Traceback (most recent call last):",
    ]
    assert {line[:3] for line in lines[2:]} == {"<3>"}
    assert lines[-1] == "<3>ValueError: a defect"


def test_json_on_the_journals_stream_has_its_priority_too() -> None:
    assert [line[:9] for line in said("-c", SAY, "json")] == ['<6>{"at":', '<4>{"at":', '<3>{"at":']


def test_why_a_command_ends_is_an_error(tmp_path: Path) -> None:
    lines = said("-m", "agent", "--env-file", str(tmp_path / "none"), "run", code=2)
    assert lines
    assert all(line.startswith("<3>playment-agent: ") for line in lines)


@pytest.mark.parametrize(("style", "begins"), [("text", "<4>WARNING "), ("json", '<4>{"at": "')])
@pytest.mark.parametrize(("level", "lines"), [("WARNING", 1), ("ERROR", 0)])
def test_what_is_found_while_the_settings_are_read_comes_as_they_say(
    style: str, begins: str, level: str, lines: int, tmp_path: Path
) -> None:
    given = environ(tmp_path, "http://127.0.0.1:9", LOG_FORMAT=style, LOG_LEVEL=level)
    file = tmp_path / "agent.env"
    file.write_text("".join(f"{name}={value}\n" for name, value in given.items()))
    file.chmod(0o644)
    found = said("-m", "agent", "--env-file", str(file), "plan")
    assert len(found) == lines
    assert all(line.startswith(begins) and "others than its owner may read it" in line for line in found)


def test_another_stream_is_as_ever() -> None:
    lines = said("-c", SAY, "text", ours=False)
    assert not any(line.startswith("<") for line in lines)
    assert lines[0].endswith("Z INFO submitted a.jpg")
    assert lines[0].startswith("2")


def test_the_stream_is_told_by_its_device_and_inode(tmp_path: Path) -> None:
    with open(tmp_path / "log", "wb") as file:
        found = os.fstat(file.fileno())
        assert is_journal(f"{found.st_dev}:{found.st_ino}", file.fileno())
        for other in ("", "1:2", f"{found.st_dev}:", f"{found.st_ino}:{found.st_dev}", "nonsense"):
            assert not is_journal(other, file.fileno())
    assert not is_journal("1:2", 10**6)


@contextlib.contextmanager
def journal(place: Path) -> Iterator[socket.socket]:
    """Take datagrams at a place as journald does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as taking:
        taking.bind(str(place))
        taking.settimeout(10)
        yield taking


def record(level: int, text: str, **fields: str) -> logging.LogRecord:
    return logging.makeLogRecord(
        {
            "name": "agent.sending",
            "levelno": level,
            "levelname": logging.getLevelName(level),
            "msg": text,
            **about(**fields),
        }
    )


def test_a_record_comes_with_its_fields(tmp_path: Path) -> None:
    with journal(tmp_path / "socket") as taking, contextlib.closing(handler(tmp_path)) as sending:
        sending.handle(record(logging.WARNING, "no\nlike", path="a\nMESSAGE=x.jpg", reference_id="r~1", job_id="j-1"))
        assert decoded(taking.recv(65536)) == {
            "MESSAGE": rb"no\x0alike",
            "PRIORITY": b"4",
            "SYSLOG_IDENTIFIER": b"playment-agent",
            "LOGGER": b"agent.sending",
            "PATH": rb"a\x0aMESSAGE=x.jpg",
            "REFERENCE_ID": b"r~1",
            "JOB_ID": b"j-1",
        }


def test_a_traceback_is_of_the_same_entry(tmp_path: Path) -> None:
    with journal(tmp_path / "socket") as taking, contextlib.closing(handler(tmp_path)) as sending:
        try:
            raise ValueError("a defect")  # noqa: TRY301
        except ValueError:
            told = record(logging.ERROR, "went wrong")
            told.exc_info = sys.exc_info()
            sending.handle(told)
        lines = decoded(taking.recv(65536))["MESSAGE"].decode().splitlines()
    assert (lines[0], lines[1], lines[-1]) == (
        "went wrong",
        "Traceback (most recent call last):",
        "ValueError: a defect",
    )


def handler(tmp_path: Path) -> JournalHandler:
    lines = LineHandler(os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND))
    lines.setFormatter(TextFormatter())
    return JournalHandler(str(tmp_path / "socket"), lines)


def test_where_no_journal_is_one_sentence_says_so_and_no_line_is_lost(tmp_path: Path) -> None:
    with contextlib.closing(handler(tmp_path)) as sending:
        sending.handle(record(logging.INFO, "first"))
        sending.handle(record(logging.INFO, "second"))
        with journal(tmp_path / "socket") as taking:
            sending.handle(record(logging.INFO, "third"))
            assert decoded(taking.recv(65536))["MESSAGE"] == b"third"
    why = f"the journal at {tmp_path / 'socket'} takes nothing (No such file or directory)"
    told = [line.partition("Z ")[2] for line in (tmp_path / "log").read_text().splitlines()]
    assert told == [f"WARNING {why}: log lines go to standard error", "INFO first", "INFO second"]


def test_an_entry_too_large_for_a_datagram_is_written_as_a_line(tmp_path: Path) -> None:
    with journal(tmp_path / "socket"), contextlib.closing(handler(tmp_path)) as sending:
        sending.handle(record(logging.INFO, "x" * 3_000_000))
    lines = (tmp_path / "log").read_text().splitlines()
    assert [line.partition("Z ")[2] for line in lines] == ["INFO " + "x" * 3_000_000]


def test_above_a_bar_come_warnings_and_what_is_of_no_single_job(capfd: pytest.CaptureFixture[str]) -> None:
    lines = LineHandler(2)
    lines.setFormatter(logging.Formatter("%(message)s"))
    told: list[str] = []
    with above(told.append):
        lines.handle(record(logging.INFO, "submitted", path="a.jpg"))
        lines.handle(record(logging.WARNING, "refused", path="b.jpg"))
        lines.handle(logging.makeLogRecord({"levelno": logging.INFO, "msg": "stopping"}))
    lines.handle(record(logging.INFO, "submitted", path="c.jpg"))
    assert told == ["refused", "stopping"]
    assert capfd.readouterr().err == "submitted\n"
