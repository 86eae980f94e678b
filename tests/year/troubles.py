"""How each trouble is made: a context that lasts as long as the trouble."""

from __future__ import annotations

import contextlib
import sqlite3
from functools import partial
from typing import TYPE_CHECKING, Final

from tests.faults.test_ledger_breaks import fill
from tests.year.calendar import Trouble
from tests.year.server import BUSY, LOSES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.year.life import Life

HOUR = 3600
DAY = 24 * HOUR
LET_IN_SECONDS = 90.0
MINUTE = 60.0
AWAY_SECONDS = 1.0
TIMEOUT_SECONDS = 125.0
"""Longer than the agent waits for the answer to a request."""
HASTE_SECONDS = 0.6
"""Somebody who renames or deletes an image does it within this time, before it has settled or while it is sent."""
SMALL_BURST = 40
LARGE_BURST = 1000
"""In one month of each quarter."""
PATIENT_MONTH = 9
"""In it requests are not answered for so long that they time out."""


@contextlib.contextmanager
def _silence(life: Life) -> Iterator[None]:
    with life.server.silent():
        yield
        if life.month == PATIENT_MONTH:
            life.goes_on(TIMEOUT_SECONDS)


@contextlib.contextmanager
def _full_disk(life: Life) -> Iterator[None]:
    junk = life.disk / "junk"
    for _ in range(4):  # what is freed meanwhile is taken, too
        fill(junk)
    yield
    junk.unlink()


@contextlib.contextmanager
def _clock(seconds: int, life: Life) -> Iterator[None]:
    life.set_clock(seconds)
    yield
    life.set_clock(0)


@contextlib.contextmanager
def _key_expired(life: Life) -> Iterator[None]:
    key = f"key-of-day-{life.day}"
    life.server.take_key(key)
    yield
    life.key_file.write_text(key)
    life.agent.stop()
    life.agent.start()


@contextlib.contextmanager
def _key_refused(life: Life) -> Iterator[None]:
    life.server.take_key("another")
    yield
    life.server.take_key(life.key_file.read_text())
    life.goes_on(LET_IN_SECONDS, until=lambda: not life.agent.value("blocked"))


@contextlib.contextmanager
def _unreadable_share(life: Life) -> Iterator[None]:
    life.people.inbox.chmod(0)
    yield
    life.people.inbox.chmod(0o755)


@contextlib.contextmanager
def _reader(life: Life) -> Iterator[None]:
    large = life.month % 3 == 2
    uri = f"{life.agent.ledger.as_uri()}?mode=ro"
    with contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as reading:
        reading.execute("begin")
        reading.execute("select count(*) from jobs").fetchone()
        for _ in range(LARGE_BURST if large else SMALL_BURST):
            life.people.image("burst")
        yield
    if life.month % 6 == 5:
        life.goes_on(MINUTE)
        life.wal_mib[f"a minute after the reader of month {life.month}"] = life.agent.wal_mib()


def _once(work: Callable[[Life], object]) -> Callable[[Life], AbstractContextManager[object]]:
    """Make a trouble of what is over at once."""

    @contextlib.contextmanager
    def trouble(life: Life) -> Iterator[None]:
        work(life)
        yield

    return trouble


@contextlib.contextmanager
def _elsewhere(inbox: Path) -> Iterator[None]:
    away = inbox.with_name("away")
    inbox.rename(away)
    yield
    away.rename(inbox)


def _share_away(life: Life) -> None:
    with _elsewhere(life.people.inbox):
        life.goes_on(AWAY_SECONDS)


def _started_early(life: Life) -> None:
    life.agent.stop()
    with _elsewhere(life.people.inbox):
        life.agent.spawn()
        life.agent.may_give_up(AWAY_SECONDS)
    life.agent.start_unless_it_runs()


def _restart(life: Life) -> None:
    life.until_first_job()
    life.agent.stop()
    life.agent.start()


def _kill(life: Life) -> None:
    life.until_first_job()
    life.agent.kill()
    life.agent.start()


def _renamed(life: Life) -> None:
    drop = life.people.image()
    life.goes_on(life.rng.uniform(0, HASTE_SECONDS))
    life.people.rename(drop)


def _deleted(life: Life) -> None:
    drop = life.people.image()
    life.goes_on(life.rng.uniform(0, HASTE_SECONDS))
    life.people.discard(drop)


def _moved(life: Life) -> None:
    if drop := life.people.one_paid(life.server.paid()):
        life.people.rename(drop)


def _copied(life: Life) -> None:
    if drop := life.people.one_paid(life.server.paid()):
        life.people.copy(drop)


def _changed(life: Life) -> None:
    if drop := life.people.one_paid(life.server.paid()):
        life.people.change(drop)


@contextlib.contextmanager
def _cut(life: Life) -> Iterator[None]:
    drop, content = life.people.cut()
    yield
    life.people.replace(drop, content)


@contextlib.contextmanager
def _unreadable(life: Life) -> Iterator[None]:
    drop = life.people.unreadable()
    yield
    (life.people.inbox / drop.path).chmod(0o644)


MADE: Final[Mapping[Trouble, Callable[[Life], AbstractContextManager[object]]]] = {
    Trouble.ERRORS: lambda life: life.server.errors(),
    Trouble.REFUSED: lambda life: life.server.refusing(),
    Trouble.SILENCE: _silence,
    Trouble.LOST_REPLIES: lambda life: life.server.faulty(LOSES),
    Trouble.BUSY: lambda life: life.server.faulty(BUSY),
    Trouble.RESTART: _once(_restart),
    Trouble.KILL: _once(_kill),
    Trouble.STARTED_EARLY: _once(_started_early),
    Trouble.FULL_DISK: _full_disk,
    Trouble.CLOCK_BACK: partial(_clock, -5 * HOUR),
    Trouble.CLOCK_AHEAD: partial(_clock, 2 * DAY),
    Trouble.KEY_EXPIRED: _key_expired,
    Trouble.KEY_REFUSED: _key_refused,
    Trouble.UNREADABLE_SHARE: _unreadable_share,
    Trouble.SHARE_AWAY: _once(_share_away),
    Trouble.READER: _reader,
    Trouble.RENAMED: _once(_renamed),
    Trouble.MOVED: _once(_moved),
    Trouble.COPIED: _once(_copied),
    Trouble.DELETED: _once(_deleted),
    Trouble.CHANGED: _once(_changed),
    Trouble.CUT: _cut,
    Trouble.UNREADABLE: _unreadable,
}
"""Each with its context."""
WHILE_WORKING: Final = frozenset({Trouble.RESTART, Trouble.KILL})
"""What comes only when the day's drops are there."""
