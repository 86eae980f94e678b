"""Whether the clock was set since the boot: a board without a battery begins in 1970, until the network tells. Pure.

Until then nothing is decided that carries a day: the batch of a day, the spend guard's count, when a job was submitted.
"""

from __future__ import annotations

from datetime import UTC, datetime

EARLIEST = datetime(2024, 1, 1, tzinfo=UTC)
"""No agent has run before this."""


def is_unset(now: datetime) -> bool:
    """Tell whether a clock that shows this time cannot have been set."""
    return now < EARLIEST


def told(now: datetime) -> str:
    """Return a sentence about a clock that is not set, '' about one that is."""
    if not is_unset(now):
        return ""
    return f"the clock is not set (it says {now.date().isoformat()}): nothing is sent until it is"
