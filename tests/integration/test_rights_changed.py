"""chown and chmod over files whose job may have been made: the same bytes are sent again at once, under the same id."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from agent.ledger import jobs, units
from agent.ledger.store import iso
from agent.model import Move
from agent.sandbox import Faults
from tests.sending import Clock, Sending, Server, image_unit, sequence_unit
from tests.support import await_tick

if TYPE_CHECKING:
    from pathlib import Path

    from agent.model import Job, Unit

BREAKS = {"made": Faults(error_after=1.0), "not made": Faults(error_before=1.0)}
CHANGED = "a file changed before it was sent"


def unit_of(sending: Sending, path: str) -> Unit:
    return image_unit(sending.scanner, path) if path.endswith(".jpg") else sequence_unit(sending.scanner, path)


def tried(sending: Sending, server: Server, clock: Clock, path: str, faults: Faults) -> Job:
    """Drop a unit, have its first answer lost, pause sending, and return the job as it is taken up the next time."""
    server.faults = faults
    if path.endswith(".jpg"):
        sending.drop(path)
    else:
        sending.drop_frames(path, ["f1.jpg", "f2.jpg"])
    # While a request is on its way it counts already, and a pause may come before it leaves.
    sending.passes_until(lambda: (row := sending.row(path))["unanswered"] and row["state"] == "pending", step=0.05)
    sending.pause()
    clock.advance(3600.0)
    reads, options = sending.submitter._reads, sending.options
    (candidate,) = reads.due(clock.now(), 1, (), options.terms, recent=sending.ledger.recent)
    return candidate.job


def change_rights(place: Path, sending: Sending, path: str) -> None:
    """Have each file look otherwise, and hold what it did."""
    top = sending.inbox / path
    for file in [top] if top.is_file() else sorted(top.iterdir()):
        await_tick(place / "tick", file.stat().st_ctime_ns)
        file.chmod(0o640)


@pytest.mark.parametrize("path", ["a.jpg", "run"])
@pytest.mark.parametrize("faults", BREAKS.values(), ids=BREAKS)
def test_same_bytes_go_on_however_the_missing_answer_was(
    tmp_path: Path, clock: Clock, server: Server, faults: Faults, path: str
) -> None:
    with Sending(tmp_path, server.url, clock) as sending:
        job = tried(sending, server, clock, path, faults)
        change_rights(tmp_path, sending, path)
        sending.ledger.call(lambda ledger: jobs.unsettled(ledger, job, CHANGED))
        assert sending.row(path)["lookup"] == "changed"
        sending._settle([unit_of(sending, path)])
        row = sending.row(path)
        assert (row["state"], row["lookup"], row["reason"]) == ("pending", None, "")
        assert (row["next_attempt_at"], row["reference_id"]) == (iso(clock.now()), job.reference_id)
        server.faults = Faults()
        sending.unpause()
        sending.passes_until(lambda: sending.states() == {"submitted": 1}, step=1.0)
        assert [made.job_id for made in server.jobs] == [sending.row(path)["job_id"]]


def test_other_bytes_are_looked_up_as_before(tmp_path: Path, clock: Clock, server: Server) -> None:
    with Sending(tmp_path, server.url, clock) as sending:
        job = tried(sending, server, clock, "a.jpg", BREAKS["not made"])
        (sending.inbox / "a.jpg").write_bytes(b"other bytes")
        sending.ledger.call(lambda ledger: jobs.unsettled(ledger, job, CHANGED))
        sending._settle([unit_of(sending, "a.jpg")])
        assert (sending.row("a.jpg")["lookup"], sending.row("a.jpg")["unanswered"]) == ("changed", job.attempts)


def test_what_was_moved_is_looked_up_as_before(tmp_path: Path, clock: Clock, server: Server) -> None:
    """Its URLs are others than those that were sent."""
    with Sending(tmp_path, server.url, clock) as sending:
        tried(sending, server, clock, "a.jpg", BREAKS["not made"])
        job = sending.row("a.jpg")["id"]
        (sending.inbox / "a.jpg").rename(sending.inbox / "b.jpg")
        moved = Move(unit_of(sending, "b.jpg"), job, ())
        sending.ledger.call(partial(units.apply, action=moved))
        assert sending.row("b.jpg")["lookup"] == "changed"
        sending._settle([unit_of(sending, "b.jpg")])
        assert sending.row("b.jpg")["lookup"] == "changed"


def test_a_try_that_began_before_the_files_were_read_again_changes_nothing(
    tmp_path: Path, clock: Clock, server: Server
) -> None:
    """Its files look otherwise than those that it knows of, but what is there was read, and is the same."""
    with Sending(tmp_path, server.url, clock) as sending:
        job = tried(sending, server, clock, "a.jpg", BREAKS["not made"])
        change_rights(tmp_path, sending, "a.jpg")
        sending._settle([unit_of(sending, "a.jpg")])
        sending.ledger.call(lambda ledger: jobs.unsettled(ledger, job, CHANGED))
        row = sending.row("a.jpg")
        assert (row["state"], row["lookup"], row["unanswered"]) == ("pending", None, job.attempts)
