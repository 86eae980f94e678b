"""Log lines as they come out of a descriptor."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from typing import TYPE_CHECKING

from agent.host.logs import LineHandler, TextFormatter

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def _say(handler: LineHandler, text: str) -> None:
    handler.handle(logging.LogRecord("a", logging.INFO, __file__, 1, text, None, None))


def _handler(fd: int) -> LineHandler:
    handler = LineHandler(fd)
    handler.setFormatter(TextFormatter())
    return handler


def _say_all(handler: LineHandler, number: int) -> None:
    for line in range(200):
        _say(handler, f"{number} {line}")


def test_lines_of_many_threads_are_whole(tmp_path: Path) -> None:
    with open(tmp_path / "log", "ab") as file:
        handler = _handler(file.fileno())
        threads = [threading.Thread(target=_say_all, args=(handler, number)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = [line.split()[-2:] for line in (tmp_path / "log").read_text().splitlines()]
    assert sorted(map(tuple, lines)) == sorted((str(number), str(line)) for number in range(8) for line in range(200))


def test_a_line_that_a_pipe_takes_in_parts_is_whole() -> None:
    read, write = os.pipe()
    got = bytearray()

    def take() -> None:
        while piece := os.read(read, 4096):
            got.extend(piece)

    reader = threading.Thread(target=take)
    reader.start()
    _say(_handler(write), "x" * 300_000)
    os.close(write)
    reader.join()
    os.close(read)
    assert got.endswith(b" INFO " + b"x" * 300_000 + b"\n")


def test_who_logs_does_not_fail_by_it(capsys: pytest.CaptureFixture[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    with contextlib.closing(os.fdopen(write, "wb")):
        _say(_handler(write), "nobody reads this")
    assert "BrokenPipeError" in capsys.readouterr().err


def test_no_thread_waits_for_another_one_that_writes(tmp_path: Path) -> None:
    with open(tmp_path / "log", "ab") as file:
        handler = _handler(file.fileno())
        handler.acquire()
        thread = threading.Thread(target=_say, args=(handler, "at once"))
        thread.start()
        thread.join(20)
        is_waiting = thread.is_alive()
        handler.release()
        thread.join()
    assert not is_waiting
    assert (tmp_path / "log").read_text().endswith(" INFO at once\n")
