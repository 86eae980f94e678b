"""Numbers in frames' names that are not decimal: hexadecimal ones, and letters that count (a, b, c). Pure."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from string import ascii_lowercase, digits
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_HEX, _LETTERS = re.compile(r"[0-9a-f]+"), re.compile(r"[a-z]{1,3}")
_BASE_26 = str.maketrans(ascii_lowercase, (digits + ascii_lowercase)[:26])


class Code(NamedTuple):
    """The number of each name, and the texts before and behind it. `doubt` says that the numbers may be ids."""

    texts: tuple[str, str]
    numbers: list[int]
    doubt: str | None = None


def coded(names: Sequence[str]) -> Code | None:
    """Return the numbers of names, given as they are read, where they differ in one that is not decimal."""
    if any(char.isdigit() for name in names for char in name):
        return _hexadecimal(names)
    before, tokens, after = _apart(names, "")
    if not all(map(_LETTERS.fullmatch, tokens)) or len({*map(len, tokens)}) > 1:
        return None
    numbers = [int(token.translate(_BASE_26), 26) for token in tokens]
    return Code((before, after), numbers) if len(tokens[0]) == 1 or _is_even(numbers) else None


def _hexadecimal(names: Sequence[str]) -> Code | None:
    before, tokens, after = _apart(names, "0123456789abcdef")
    if not all(map(_HEX.fullmatch, tokens)):
        return None
    numbers = [int(token, 16) for token in tokens]
    if _is_even(numbers):
        return Code((before, after), numbers)
    width, *other_widths = {*map(len, tokens)}
    if other_widths:
        return None
    # What is drawn by lot has few digits in front in common; counters and times have most of them.
    doubt = f"their names hold ids that tell no order ({names[0]}, {names[-1]})"
    is_rising = 2 * len(_common(tokens)) >= width
    return Code((before, after), numbers, None if is_rising else doubt)


def _apart(names: Sequence[str], alphabet: str) -> tuple[str, list[str], str]:
    """Return what all names begin with, what they differ in, and what they end in; a token is not cut in two."""
    before = _common(names)
    before = before.rstrip(alphabet) if alphabet else before
    rest = [name[len(before) :] for name in names]
    after = _common([text[::-1] for text in rest])[::-1]
    after = after.lstrip(alphabet) if alphabet else after
    return before, [text.removesuffix(after) for text in rest], after


def _common(texts: Sequence[str]) -> str:
    """Return what all texts begin with."""
    first, last = min(texts), max(texts)  # what these two begin with all do
    return first[
        : next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))
    ]


def _is_even(numbers: Sequence[int]) -> bool:
    """Tell whether numbers count: nine tenths of the steps, of which there are three at least, are one."""
    steps = Counter(after - before for before, after in pairwise(sorted(numbers)))
    if steps.total() < 3:
        return False
    (step, count), *_ = steps.most_common(1)
    places = (max(numbers) - min(numbers)) // max(step, 1) + 1
    return 10 * count >= 9 * steps.total() and places <= 2 * len(numbers)
