"""What the ledger has of jobs that the target's lists are compared with. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from agent.core.states import State
from agent.model import Kind

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

COLUMNS = "id, reference_id, path, kind, state, job_id, frame_count, tag, batch_id, digest, unanswered"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A job as the ledger has it; `unanswered` counts the tries whose outcome is unknown."""

    id: int
    reference_id: str
    path: str
    kind: Kind
    state: State
    job_id: str | None
    frame_count: int
    tag: str | None
    batch_id: str | None
    digest: str | None
    unanswered: int

    @property
    def attempted(self) -> bool:
        """Whether a try of ours was never answered."""
        return self.unanswered > 0


class Sent(NamedTuple):
    """A job that the target has, by all its names."""

    id: int
    reference_id: str
    path: str
    job_id: str


def recorded(sql: sqlite3.Connection, reference_id: str) -> Recorded | None:
    """Return the job of a reference_id."""
    row = sql.execute(f"select {COLUMNS} from jobs where reference_id = ?", (reference_id,)).fetchone()  # noqa: S608
    if row is None:
        return None
    job, reference, path, kind, state, *rest = row
    return Recorded(job, reference, path, Kind(kind), State(state), *rest)


def sent(sql: sqlite3.Connection) -> Iterator[Sent]:
    """Yield every job that the target has, oldest first."""
    for row in sql.execute(
        "select id, reference_id, path, job_id from jobs where state in ('submitted', 'completed') order by id"
    ):
        yield Sent(*row)
