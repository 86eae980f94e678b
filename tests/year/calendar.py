"""What happens on which day: every month has the same troubles, each on a day that the seed chooses. Pure."""

from __future__ import annotations

import enum
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence

MONTHS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
SHORT: Final = (20,)
"""One month, which is a little shorter."""


class Trouble(enum.StrEnum):
    """What goes wrong."""

    ERRORS = "every answer is a 503"
    REFUSED = "nobody listens"
    SILENCE = "requests are taken and never answered, and half of them are done"
    LOST_REPLIES = "of six jobs two are made without an answer that says so, and one is not made"
    BUSY = "half of the requests are to come later"

    RESTART = "SIGTERM, at any moment from the day's first job on"
    KILL = "SIGKILL, at any moment from the day's first job on"
    FULL_DISK = "the ledger's disk is full"
    CLOCK_BACK = "the clock is set back by some hours"
    CLOCK_AHEAD = "the clock is two days ahead"
    STARTED_EARLY = "a restart, while the watch folder is not there yet"
    KEY_EXPIRED = "the key is refused; then there is a new one, and a restart"
    KEY_REFUSED = "the key is refused, and then let in again"
    UNREADABLE_SHARE = "the watch folder may not be read"
    SHARE_AWAY = "the watch folder is gone for a moment"

    READER = "one long transaction reads the ledger, while a burst of images comes"

    RENAMED = "an image is renamed, at any moment after it was written"
    MOVED = "an image that was paid is renamed"
    COPIED = "an image that was paid is copied, and is another drop"
    DELETED = "an image is deleted, at any moment after it was written"
    CHANGED = "an image that was paid gets other bytes"
    CUT = "an image comes without its end, and is copied whole days later"
    UNREADABLE = "an image may not be read, and may days later"


OUTAGES: Final = frozenset({Trouble.ERRORS, Trouble.REFUSED, Trouble.SILENCE})
RESTARTS: Final = frozenset({Trouble.RESTART, Trouble.STARTED_EARLY, Trouble.KEY_EXPIRED})

LANES: Final = (
    {
        Trouble.ERRORS: (1, 2),
        Trouble.REFUSED: (1, 2),
        Trouble.SILENCE: (1, 1),
        Trouble.LOST_REPLIES: (1, 3),
        Trouble.BUSY: (1, 1),
    },
    {
        Trouble.RESTART: (1, 0),
        Trouble.KILL: (2, 0),
        Trouble.STARTED_EARLY: (1, 0),
        Trouble.FULL_DISK: (1, 1),
        Trouble.CLOCK_BACK: (1, 1),
        Trouble.CLOCK_AHEAD: (1, 1),
        Trouble.KEY_EXPIRED: (1, 1),
        Trouble.UNREADABLE_SHARE: (1, 1),
        Trouble.SHARE_AWAY: (1, 0),
    },
    {Trouble.READER: (1, 4)},
    {
        Trouble.RENAMED: (3, 0),
        Trouble.MOVED: (2, 0),
        Trouble.COPIED: (1, 0),
        Trouble.DELETED: (2, 0),
        Trouble.CHANGED: (1, 0),
        Trouble.CUT: (1, 2),
        Trouble.UNREADABLE: (2, 2),
    },
)
"""How often a month, and for how many days; without a day it is over at once. Those of one lane come one after another,
those of several (Playment's, the machine's, a reader's, people's) as it falls out."""

BY_ITSELF = 6
"""In every so many-th month a key that was refused is let in again, and nobody does anything."""


@dataclass(frozen=True, slots=True)
class Begin:
    """A trouble that begins, and the day on which it is over."""

    trouble: Trouble
    until: int


def schedule(months: Sequence[int], rng: random.Random) -> Mapping[int, Sequence[Begin]]:
    """Return what begins on which day, counted from 0; all of it is over before its month is.

    Raises ValueError where a month is too short for a lane.
    """
    begins: defaultdict[int, list[Begin]] = defaultdict(list)
    first = 0
    for month, days in enumerate(months, start=1):
        for lane in LANES:
            for day, begin in _laid(lane, first, days, rng):
                by_itself = begin.trouble is Trouble.KEY_EXPIRED and month % BY_ITSELF == 0
                begins[day].append(Begin(Trouble.KEY_REFUSED, begin.until) if by_itself else begin)
        first += days
    return begins


def _laid(
    lane: Mapping[Trouble, tuple[int, int]], first: int, days: int, rng: random.Random
) -> list[tuple[int, Begin]]:
    """Lay a lane's troubles one after another in any order, with free days anywhere between them.

    Nothing begins on a month's first and last day: on the one there may be nothing yet to go wrong, on the other it is
    measured.
    """
    troubles = [trouble for trouble, (times, _) in lane.items() for _ in range(times)]
    rng.shuffle(troubles)
    free = days - 2 - sum(max(1, lane[trouble][1]) for trouble in troubles)
    if free < 0:
        raise ValueError(f"{days} days are too few for {len(troubles)} troubles")
    gaps = sorted(rng.randint(0, free) for _ in troubles)
    at, laid = first + 1, []
    for trouble, gap in zip(troubles, gaps, strict=True):
        lasts = lane[trouble][1]
        laid.append((at + gap, Begin(trouble, at + gap + lasts)))
        at += max(1, lasts)
    return laid
