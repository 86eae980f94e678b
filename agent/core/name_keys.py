"""A frame's name as it is read: its stem, in pieces of text and digits; case and Unicode's forms do not count. Pure.

Nearly all folders' names differ in numbers alone. Those are read in two quick ways, whose order is the natural one.
"""

from __future__ import annotations

import re
import unicodedata
from string import digits
from typing import NamedTuple

DIGITS = re.compile(r"([0-9]+)")
"""ASCII digits only: `int` would also take others, of which `as_read` makes these."""

POINTS = (".", ",")
"""What may stand for the point of a decimal number."""

LINKS = ("_", "-")
"""What some people put in a point's place, since a name has a dot already: in a time alone that is believed."""

_NOT_ASCII = re.compile(r"[^\x00-\x7f]")

TIME_DIGITS = 9
"""A number of so many digits is taken for a time: seconds since 1970 have had them since 1973."""


def stem(name: str) -> str:
    """Return a name without its extension."""
    return name.rpartition(".")[0] or name


def as_read(name: str) -> str:
    """Return a name's stem with one case, one Unicode form, and every digit there is as 0 to 9."""
    text = stem(name)
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFD", text).casefold()
    return _NOT_ASCII.sub(lambda char: _plain_digit(char[0]), unicodedata.normalize("NFD", folded))


def pieces(name: str) -> list[str]:
    """Return a name's stem, as it is read, as text, digits, text, digits … text."""
    return DIGITS.split(as_read(name))


def is_point(whole: str, between: str) -> bool:
    """Tell whether what stands between two numbers, of which the first is `whole`, may be the point of a decimal."""
    return between in POINTS or (between in LINKS and len(whole) >= TIME_DIGITS)


def _plain_digit(char: str) -> str:
    if char.isdigit():  # also those of other scripts, full width, in circles and superscript
        return str(unicodedata.digit(char))
    return char


class OneNumber(NamedTuple):
    """Names that differ in one number of their stems alone: the numbers, and the text before them."""

    numbers: list[int]
    before: str
    widths: tuple[int, int]


def one_number(by_bytes: list[str]) -> OneNumber | None:
    """Return how names, sorted by their bytes, differ where they do in no more than one number of their stems.

    As most folders' do: by `numbers_alone` that takes four times as long.
    """
    if not by_bytes:
        return None
    first, last = by_bytes[0], by_bytes[-1]  # what these two begin with all names do, since they are sorted
    alike = next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))
    before = first[:alike].rstrip(digits)
    suffix = first[len(before) :].lstrip(digits)
    end = -len(suffix) or None
    texts = [name[len(before) : end] for name in by_bytes if name.endswith(suffix)]
    in_all = "".join(texts)
    if "." not in suffix or len(texts) < len(by_bytes) or not all(texts) or not (in_all.isascii() and in_all.isdigit()):
        return None
    widths = min(map(len, texts)), max(map(len, texts))
    if not before.isascii() or (widths[0] != widths[1] and _may_be_point(before)):
        return None
    return OneNumber([*map(int, texts)], before, widths)


def numbers_alone(by_bytes: list[str]) -> list[tuple[int, ...]] | None:
    """Return the numbers in each of the names, where the text between them is the same and no number is a fraction."""
    if not by_bytes or not by_bytes[0].isascii():
        return None
    split = DIGITS.split(by_bytes[0])
    text = split[::2]
    points = [at for at in range(1, len(text) - 1) if is_point(split[2 * at - 1], text[at])]
    widths = {at: len(split[2 * at + 1]) for at in points}
    numbers: list[tuple[int, ...]] = []
    for found in map(DIGITS.split, by_bytes):
        if found[::2] != text or any(len(found[2 * at + 1]) != width for at, width in widths.items()):
            return None
        numbers.append(tuple(map(int, found[1::2])))
    return numbers


def _may_be_point(before: str) -> bool:
    """Tell whether the text before a number ends as a decimal number's whole part and its point do."""
    whole = before[len(before[:-1].rstrip(digits)) : -1]
    return bool(whole) and is_point(whole, before[-1])
