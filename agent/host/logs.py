"""Log lines for people, for machines or for the journal, with control characters of names and messages escaped."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from agent.model.journal import ABOUT, encoded, prefixed, priority
from agent.model.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

STANDARD_ERROR = 2
JOURNAL = "/run/systemd/journal/socket"
TOO_LARGE = {errno.EMSGSIZE, errno.ENOBUFS}
"""What sendto(2) says of an entry that one datagram cannot hold."""

_BARE = logging.Formatter()
_above: list[Callable[[str], None]] = []
"""Who shows lines above a bar, while one is shown."""


class TextFormatter(logging.Formatter):
    """`2026-11-21T22:20:08Z INFO submitted a.jpg~…`, one line each but for a traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        at = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"{at} {_untimed(self, record)}"


class UntimedFormatter(logging.Formatter):
    """`INFO submitted a.jpg~…`: who takes the line says when it came."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        return _untimed(self, record)


class StreamFormatter(logging.Formatter):
    """The lines of another formatter, each with its priority before it, for a stream that journald reads."""

    def __init__(self, lines: logging.Formatter) -> None:
        super().__init__()
        self._lines = lines

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of a record."""
        return prefixed(self._lines.format(record), record.levelno)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `at`, `level`, `logger`, `message`, and `traceback` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {"at": at, "level": record.levelname, "logger": record.name, "message": printable(record.getMessage())}
        if record.exc_info:
            line["traceback"] = _traceback(self, record)
        return json.dumps(line, ensure_ascii=False)


def _untimed(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    return _with_traceback(formatter, record, f"{record.levelname} {printable(record.getMessage())}")


def _with_traceback(formatter: logging.Formatter, record: logging.LogRecord, line: str) -> str:
    return f"{line}\n{_traceback(formatter, record)}" if record.exc_info else line


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    assert record.exc_info
    return "\n".join(printable(line) for line in formatter.formatException(record.exc_info).splitlines())


class _Unlocked(logging.Handler):
    """Does as the standard handler, but for its lock.

    The standard handler holds one while it writes. Each call of the system's gives up the interpreter's lock, and
    sixty-four threads that wait for the one lock to wait for the other cost a tenth of all that is sent (measured).
    """

    def handle(self, record: logging.LogRecord) -> bool:
        """Write a record."""
        self.emit(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record; who logs does not fail by it."""
        try:
            self.write(record)
        except Exception:  # noqa: BLE001 (as the standard handlers do: who logs must not fail by it)
            self.handleError(record)

    def write(self, record: logging.LogRecord) -> None:
        """Write a record, or raise what stands against it."""
        raise NotImplementedError


class LineHandler(_Unlocked):
    """Writes each record to a file descriptor by one call; above a bar, where standard error shows one."""

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = fd

    def write(self, record: logging.LogRecord) -> None:
        """Write the line of a record. While a bar is shown, it tells of single jobs: only their warnings come."""
        if _above and self._fd == STANDARD_ERROR:
            if record.levelno >= logging.WARNING or not hasattr(record, ABOUT):
                _above[-1](self.format(record))
            return
        rest = memoryview(f"{self.format(record)}\n".encode(errors="backslashreplace"))
        while rest:
            rest = rest[os.write(self._fd, rest) :]


class JournalHandler(_Unlocked):
    """Sends each record to the journal with its fields; where that cannot be, writes its line to standard error."""

    def __init__(self, place: str, lines: LineHandler) -> None:
        super().__init__()
        self._place = place
        self._lines = lines
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._is_away = False

    def write(self, record: logging.LogRecord) -> None:
        """Send a record."""
        try:
            # To the address, not to a peer: journald may have been started anew.
            self._socket.sendto(encoded(self._fields(record)), self._place)
            self._is_away = False
        except OSError as error:
            if not self._is_away and error.errno not in TOO_LARGE:
                self._is_away = True
                told = f"the journal at {self._place} takes nothing ({error.strerror}): log lines go to standard error"
                self._lines.handle(logging.LogRecord(__package__, logging.WARNING, __file__, 0, told, None, None))
            self._lines.handle(record)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
        super().close()

    def _fields(self, record: logging.LogRecord) -> dict[str, str]:
        of_job: Mapping[str, str] = getattr(record, ABOUT, {})
        return {
            "MESSAGE": _with_traceback(_BARE, record, printable(record.getMessage())),
            "PRIORITY": str(priority(record.levelno)),
            "SYSLOG_IDENTIFIER": "playment-agent",
            "LOGGER": record.name,
            **{name.upper(): printable(value) for name, value in of_job.items()},
        }


class _Early(logging.Handler):
    """Keeps what is logged before it is known how."""

    def __init__(self) -> None:
        super().__init__()
        self._records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        self._records.append(record)

    def log_all(self) -> None:
        """Log all that was kept."""
        for record in self._records:
            logger = logging.getLogger(record.name)
            if logger.isEnabledFor(record.levelno):
                logger.handle(record)


def keep() -> None:
    """Keep what is logged until `set_up` says how; to be called before anything can be logged.

    Else it would come as bare text, without a priority, beside lines that are JSON, or not in the journal at all.
    """
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(_Early())


@contextlib.contextmanager
def above(tell: Callable[[str], None]) -> Iterator[None]:
    """Hand the lines of standard error to `tell` while a bar is shown there: from any thread, and none of single jobs.

    Warnings are handed on, all of them.
    """
    _above.append(tell)
    try:
        yield
    finally:
        _above.remove(tell)


def is_journal(stream: str, fd: int) -> bool:
    """Tell whether a descriptor is the `stream` of $JOURNAL_STREAM: `device:inode` (systemd.exec(5))."""
    try:
        found = os.fstat(fd)
    except OSError:
        return False
    return stream == f"{found.st_dev}:{found.st_ino}"


def for_standard_error(line: str, level: int) -> str:
    """Return a line as it is to be written to standard error: with its priority, where the journal reads that."""
    return prefixed(line, level) if is_journal(os.environ.get("JOURNAL_STREAM", ""), STANDARD_ERROR) else line


def set_up(level: str, style: str) -> None:
    """Send log lines of `level` and above to standard error, as `text` or `json`, or to the `journal`."""
    lines = LineHandler(STANDARD_ERROR)
    in_journal = is_journal(os.environ.get("JOURNAL_STREAM", ""), STANDARD_ERROR)
    text = UntimedFormatter() if in_journal else TextFormatter()
    formatter = JsonFormatter() if style == "json" else text
    lines.setFormatter(StreamFormatter(formatter) if in_journal else formatter)
    # What no line shows costs a third of a record (docs.python.org/3/howto/logging.html, 'Optimization').
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root = logging.getLogger()
    before, root.handlers[:] = root.handlers[:], [_to_journal(root, lines) if style == "journal" else lines]
    for handler in before:
        if isinstance(handler, JournalHandler) and handler not in root.handlers:
            handler.close()
    root.setLevel(level)
    for noisy in ("watchdog", "urllib3", "requests", "PIL"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for handler in before:
        if isinstance(handler, _Early):
            handler.log_all()


def _to_journal(root: logging.Logger, lines: LineHandler) -> JournalHandler:
    """Return the way to the journal; the one that is there stays, and says no second time that it leads nowhere."""
    found = (handler for handler in root.handlers if isinstance(handler, JournalHandler))
    return next(found, None) or JournalHandler(JOURNAL, lines)
