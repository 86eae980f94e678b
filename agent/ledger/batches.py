"""The batches that were found or made, as the ledger remembers them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.ledger.store import iso

if TYPE_CHECKING:
    from agent.ledger.store import Ledger
    from agent.ledger.writer import LedgerWriter


class LedgerBatches:
    """The ledger's memory of batches, for `Batches`."""

    def __init__(self, ledger: LedgerWriter) -> None:
        self._ledger = ledger

    def get(self, name: str) -> str | None:
        """Return a known batch's id."""

        def read(ledger: Ledger) -> str | None:
            row = ledger.sql.execute("select batch_id from batches where name = ?", (name,)).fetchone()
            return row[0] if row else None

        return self._ledger.call(read)

    def put(self, name: str, batch_id: str) -> None:
        """Keep a batch's id."""

        def write(ledger: Ledger) -> None:
            ledger.sql.execute("insert or replace into batches values (?, ?, ?)", (name, batch_id, iso(ledger.now)))

        self._ledger.call(write)
