"""When frames were taken, by their EXIF: does that rise with their order, and what order is it by itself? Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from agent.core.frame_order import arrange
from agent.model.paths import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.model import Taken

SECOND = 1_000_000_000
HALF_A_DAY = 43_200 * SECOND
_START = datetime(1970, 1, 1, tzinfo=UTC)


class Rising:
    """Looks whether the times of frames rise, which it is shown in order. `fall` is a sentence about the first fall."""

    def __init__(self) -> None:
        self.fall: str | None = None
        self._falls = 0
        self._before: tuple[str, Taken] | None = None

    def see(self, name: str, taken: Taken | None) -> None:
        """Look at the next frame."""
        if taken is None:
            return
        if self._before is not None and _fell(self._before[1], taken):
            self._falls += 1
            if self.fall is None:
                earlier, at = self._before
                self.fall = f"{shown(name)} was taken at {_told(taken)}, before {shown(earlier)} ({_told(at)})"
        self._before = name, taken

    @property
    def doubt(self) -> str | None:
        """A sentence where times fall while names rise, or None."""
        if self.fall is None or self._falls == 1:
            return self.fall
        return f"{self.fall}, and {self._falls - 1} more"


class FileTimes:
    """Looks whether the times of files fall by half a day and more, which they are shown in order.

    Copying gives files times of its own, in any order, but within one copying these are near each other.
    """

    def __init__(self) -> None:
        self.doubt: str | None = None
        self._before: tuple[str, int] | None = None

    def see(self, name: str, mtime_ns: int) -> None:
        """Look at the next file."""
        if self._before is not None and self.doubt is None and mtime_ns < self._before[1] - HALF_A_DAY:
            self.doubt = f"{shown(name)} was written long before {shown(self._before[0])}, by their files' times"
        self._before = name, mtime_ns


class ByTime(NamedTuple):
    """The order of the times: where each frame comes from. `doubt` says why there is none, and the order stays."""

    places: list[int]
    doubt: str | None = None


def by_time(names: Sequence[str], taken: Sequence[Taken | None]) -> ByTime:
    """Put frames, given in their natural order, in that of the times at which they were taken.

    Of frames of one time the natural order decides, where it is not in doubt itself.
    """
    as_it_is = [*range(len(names))]
    known = [when for when in taken if when is not None]
    if len(known) < len(names):
        missing = next(name for name, when in zip(names, taken, strict=True) if when is None)
        count = len(names) - len(known)
        return ByTime(
            as_it_is, f"{count} of {len(names)} frames have no EXIF time (DateTimeOriginal): {shown(missing)}"
        )
    if len({is_zoned for _, _, is_zoned in known}) > 1:
        return ByTime(as_it_is, "some EXIF times have an offset from UTC and some have none")
    places = sorted(as_it_is, key=lambda place: known[place][0])
    for _, found in groupby(places, key=lambda place: known[place][0] // SECOND):
        of_second = [*found]
        if len({known[place][1] for place in of_second}) > 1:
            return ByTime(
                as_it_is,
                f"the EXIF times of one second have fractions of several lengths: {shown(names[of_second[0]])}",
            )
    for _, found in groupby(places, key=lambda place: known[place][0]):
        of_time = [names[place] for place in found]
        if len(of_time) > 1 and arrange(of_time).doubts:
            return ByTime(
                as_it_is, f"{len(of_time)} frames have the same EXIF time: {', '.join(map(shown, of_time[:3]))}"
            )
    return ByTime(places)


def _fell(before: Taken, after: Taken) -> bool:
    """Tell whether the second time is earlier than the first, as far as they can be compared.

    Within one second only where both fractions have as many digits: Android's library long wrote 5 ms as '5'.
    """
    if before[2] != after[2]:
        return False
    seconds = before[0] // SECOND, after[0] // SECOND
    if seconds[0] == seconds[1] and before[1] != after[1]:
        return False
    return after[0] < before[0]


def _told(taken: Taken) -> str:
    nanoseconds, digits, is_zoned = taken
    seconds, rest = divmod(nanoseconds, SECOND)
    text = (_START + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S")
    fraction = f".{rest:09}"[: digits + 1] if digits else ""
    return f"{text}{fraction}{' UTC' if is_zoned else ''}"
