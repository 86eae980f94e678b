"""A ledger that 0.1.0 has left: what waits there goes on as it would have, though codes are no more looked at here.

0.1.0 decided by the codes that it kept in `error_code`. The rows are as it wrote them; the schema is still the same.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

from agent.ledger.store import iso
from tests.sending import START, Clock, Sending, Server, refusal
from tests.support import eventually

if TYPE_CHECKING:
    from pathlib import Path

HOUR = 3600.0
OUTAGE = ("connection", "timeout", "bad-reply", "FS_0000", "FS_0008", "api_error", "http-500", "http-503", "http-599")
"""What 0.1.0 took for Playment's own trouble,"""
OTHERS = ("http-408", "http-429", "FS_0007", "BATCH_CREATION", "probe", "store-503", "store-connection", "folder", "")
"""and what it did not."""


def _left(place: Path, clock: Clock, files: dict[str, str], *, due_in: float, tried_for: float, **columns: str) -> None:
    """Leave pending jobs as 0.1.0 did: {file: error_code}, each tried twelve times, for `tried_for` seconds."""
    with Sending(place, "http://127.0.0.1:9", clock, paused=True) as before:
        for name in files:
            before.drop(name)
    now = START + timedelta(seconds=clock.monotonic())
    values = {
        "reason": "as it was",
        "edition": "v0",
        "tag": "boxes",
        "priority_weight": "5",
        "attempts": "12",
        "trying_since": iso(now - timedelta(seconds=tried_for)),
        "next_attempt_at": iso(now + timedelta(seconds=due_in)),
        **columns,
    }
    with closing(sqlite3.connect(before.path)) as ledger, ledger:
        ledger.execute(
            "update frame_rows set src = 'http://127.0.0.1:9/' || (select path from jobs where id = job) "
            "where src is null"
        )
        for name, code in files.items():
            settings = ", ".join(f"{column} = ?" for column in values)
            ledger.execute(f"update jobs set error_code = ?, {settings} where path = ?", (code, *values.values(), name))


def test_the_end_of_an_outage_takes_up_what_waited_for_it_before(tmp_path: Path, server: Server, clock: Clock) -> None:
    named = {f"{number}.jpg": code for number, code in enumerate((*OUTAGE, *OTHERS))}
    _left(tmp_path, clock, named, due_in=1000 * HOUR, tried_for=HOUR)
    server.answer = lambda _body: refusal(503, "x")
    with Sending(tmp_path, server.url, clock) as sending:
        sending.drop("new1.jpg")
        sending.drop("new2.jpg")
        sending.passes_until(lambda: sending.row("new1.jpg")["attempts"] > 8 < sending.row("new2.jpg")["attempts"])
        server.answer = lambda _body: None
        # The two that were tried since, and those of the outage before the upgrade, which were not due for weeks.
        sending.passes_until(lambda: sending.states().get("submitted") == 2 + len(OUTAGE))
        waiting = [path for path in named if sending.row(path)["state"] == "pending"]
        assert {named[path] for path in waiting} == {sending.row(path)["error_code"] for path in waiting} == set(OTHERS)


def test_a_file_that_could_not_be_fetched_has_its_day_counted_from_before(
    tmp_path: Path, server: Server, clock: Clock
) -> None:
    _left(tmp_path, clock, {"old.jpg": "FS_0007"}, due_in=1.0, tried_for=24 * HOUR + 1)
    _left(tmp_path, clock, {"young.jpg": "FS_0007"}, due_in=1.0, tried_for=23 * HOUR)
    server.answer = lambda _body: refusal(400, "FS_0007")
    with Sending(tmp_path, server.url, clock) as sending:
        sending.passes_until(lambda: sending.row("young.jpg")["attempts"] == 13, step=1.0)
        eventually(lambda: sending.row("old.jpg")["state"] == "failed")
        eventually(lambda: sending.row("young.jpg")["state"] == "pending")  # its answer is written after its attempt
        old, young = sending.row("old.jpg"), sending.row("young.jpg")
        assert (old["error_code"], young["state"], young["error_code"]) == ("FS_0007", "pending", "FS_0007")
        assert old["reason"].endswith("(for 24 hours)")
        assert "hours" not in young["reason"]
        sending.passes_until(lambda: sending.row("young.jpg")["state"] == "failed", step=HOUR)


def test_a_duplicate_is_still_looked_for(tmp_path: Path, server: Server, clock: Clock) -> None:
    _left(tmp_path, clock, {"a.jpg": ""}, due_in=1.0, tried_for=HOUR)
    with Sending(tmp_path, server.url, clock) as sending:
        sending.passes_until(lambda: sending.states() == {"submitted": 1})
    made = server.jobs[0].job_id
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as ledger, ledger:
        ledger.execute(
            "update jobs set state = 'pending', lookup = 'duplicate', error_code = 'FS_0001', job_id = null, "
            "submitted_at = null, next_attempt_at = updated_at"
        )
    with Sending(tmp_path, server.url, clock) as sending:
        sending.passes_until(lambda: sending.states() == {"submitted": 1})
        assert (sending.row("a.jpg")["job_id"], sending.row("a.jpg")["error_code"]) == (made, "")
    assert len(server.posts()) == 1
