"""The counters of the running agent, kept for other processes and for the next run.

Sums are written, and not what was added to them: what is done again, or not at all for once, counts nothing twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from agent.ledger.store import Ledger

SINCE = 15
"""The version of the schema that has counters."""


def has_counters(sql: sqlite3.Connection) -> bool:
    """Tell whether a version that has counters, and the index on open sequences, has opened the ledger."""
    (version,) = sql.execute("pragma user_version").fetchone()
    return bool(version >= SINCE)


def counted(sql: sqlite3.Connection) -> dict[tuple[str, str], float]:
    """Return the counters, by name and label; none where no version that has them has opened the ledger."""
    if not has_counters(sql):
        return {}
    return {(name, label): value for name, label, value in sql.execute("select name, label, value from counters")}


def kept(ledger: Ledger) -> dict[tuple[str, str], float]:
    """Return the counters as the last run has left them."""
    return counted(ledger.sql)


def keep(ledger: Ledger, sums: Mapping[tuple[str, str], float]) -> None:
    """Write how far the counters are. Runs inside a transaction of its caller; what has not grown is not written."""
    ledger.sql.executemany(
        "insert into counters values (?, ?, ?) on conflict (name, label) do update set value = excluded.value "
        "where value < excluded.value",
        [(*named, value) for named, value in sums.items()],
    )
