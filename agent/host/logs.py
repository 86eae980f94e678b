"""Log lines for people or for machines, with the control characters of names and messages escaped."""

from __future__ import annotations

import json
import logging
import os
from datetime import UTC, datetime

from agent.model.text import printable

STANDARD_ERROR = 2


class TextFormatter(logging.Formatter):
    """`2026-11-21T22:20:08Z INFO submitted a.jpg~…`, one line each but for a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        at = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        line = f"{at} {record.levelname} {printable(record.getMessage())}"
        return f"{line}\n{_traceback(self, record)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `at`, `level`, `logger`, `message`, and `traceback` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {"at": at, "level": record.levelname, "logger": record.name, "message": printable(record.getMessage())}
        if record.exc_info:
            line["traceback"] = _traceback(self, record)
        return json.dumps(line, ensure_ascii=False)


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    assert record.exc_info
    return "\n".join(printable(line) for line in formatter.formatException(record.exc_info).splitlines())


class LineHandler(logging.Handler):
    """Writes each record to a file descriptor by one call, without a lock around it.

    The standard handler holds one while it writes. Each call of the system's gives up the interpreter's lock, and
    sixty-four threads that wait for the one lock to wait for the other cost a tenth of all that is sent (measured).
    """

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = fd

    def handle(self, record: logging.LogRecord) -> bool:
        """Do as the standard handler, but for its lock."""
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line of a record."""
        try:
            rest = memoryview(f"{self.format(record)}\n".encode(errors="backslashreplace"))
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except Exception:  # noqa: BLE001 (as the standard handlers do: who logs must not fail by it)
            self.handleError(record)


def set_up(level: str, style: str) -> None:
    """Send log lines of `level` and above to standard error, as `text` or `json`."""
    handler = LineHandler(STANDARD_ERROR)
    handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    # What no line shows costs a third of a record (docs.python.org/3/howto/logging.html, 'Optimization').
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("watchdog", "urllib3", "requests", "PIL"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
