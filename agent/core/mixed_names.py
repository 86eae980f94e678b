"""Names that differ in more than plain numbers: read with fractions, signs, other digits, and put in order. Pure."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from agent.core import fractions
from agent.core.coded_numbers import coded
from agent.core.name_keys import as_read, pieces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.core.fractions import Points

_MINUS = ("-", "\N{MINUS SIGN}")
_SIGNS = (*_MINUS, "+")

_Pattern = tuple[str, ...]


class Read(NamedTuple):
    """One name as it is read: the texts in it, and the numbers between them.

    Names of one pattern have the same `texts`. Their numbers can be compared: a fraction is part of its number.
    """

    name: str
    texts: _Pattern
    numbers: tuple[int, ...]

    @property
    def key(self) -> tuple[str | int, ...]:
        """What the name is sorted by."""
        both: list[str | int] = [*self.texts, *self.numbers]
        both[::2], both[1::2] = self.texts, self.numbers
        return tuple(both)


class Order(NamedTuple):
    """The names in order, as they are read. `doubt` is a sentence where the numbers themselves are not certain.

    `has_fractions` tells that a number holds one, `is_coded` that they are no decimal ones.
    """

    reads: list[Read]
    doubt: str | None = None
    has_fractions: bool = False
    is_coded: bool = False


def in_order(by_bytes: Sequence[str]) -> Order:
    """Put names, sorted by their bytes, in their natural order: of two that are read alike the bytes decide."""
    found = fractions.points(by_bytes)
    patterns: dict[_Pattern, _Pattern] = {}  # each is kept once
    reads = [_read(name, found, patterns) for name in by_bytes]
    code = None
    if len(patterns) > 1 and (signed := _signed(reads, [*patterns])):
        reads = signed
    elif len(patterns) > 1 and (code := coded([*map(as_read, by_bytes)])):
        reads = [Read(read.name, code.texts, (number,)) for read, number in zip(reads, code.numbers, strict=True)]
    ordered = sorted(reads, key=lambda read: read.key)
    return Order(ordered, code.doubt if code else found.doubt, bool(found.found), code is not None)


def _read(name: str, points: Points, patterns: dict[_Pattern, _Pattern]) -> Read:
    split = pieces(name)
    if points.found:
        split = _with_fractions(split, points)
    texts = tuple(split[::2])
    return Read(name, patterns.setdefault(texts, texts), tuple(map(int, split[1::2])))


def _with_fractions(split: list[str], points: Points) -> list[str]:
    """Return the pieces with each fraction joined to its number: 17.5 is 1750 where others of the folder are 17.25."""
    joined = split[:1]
    at = 1
    while at < len(split):
        number, text = split[at], split[at + 1]
        point, width = points.found.get(tuple(joined[::2]), ("", 0))
        if width and text == point and at + 2 < len(split):
            number += split[at + 2].ljust(width, "0")
            at += 2
            text = split[at + 1]
        else:
            number += "0" * width
        joined += [number, text]
        at += 2
    return joined


def _signed(reads: Sequence[Read], patterns: Sequence[_Pattern]) -> list[Read] | None:
    """Return the names with a sign as part of a number, where all say so: they make one run through zero (t-2 … t1)."""
    first, second, *others = patterns
    places = [at for at, texts in enumerate(zip(first, second, strict=False)) if texts[0] != texts[1]]
    if others or len(first) != len(second) or len(places) != 1 or places[0] == len(first) - 1:
        return None
    (place,) = places
    texts = {_unsigned(first[place]), _unsigned(second[place])}
    if len(texts) != 1:
        return None
    pattern = (*first[:place], *texts, *first[place + 1 :])
    signed = []
    for read in reads:
        numbers = [*read.numbers]
        if read.texts[place].endswith(_MINUS):
            numbers[place] *= -1
        signed.append(Read(read.name, pattern, tuple(numbers)))
    return signed if _runs_through_zero(sorted({read.numbers[place] for read in signed})) else None


def _unsigned(text: str) -> str:
    return text[:-1] if text.endswith(_SIGNS) else text


def _runs_through_zero(values: Sequence[int]) -> bool:
    steps = Counter(after - before for before, after in pairwise(values))
    usual = min(steps, key=lambda step: (-steps[step], step), default=0)
    crossing = [after - before for before, after in pairwise(values) if before < 0 <= after]
    return bool(crossing) and (0 in values or crossing == [usual]) and 2 * steps[usual] >= steps.total()
