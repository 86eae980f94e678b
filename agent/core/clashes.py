"""Names that are read alike: which of them comes first is a guess, and they may be one frame twice. Pure."""

from __future__ import annotations

import unicodedata
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from agent.core.name_keys import DIGITS, stem
from agent.model.paths import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from agent.core.mixed_names import Read

_LISTED_CLASHES = 3


def clashes(ordered: Sequence[str]) -> tuple[str, ...]:
    """Return sentences about frames that differ in no more than leading zeros or the extension."""
    if len(set(map(_clash_key, _pieces(ordered)))) == len(ordered):  # a list for each of them would take 20 MiB
        return ()
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, split in zip(ordered, _pieces(ordered), strict=True):
        groups.setdefault(_clash_key(split), []).append(name)
    found = [group for group in groups.values() if len(group) > 1]
    sentences = [_clash(group) for group in found[:_LISTED_CLASHES]]
    rest = len(found) - _LISTED_CLASHES
    if rest > 0:
        sentences.append(f"{rest} more numbers or names are used twice in this folder")
    return tuple(sentences)


def tied(ordered: Sequence[Read]) -> list[str]:
    """Return those of the names, in order, that are read as the one before or behind them is."""
    return [read.name for alike in _alike(ordered) for read in alike]


def twins(ordered: Sequence[Read]) -> str | None:
    """Return a sentence about frames, in order, whose names differ in their case or Unicode form alone, or None."""
    pairs = [(before.name, after.name) for alike in _alike(ordered) for before, after in pairwise(alike)]
    pairs = [pair for pair in pairs if len({*map(_clash_key, _pieces(pair))}) == len(pair)]
    if not pairs:
        return None
    first, second = pairs[0]
    forms = [unicodedata.normalize("NFC", name) for name in pairs[0]]
    what = (
        "are one name in two Unicode forms" if forms[0] == forms[1] else "differ in no more than how they are written"
    )
    more = f", and {len(pairs) - 1} more pairs" if len(pairs) > 1 else ""
    return f"{shown(first)} and {shown(second)} {what}{more}"


def _alike(ordered: Sequence[Read]) -> Iterator[list[Read]]:
    """Yield the names of which several are read alike."""
    for _, found in groupby(ordered, key=lambda read: (read.texts, read.numbers)):
        alike = [*found]
        if len(alike) > 1:
            yield alike


def _pieces(names: Iterable[str]) -> Iterator[list[str]]:
    """Yield each stem as text, digits, text, digits … text: a list of them all would take 24 MiB for 100,000."""
    return (DIGITS.split(stem(name)) for name in names)


def _clash_key(split: list[str]) -> tuple[str, ...]:
    return (*split[::2], *(number.lstrip("0") for number in split[1::2]))


def _clash(names: list[str]) -> str:
    first, second = shown(names[0]), shown(names[1])
    same = "name but for the extension" if stem(names[0]) == stem(names[1]) else "number"
    if len(names) == 2:
        return f"{first} and {second} have the same {same}"
    return f"{first}, {second} and {len(names) - 2} more have the same {same}"
