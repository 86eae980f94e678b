"""What is read once more, and when: files that changed while they were read, or before they were sent. Pure.

Some mounts are stirred by reading: a file shows other times to each reader, or while it is read, and what is read does
not get on (`rclone mount` puts off the upload of a file with every reader that closes it). So nothing is read again at
once, nor more often than it must be; and times that move with our own reading are no change.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from agent.core.retry import READ_AGAIN
from agent.model import parent

if TYPE_CHECKING:
    from agent.model import Image, Stamp
    from agent.model.units import UnitKey

CALM_SECONDS = 60.0
"""What was left alone for as long as its last wait, and for so long at least, begins anew: it has been sent by then."""
MOST_UNITS = 10_000
MOST_FILES = 100_000
"""Some 600 bytes each, where a mount is stirred by reading; else there are none."""
MOST_STAMPS = 8
TWICE = 2


class _Unrest(NamedTuple):
    times: int
    wait: float
    until: float


class Restless:
    """Units that changed while they were read or before they were sent, and until when they are left alone.

    `now` is any monotonic number of seconds.
    """

    def __init__(self) -> None:
        self._units: dict[UnitKey, _Unrest] = {}

    def __contains__(self, unit: object) -> bool:
        """Tell whether the unit has changed lately."""
        return unit in self._units

    def changed(self, unit: UnitKey, quiet: float, now: float) -> None:
        """Take note that a unit, whose quiet time is so many seconds, has changed."""
        last = self._units.pop(unit, None)
        goes_on = last is not None and now < last.until + max(last.wait, CALM_SECONDS)
        times = last.times + 1 if last is not None and goes_on else 1
        wait = READ_AGAIN.seconds(times, quiet or READ_AGAIN.first)
        self._units[unit] = _Unrest(times, wait, now + wait)
        if len(self._units) > MOST_UNITS:
            del self._units[next(iter(self._units))]

    def until(self, unit: UnitKey) -> float:
        """Return the time before which the unit is not to be read."""
        unrest = self._units.get(unit)
        return unrest.until if unrest is not None else -math.inf

    def reason(self, unit: UnitKey) -> str:
        """Return what a unit waits for, in words."""
        wait = self._units[unit].wait
        return f"changed while it was read or sent: waits for {wait:g} s, and until it has been unchanged again"


class _Reading(NamedTuple):
    """What was read so many times, and how the file has looked before and after."""

    image: Image
    times: int
    stamps: tuple[int, ...]


class Readings:
    """What was read of files that are to be looked at again, and whether that is still to be believed.

    A reading whose file looks as it did needs no other. Where times moved while it was read (an image's `moved`), it is
    believed when it was made twice in a row, with the same digest, and the file, seen quiet, looks as before one of
    them or as that one left it. For one thread at a time.
    """

    def __init__(self, most: int = MOST_FILES) -> None:
        self._most = most
        self._readings: dict[str, _Reading] = {}
        self._folders: Counter[str] = Counter()

    def __contains__(self, folder: str) -> bool:
        """Tell whether there is any of a file in a folder."""
        return folder in self._folders

    def keep(self, path: str, stamp: Stamp, image: Image) -> None:
        """Keep what was read of a file that looked like `stamp` before."""
        last = self._let_go(path)
        if not image.digest:
            return  # it could not be read, which is not the file's doing
        times, stamps = 1, dict.fromkeys((hash(stamp), hash(image.moved or stamp)))  # numbers keep 300 bytes less
        if last is not None and last.image.digest == image.digest:
            times, stamps = last.times + 1, dict.fromkeys((*last.stamps, *stamps))
        self._readings[path] = _Reading(image._replace(moved=None), times, (*stamps,)[-MOST_STAMPS:])
        self._folders[parent(path)] += 1
        if len(self._readings) > self._most:
            self._let_go(next(iter(self._readings)))

    def known(self, path: str, stamp: Stamp) -> Image | None:
        """Return what reading a file that looks like `stamp` would show, None where it is to be read."""
        reading = self._readings.get(path)
        if reading is None or hash(stamp) not in reading.stamps:
            return None
        return reading.image if reading.times >= TWICE or len(reading.stamps) == 1 else None

    def _let_go(self, path: str) -> _Reading | None:
        reading = self._readings.pop(path, None)
        if reading is not None:
            folder = parent(path)
            self._folders[folder] -= 1
            if not self._folders[folder]:
                del self._folders[folder]
        return reading
