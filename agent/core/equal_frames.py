"""Frames of equal bytes whose names do not simply follow each other: one picture that may be there twice. Pure.

A still scene has many equal frames, and a screen recording comes back to what it showed: where one counter numbers all
frames there is nothing to ask. Elsewhere an equal frame is fine where it is the next one, of the same pattern.
"""

from __future__ import annotations

from agent.core.name_keys import DIGITS, as_read
from agent.model.paths import shown


class EqualFrames:
    """Is shown the frames of a sequence, in order, that are not numbered by one counter."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, str]] = {}
        self._first: tuple[str, str] | None = None
        self._found = 0
        self._position = 0

    def see(self, name: str, digest: str) -> None:
        """Look at the next frame."""
        before = self._last.get(digest)
        if (
            digest
            and before is not None
            and not (before[0] == self._position - 1 and _pattern(before[1]) == _pattern(name))
        ):
            self._found += 1
            self._first = self._first or (before[1], name)
        self._last[digest] = self._position, name
        self._position += 1

    @property
    def doubt(self) -> str | None:
        """A sentence about the first of them, or None."""
        if self._first is None:
            return None
        one, other = map(shown, self._first)
        more = f", and {self._found - 1} more" if self._found > 1 else ""
        return f"{one} and {other} hold the same bytes{more}"


def _pattern(name: str) -> str:
    return DIGITS.sub("0", as_read(name))
