"""Replies that are lost, or turned into a 500 after the job was made: the jobs are found again, by few requests."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import pytest

from agent.model import Edition
from agent.model.jobs import Terms
from agent.sandbox import Faults
from tests.sending import Clock, Sending, Server
from tests.support import query

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

JOBS = 300


def _agrees(sending: Sending, server: Server) -> None:
    """Show that the ledger and Playment hold the same jobs, each once."""
    ours = {row["reference_id"]: row["job_id"] for row in query(sending.path, "select reference_id, job_id from jobs")}
    assert ours == {job.reference_id: job.job_id for job in server.jobs}
    assert len(server.jobs) == len(ours)


@pytest.mark.parametrize("faults", [Faults(lose_reply=0.3), Faults(error_after=0.3)])
def test_every_job_is_there_once_and_known(tmp_path: Path, server: Server, clock: Clock, faults: Faults) -> None:
    server.faults = faults
    with Sending(tmp_path, server.url, clock) as sending:
        sending.drop_many(JOBS)
        sending.passes_until(lambda: sending.states() == {"submitted": JOBS}, step=1.0)
    _agrees(sending, server)
    lists = server.requests["batch_jobs"]
    adopted = len(server.posts()) - JOBS
    assert adopted > JOBS / 6, "the faults were there"
    assert lists <= math.ceil(JOBS / 100) + 3, f"{lists} pages were asked for"


def test_a_list_that_lags_is_asked_again(
    tmp_path: Path, server: Server, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One of less than a millisecond is none, and the list would be asked before it lags.
    monkeypatch.setattr("agent.core.retry.backoff", lambda _failures, _random: 5.0)
    server.faults = Faults(lose_reply=1.0)
    with Sending(tmp_path, server.url, clock) as sending:
        sending.drop("a.jpg")
        sending.passes_until(lambda: sending.row("a.jpg")["lookup"] or server.jobs, step=1.0)
        batch = server._state.batches("p1")[0]
        hidden, batch.jobs[:] = list(batch.jobs), []
        sending.passes_until(lambda: "may lag" in sending.row("a.jpg")["reason"], step=1.0)
        batch.jobs[:] = hidden
        sending.passes_until(lambda: sending.states() == {"submitted": 1})
    _agrees(sending, server)


def test_the_rows_of_an_older_edition_are_adopted_too(tmp_path: Path, server: Server, clock: Clock) -> None:
    """A frozen job keeps its edition; the lists may be read in another one, which names no tag."""
    server.faults = Faults(lose_reply=1.0)
    with Sending(tmp_path, server.url, clock) as sending:
        sending.drop_many(10)
        sending.passes_until(lambda: len(server.jobs) == 10, step=1.0)
    terms = Terms(Edition.V1, "5d1c2bd5-0e0f-4a4c-9a3a-6c5f4a0a8a11", None, 5)
    with Sending(tmp_path, server.url, clock, terms=terms) as sending:
        sending.passes_until(lambda: sending.states() == {"submitted": 10}, step=1.0)
    _agrees(sending, server)


def _numbered(form: str) -> Callable[[random.Random], str]:
    numbers = itertools.count(1)
    return lambda _rng: form.format(next(numbers))


@pytest.mark.parametrize("form", ["{}", "Batch_{}.a~b", "665f1e0c9b1d8e0012ab{:04x}"])
@pytest.mark.parametrize("batch_name", [None, "today"])
def test_ids_of_another_kind_than_the_pages_say_are_taken(
    tmp_path: Path, server: Server, clock: Clock, form: str, batch_name: str | None
) -> None:
    """The default batch is in the list of batches, whose id nobody chose: it made every list unreadable."""
    server._state.make_id = _numbered(form)
    server.faults = Faults(lose_reply=0.5)
    with Sending(tmp_path, server.url, clock, batch_name=lambda _path: batch_name) as sending:
        sending.drop_many(20)
        sending.passes_until(lambda: sending.states() == {"submitted": 20}, step=1.0)
    _agrees(sending, server)
    assert len(server.posts()) > 20, "the faults were there"
    assert {job.job_id for job in server.jobs} <= {form.format(number) for number in range(1, 40)}
