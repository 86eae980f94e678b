"""A job that an annotator has put aside is shown as that, for as long as it is."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from agent.ledger import jobs, results
from agent.ledger.store import Ledger
from agent.model.jobs import SentJob
from tests.sending import image_unit, scanner_of, settle

if TYPE_CHECKING:
    from pathlib import Path


def test_a_skipped_job_is_shown_until_it_is_undone_or_completed(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    with contextlib.closing(Ledger(tmp_path / "l.db", lambda: datetime.now(UTC), "Label Studio")) as ledger:
        with ledger.transaction():
            for number, name in enumerate(("a.jpg", "b.jpg"), 1):
                (tmp_path / "inbox" / name).write_bytes(name.encode())
                settle(ledger, image_unit(scanner_of(tmp_path / "inbox"), name))
                jobs.accepted(ledger, number, str(number))
            sent = [SentJob(*row) for row in ledger.sql.execute("select reference_id, job_id from jobs order by id")]

        def told() -> list[tuple[str, str]]:
            rows = ledger.sql.execute("select state, error_code from jobs order by id")
            return [(state, code) for state, code in rows]

        with ledger.transaction():
            results.skipped(ledger, sent[:1])
        assert told() == [("submitted", "skipped"), ("submitted", "")]
        reason = ledger.sql.execute("select reason from jobs where id = 1").fetchone()[0]
        assert reason.startswith("skipped at Label Studio")
        with ledger.transaction():
            results.skipped(ledger, sent[1:])
        assert told() == [("submitted", ""), ("submitted", "skipped")]
        with ledger.transaction():
            results.complete(ledger, sent)
            results.skipped(ledger, sent)
        assert told() == [("completed", ""), ("completed", "")]
