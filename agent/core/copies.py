"""Names made from another name of the same folder: copies and conflict files, by any tool in any language. Pure.

Tools put something behind the name of the original (`f - Copy`, `f (1)`, `f.1`, `f.sync-conflict-…`, `f Kopie`,
`f (conflicted copy …)`), or before it (`Copy of f`). No numbering does: one name of it is not the beginning of another.
"""

from __future__ import annotations

import re
from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple

from agent.core.name_dates import ends_with_time
from agent.core.name_keys import as_read
from agent.model.paths import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_BORDER = re.compile(r"[^0-9a-z]|(?<=[0-9])[a-z]")
"""Where an original's name may end: a number that goes on is another number."""

_NUMBERED = re.compile(r"[-_.~ (]{1,2}([0-9]+)\)?")
_TAIL = re.compile(_NUMBERED.pattern + "$")
_FRACTION = re.compile(r"[-_.,][0-9]+")
_FEWEST = 3


class Copies(NamedTuple):
    """Which names are made from others: `doubt` is a sentence. `fine` are names that only go on where others end."""

    doubt: str | None = None
    fine: frozenset[str] = frozenset()


def copies(names: Sequence[str], *, has_fractions: bool = False) -> Copies:
    """Look for names that are made from that of another frame.

    Fine are frames of one second behind the time that they share (`20240101_120000`, `20240101_120000_1`), and a whole
    folder numbered behind one name, which names the first (`shot`, `shot (1)`, `shot (2)`). Where the numbers have
    fractions (`has_fractions`), one is no sign of a copy.
    """
    by_stem = {as_read(name): name for name in names}
    seconds = frozenset(name for text, name in by_stem.items() if _is_of_a_second(text))
    found = [pair for text in by_stem for pair in _original(text, by_stem)]
    made = [pair for pair in found if not (by_stem[pair[0]] in seconds or (has_fractions and _is_fraction(*pair)))]
    if _is_numbered_behind_one([*by_stem], made):
        return Copies(None, frozenset(names))
    if not made:
        return Copies(None, seconds)
    copy, original = (shown(by_stem[text]) for text in made[0])
    more = f" and {len(made) - 1} more" if len(made) > 1 else ""
    return Copies(f"{copy} looks like a copy of {original}{more}", seconds)


def _original(text: str, by_stem: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield a stem with the longest other one that it was made from, if there is one."""
    borders = [*_BORDER.finditer(text)]
    heads = (text[: border.start()] for border in reversed(borders))
    tails = (text[border.end() :] for border in borders)
    yield from ((text, part) for part in islice((part for part in chain(heads, tails) if part in by_stem), 1))


def _is_of_a_second(text: str) -> bool:
    """Tell whether a name is a date and time of day with a number behind it."""
    tail = _TAIL.search(text)
    return tail is not None and ends_with_time(text[: tail.start()])


def _is_fraction(copy: str, original: str) -> bool:
    return copy.startswith(original) and bool(_FRACTION.fullmatch(copy, len(original)))


def _is_numbered_behind_one(stems: list[str], made: list[tuple[str, str]]) -> bool:
    """Tell whether all other names are one name with the next number behind it."""
    originals = {original for _, original in made}
    if len(originals) > 1 or len(made) != len(stems) - 1 or len(stems) < _FEWEST:
        return False
    tails = [copy.startswith(original) and _NUMBERED.fullmatch(copy, len(original)) for copy, original in made]
    if not all(tails):
        return False
    numbers = sorted(int(tail[1]) for tail in tails if tail)
    return numbers[0] <= 2 and numbers == [*range(numbers[0], numbers[0] + len(made))]
