"""A bar for each day, as numbers for an SVG. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DAYS = 30
WIDTH = 20
HEIGHT = 120
GAP = 4


@dataclass(frozen=True, slots=True)
class Bar:
    """A day's jobs and frames, and where its bar stands: images at the bottom, sequences on them."""

    day: str
    jobs: int
    frames: int
    x: int
    images_height: float
    sequences_height: float

    @property
    def top(self) -> float:
        """Where the bar begins, from above."""
        return round(HEIGHT - self.images_height - self.sequences_height, 1)

    @property
    def images_top(self) -> float:
        """Where the images begin, from above."""
        return round(HEIGHT - self.images_height, 1)


def bars(rows: Iterable[Mapping[str, Any]], today: date) -> list[Bar]:
    """Return a bar for each of the last days, today's last; a day that is in no row has none sent."""
    by_day = {row["day"]: row for row in rows}
    days = [(today - timedelta(days=back)).isoformat() for back in reversed(range(DAYS))]
    found = [by_day.get(day, {"images": 0, "sequences": 0, "frames": 0}) for day in days]
    most = max(*(row["images"] + row["sequences"] for row in found), 1)
    return [
        Bar(
            day,
            row["images"] + row["sequences"],
            row["images"] + row["frames"],
            place * WIDTH,
            _height(row["images"], most),
            _height(row["sequences"], most),
        )
        for place, (day, row) in enumerate(zip(days, found, strict=True))
    ]


def _height(jobs: int, most: int) -> float:
    """Return how high a bar is; the smallest is still to be seen."""
    return max(round(HEIGHT * jobs / most, 1), 2.0) if jobs else 0.0
