"""A copy of the ledger that can be put in its place, made beside a running agent."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import LedgerRefused, LedgerUnavailable
from agent.ledger.migrations import version_of
from agent.ledger.store import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

WITHOUT_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
"""What link(2) says where the file system has no hard links."""


def back_up(ledger: Path, copy: Path) -> int:
    """Write a copy of the ledger, as it stands now, into a new file of mode 0600; return how many jobs it holds.

    The file has its name once it is whole, checked and on the disk: nothing half is ever left under it, and none is
    replaced. It needs no other file beside it. Raises LedgerUnavailable, LedgerRefused.
    """
    with contextlib.closing(connect(ledger, read_only=True)) as source:
        (watched,) = source.execute("select max(value) from agent where key = 'watch_dir'").fetchone()
        if watched and copy.is_relative_to(watched):
            raise LedgerRefused(f"{copy} lies in the watch folder: it would be served with the images. Name another")
        try:
            with _new(copy) as unnamed:
                jobs = _written(source, unnamed)
        except sqlite3.Error as error:
            raise LedgerUnavailable(f"the ledger {ledger} cannot be copied to {copy}: {error}") from error
        except OSError as error:
            raise LedgerUnavailable(f"{copy} cannot be written ({error.strerror})") from error
    return jobs


def _written(source: sqlite3.Connection, path: Path) -> int:
    """Copy all pages in one step, so that no write of the agent's comes between them; then look at what was written."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as copy:
        copy.execute("pragma synchronous = off")  # it is written to the disk as a whole, before it gets its name
        source.backup(copy)
        copy.execute("pragma journal_mode = delete")  # in WAL mode nobody could read it who may not write beside it
        (found,) = copy.execute("pragma integrity_check(1)").fetchone()
        if found != "ok" or version_of(copy) != version_of(source):
            raise LedgerUnavailable(f"the copy is not whole ({found}): is the ledger? 'playment-agent check' tells")
        (jobs,) = copy.execute("select count(*) from jobs").fetchone()
    return int(jobs)


@contextlib.contextmanager
def _new(path: Path) -> Iterator[Path]:
    """Give a file to write to; when the block ends it is on the disk, and has its name.

    Raises LedgerRefused, OSError.
    """
    if os.path.lexists(path):
        raise _is_there(path)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    with contextlib.ExitStack() as undo:
        undo.callback(os.close, descriptor)
        undo.callback(Path(name).unlink, missing_ok=True)
        yield Path(name)
        os.fsync(descriptor)
        try:
            os.link(name, path)
        except FileExistsError:
            raise _is_there(path) from None
        except OSError as error:
            if error.errno not in WITHOUT_LINKS:
                raise
            Path(name).rename(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        undo.callback(os.close, folder)
        os.fsync(folder)


def _is_there(path: Path) -> LedgerRefused:
    return LedgerRefused(f"{path} is there already, and is not replaced: name another file, or remove it first")
