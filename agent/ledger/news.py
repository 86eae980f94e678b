"""What the news ask: what has begun to wait for a person since an event, and what a day has brought."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from agent.ledger.reads_for_people import ReadsForPeople
from agent.ledger.store import EPOCH, iso

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from agent.ledger.store import Ledger

EVENTS = "event in ('held', 'invalid', 'failed', 'duplicate', 'twins')"
"""As the index `events_attention` has it."""
MOST_KINDS = 50
"""Kinds that are told apart; all others are one."""
LONGEST = 60

# One row for each kind of trouble and top folder. A job counts once, and only if it waits still. A kind is a state with
# its code, or else with what the reason says before its details; that of a folder begins with the name of a frame.
WAITING = f"""
    select state, error_code, iif(error_code = '', substr(rtrim(substr(why, 1, min(
            instr(why || ':', ':'), instr(why || '(', '('), instr(why || ',', ',')) - 1)), 1, {LONGEST}), ''),
        rtrim(substr(folder, 1, instr(folder || '/', '/')), '/') as top, count(*), min(path)
    from (
        select state, error_code, folder, path, iif(kind = 'sequence' and state = 'invalid' and instr(reason, ': '),
            substr(reason, instr(reason, ': ') + 2), reason) as why
        from jobs where id in (
            select job from event_log indexed by events_attention where {EVENTS} and id > ? and id <= ?
        ) and (state in ('held', 'invalid', 'failed', 'duplicate') or error_code = 'twins')
    )
    group by 1, 2, 3, 4
"""  # noqa: S608 (our words)


class Kind(NamedTuple):
    """How jobs wait for a person: their state, its code, and where it has none how its reason begins."""

    state: str
    code: str
    reason: str


OTHERS = Kind("", "", "")


@dataclass(frozen=True, slots=True)
class Waiting:
    """Jobs of one kind that have begun to wait: how many by top folder, '' being the watch folder, and one's path."""

    folders: Mapping[str, int]
    example: str

    @property
    def jobs(self) -> int:
        """How many they are."""
        return sum(self.folders.values())


@dataclass(frozen=True, slots=True)
class Untold:
    """What has begun to wait for a person, and does still, up to an event."""

    upto: int
    kinds: Mapping[Kind, Waiting]


@dataclass(frozen=True, slots=True)
class Span:
    """What has become of jobs since some time: sent, with their frames, and completed."""

    sent: int
    frames: int
    completed: int


class NewsReads(ReadsForPeople):
    """The questions of people, and what the news ask beside. As these, for one thread at a time."""

    def last_event(self) -> int:
        """Return the last event that there is."""
        return self._ask(_last_event)

    def first_untold(self, event: int) -> datetime | None:
        """Return when the first job has begun to wait for a person after an event."""
        return self._ask(_first_untold, event)

    def untold(self, event: int) -> Untold:
        """Return what has begun to wait for a person after an event."""
        return self._ask(_untold, event)

    def has_sent_since_start(self) -> bool:
        """Tell whether a job was sent since the agent's last start."""
        return self._ask(_has_sent_since_start)

    def span(self, since: datetime) -> Span:
        """Return what has become of jobs since."""
        return self._ask(_span, since)


def keep(ledger: Ledger, text: str, trouble: str) -> None:
    """Write what is remembered of the news, and why the last could not be told."""
    ledger.put(news=text, news_trouble=trouble)


def _last_event(sql: sqlite3.Connection) -> int:
    return int(sql.execute("select coalesce(max(id), 0) from event_log").fetchone()[0])


def _first_untold(sql: sqlite3.Connection, event: int) -> datetime | None:
    row = sql.execute(
        f"select at from event_log indexed by events_attention where {EVENTS} and id > ? order by id limit 1",  # noqa: S608 (our words)
        (event,),
    ).fetchone()
    return EPOCH + timedelta(milliseconds=row[0]) if row else None


def _untold(sql: sqlite3.Connection, event: int) -> Untold:
    upto = _last_event(sql)
    folders: dict[Kind, Counter[str]] = {}
    examples: dict[Kind, str] = {}
    for *told, top, jobs, path in sql.execute(WAITING, (event, upto)):
        kind = Kind(*told)
        kind = kind if kind in folders or len(folders) < MOST_KINDS else OTHERS
        folders.setdefault(kind, Counter())[top] += jobs
        examples.setdefault(kind, path)
    return Untold(upto, {kind: Waiting(count, examples[kind]) for kind, count in folders.items()})


def _has_sent_since_start(sql: sqlite3.Connection) -> bool:
    (found,) = sql.execute(
        "select exists (select 1 from event_log indexed by events_submitted where event = 'submitted' and id > "
        "(select coalesce(max(id), 0) from event_log where job is null and event = 'started'))"
    ).fetchone()
    return bool(found)


def _span(sql: sqlite3.Connection, since: datetime) -> Span:
    sent, frames, completed = sql.execute(
        "select coalesce(sum(submitted_at >= ?1), 0), coalesce(sum(iif(submitted_at >= ?1, frame_count, 0)), 0), "
        "coalesce(sum(state = 'completed' and completed_at >= ?1), 0) from jobs "
        "where state in ('submitted', 'completed') and updated_at >= ?1",
        (iso(since),),
    ).fetchone()
    return Span(sent, frames, completed)
