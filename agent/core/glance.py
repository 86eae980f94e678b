"""What a short look at a large folder shows: whether all that came or went since the last one was told of. Pure.

A look is one number, the sum of a number for each entry, of its name and inode, in 64 bits; it takes no byte for an
entry, and a fifth of the time of a listing, which asks for size and times. What a look cannot show is what a folder's
own times do not show either: a file that was written to in its place.
"""

from __future__ import annotations

from itertools import chain, combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MODULUS = 2**64
MOST_UNSURE = 8
"""Entries of which it is tried whether a look has shown them: 256 sums."""


def look_at(entries: Iterable[tuple[str, int]]) -> int:
    """Return the number of entries, names and inodes; those of parts add up to that of all, MODULUS apart."""
    return sum(map(hash, entries))


class Glance:
    """The last look at a folder, `seen`, and what was told to have come since."""

    def __init__(self, seen: int) -> None:
        self._seen = seen
        self._sure: dict[str, int] = {}
        self._unsure: dict[str, int] = {}

    def came(self, name: str, inode: int) -> None:
        """Take note of a file that has come."""
        if name not in self._sure:
            self._unsure[name] = look_at([(name, inode)])

    def begins(self) -> None:
        """Take note that a look begins: what came before and is not in the last one must be in it."""
        self._sure |= self._unsure
        self._unsure = {}

    def is_explained(self, seen: int) -> bool:
        """Tell whether a look shows what the last one did and what came; if it does, it is the last one from now on.

        What came since it began may be in it or not.
        """
        missing = (seen - self._seen - sum(self._sure.values())) % MODULUS
        if len(self._unsure) > MOST_UNSURE:
            return False
        sets = chain.from_iterable(combinations(self._unsure, count) for count in range(len(self._unsure) + 1))
        shown = next((names for names in sets if sum(self._unsure[name] for name in names) % MODULUS == missing), None)
        if shown is None:
            return False
        self._seen = seen
        self._sure = {name: number for name, number in self._unsure.items() if name not in shown}
        self._unsure = {}
        return True
