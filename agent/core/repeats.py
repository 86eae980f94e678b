"""What lasts is said once a minute, however often it is met with. Pure."""

from __future__ import annotations

SECONDS = 60.0
MOST = 100


class Repeats:
    """Remembers what was said, and when; `now` is any monotonic number of seconds."""

    def __init__(self) -> None:
        self._said: dict[str, float] = {}

    def are_due(self, text: str, now: float) -> bool:
        """Tell whether a text is to be said now, and take it for said then."""
        if now - self._said.get(text, now - SECONDS) < SECONDS:
            return False
        if len(self._said) >= MOST:
            self._said.clear()
        self._said[text] = now
        return True
