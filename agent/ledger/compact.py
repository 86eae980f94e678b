"""Gives back what is free inside the ledger's file: after an upgrade, or after old events have gone."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

from sqlite_utils import Database

from agent.errors import LedgerUnavailable
from agent.ledger.store import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path


def compact(path: Path, clock: Callable[[], datetime]) -> tuple[int, int]:
    """Write the file anew without what is free in it, and return its bytes before and after.

    Nobody else may write meanwhile. A kill, or a full disk, leaves it as it was. Raises LedgerUnavailable,
    LedgerRefused.
    """
    with contextlib.closing(Ledger(path, clock)) as ledger:
        try:
            ledger.sql.execute("pragma temp_store = default")  # the copy is as large as the ledger
            ledger.sql.execute("pragma wal_checkpoint(truncate)")
            before = path.stat().st_size
            Database(ledger.sql).vacuum()
            ledger.sql.execute("pragma wal_checkpoint(truncate)")
        except sqlite3.Error as error:
            raise LedgerUnavailable(
                f"the ledger {path} cannot be compacted: {error}. Its own size must be free beside it, and once more "
                "in the folder for temporary files, which SQLITE_TMPDIR names"
            ) from error
        return before, path.stat().st_size
