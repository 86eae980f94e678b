"""Numbers with a fraction in frames' names (1700000000.5), told from two counters with a dot between (v1.10). Pure.

The digits behind the point say it, over the whole folder. A counter is written from the right: it has zeros in front
only where it is filled up to one width. A fraction is written from the left: it has zeros behind only where it is
filled up. Where all have one width both sort alike.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from agent.core.name_keys import POINTS, TIME_DIGITS, is_point, pieces

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_FLOAT_DIGITS = 7
"""What a float of seconds since 1970 has behind the point, at most."""

_MANY = 9
"""Times of which so many are evenly apart, if what follows the point is a counter, are no accident."""

_THREES = (3, 6, 9)
"""The widths of those who write as many groups of three digits as there is need for, as Java does."""

Context = tuple[str, ...]
"""The texts of a name up to a number."""


class Points(NamedTuple):
    """Where a number has a fraction: by the texts up to it, the point and how many digits follow at most."""

    found: dict[Context, tuple[str, int]]
    doubt: str | None = None


class _Pair(NamedTuple):
    whole: str
    part: str


def points(names: Sequence[str]) -> Points:
    """Find the fractions in the names of a folder."""
    pairs: dict[tuple[Context, str], set[_Pair]] = {}
    chained: set[tuple[Context, str]] = set()
    for split in map(pieces, names):
        texts = tuple(split[::2])
        for at in range(1, len(texts) - 1):
            whole, part = split[2 * at - 1], split[2 * at + 1]
            if is_point(whole, texts[at]):
                where = texts[:at], texts[at]
                pairs.setdefault(where, set()).add(_Pair(whole, part))
                if texts[at] in (texts[at - 1], texts[at + 1]):
                    chained.add(where)
    found: dict[Context, tuple[str, int]] = {}
    doubt = None
    for where, seen in pairs.items():
        width = max(len(pair.part) for pair in seen)
        if all(len(pair.part) == width for pair in seen):
            continue
        wholes = _wholes(names, *where) if where not in chained else ()
        is_fraction = _is_fraction(seen, wholes, is_chained=where in chained, link=where[1])
        if is_fraction:
            found[where[0]] = (where[1], width)
        elif is_fraction is None:
            one, other = sorted(seen)[:2]
            doubt = (
                f"the digits behind a '{where[1]}' can be read as counters and as fractions "
                f"({one.whole}{where[1]}{one.part}, {other.whole}{where[1]}{other.part})"
            )
    return Points(found, doubt)


def _wholes(names: Sequence[str], texts: Context, point: str) -> Iterator[str]:
    """Yield the numbers at a place that have no fraction there: some programs write 1 and 1.5."""
    for split in map(pieces, names):
        if (
            tuple(split[: 2 * len(texts) : 2]) == texts
            and len(split) > 2 * len(texts)
            and split[2 * len(texts)] != point
        ):
            yield split[2 * len(texts) - 1]


def _is_fraction(pairs: set[_Pair], wholes: Iterable[str], *, is_chained: bool, link: str) -> bool | None:
    """Tell whether what follows a point is a fraction; None where nothing can."""
    parts = {pair.part for pair in pairs}
    counters, fractions = _can_be_counters(parts), _can_be_fractions(parts)
    if counters != fractions:
        return fractions
    if all(len(part) in _THREES for part in parts) and fractions and not is_chained:
        return True
    if not counters:
        return False if link not in POINTS or is_chained or _is_dense(pairs) else None
    is_time = link in POINTS and all(len(pair.whole) >= TIME_DIGITS for pair in pairs)
    if is_chained or _sort_alike(pairs) or (_is_dense(pairs) and not is_time):
        return False
    width = max(map(len, parts))
    plain = [int(whole) * 10**width for whole in wholes]
    as_fraction = _is_regular(plain, (int(whole) * 10**width + int(part.ljust(width, "0")) for whole, part in pairs))
    as_counter = _is_regular(plain, (int(whole) * 10**width + int(part) for whole, part in pairs))
    if as_fraction != as_counter and (as_fraction or len(pairs) >= _MANY):
        return as_fraction
    return True if is_time and width <= _FLOAT_DIGITS else None


def _can_be_counters(parts: set[str]) -> bool:
    least = min(map(len, parts))
    return not any(part.startswith("0") and len(part) > least for part in parts)


def _can_be_fractions(parts: set[str]) -> bool:
    least = min(map(len, parts))
    if all(len(part) in _THREES for part in parts):
        return not any(part.endswith("000") and len(part) > least for part in parts)
    return not any(part.endswith("0") and len(part) > least for part in parts)


def _sort_alike(pairs: set[_Pair]) -> bool:
    width = max(len(pair.part) for pair in pairs)
    return sorted(pairs, key=lambda pair: (int(pair.whole), int(pair.part))) == sorted(
        pairs, key=lambda pair: (int(pair.whole), pair.part.ljust(width, "0"))
    )


def _is_dense(pairs: set[_Pair]) -> bool:
    """Tell whether, read as counters, at least half of the numbers that there can be behind one are there."""
    by_whole: dict[str, set[int]] = {}
    for pair in pairs:
        by_whole.setdefault(pair.whole, set()).add(int(pair.part))
    several = [parts for parts in by_whole.values() if len(parts) > 1]
    places = sum(max(parts) - min(parts) + 1 for parts in several)
    return places <= 2 * sum(map(len, several))


def _is_regular(wholes: Iterable[int], values: Iterable[int]) -> bool:
    """Tell whether most steps between the values, of which there are three at least, are of nearly one size."""
    steps = sorted(after - before for before, after in pairwise(sorted({*wholes, *values})))
    if len(steps) < 3:
        return False
    middle = steps[len(steps) // 2]
    near = sum(2 * abs(step - middle) <= middle for step in steps)
    return near * 5 >= 4 * len(steps)
