"""The ledger's file and the two that SQLite keeps beside it: who may read them, and how large the WAL is. I/O."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

from agent.errors import LedgerRefused

if TYPE_CHECKING:
    from pathlib import Path

PRIVATE = 0o600


def wal_of(path: Path) -> Path:
    """Return the WAL of a ledger."""
    return path.with_name(f"{path.name}-wal")


def wal_bytes(path: Path) -> int:
    """Return how large the WAL of a ledger is, 0 where there is none."""
    try:
        return wal_of(path).stat().st_size
    except FileNotFoundError:
        return 0


def is_header_alone(path: Path) -> bool:
    """Tell whether a file is a database without a table, and no WAL is beside it that may hold them.

    So is the copy of a ledger in use; a first start that was killed leaves its WAL. SQLite itself would make one.
    """
    if wal_of(path).exists():  # where this process has it open, closing it here would drop SQLite's locks on it
        return False
    try:
        with path.open("rb") as file:
            header = file.read(44)
    except OSError:
        return False
    # https://www.sqlite.org/fileformat.html: 16 bytes of magic; the schema cookie, changed with each table, is at 40.
    return header[:16] == b"SQLite format 3\0" and header[40:] == bytes(4)


def make(path: Path, mode: int | None) -> None:
    """Make the ledger's file where there is none, empty, and give it its mode; SQLite gives its own that mode, too.

    Without a mode a new file is private, and one that is there keeps what it has. Raises LedgerRefused where the mode
    cannot be set. What is wrong with the place itself, SQLite tells better.
    """
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, PRIVATE)
        with contextlib.closing(os.fdopen(descriptor)):
            os.fchmod(descriptor, mode or PRIVATE)  # whatever the umask says
    if mode is not None:
        for file in (path, wal_of(path), path.with_name(f"{path.name}-shm")):
            _set_mode(file, mode)


def _set_mode(file: Path, mode: int) -> None:
    try:
        if stat.S_IMODE(file.stat().st_mode) != mode:
            file.chmod(mode)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise LedgerRefused(
            f"{file} cannot be given LEDGER_MODE, {mode:o} ({error.strerror}): it must belong to the agent's user"
        ) from error
