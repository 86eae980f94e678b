"""Are the names of a folder of one pattern, and of one camera? Else their order between each other is a guess. Pure."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

from agent.core.name_keys import TIME_DIGITS
from agent.model.paths import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.core.mixed_names import Read

_CAMERA = re.compile(r"(?:^|[^a-z])(?:cam|camera|kamera|view|lens|eye|sensor|channel|ch|port|stream)[-_ ]?$")
_INSTANT = 10 ** (TIME_DIGITS + 3 - 1)
"""A number as long as milliseconds since 1970 at least: two frames of one camera have not the same."""

_SAID = 3
_MOST_PARTS = 3


def several_patterns(ordered: Sequence[Read]) -> str | None:
    """Return a sentence where names, in order, are of several patterns and no number says in which order; else None."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for read in ordered:
        groups.setdefault(read.texts, []).append(read.name)
    if len(groups) < 2 or first_numbers_decide(ordered) or _is_one_after_the_other(ordered, len(groups)):
        return None
    ranked = sorted(groups.values(), key=len, reverse=True)
    said = [f"{shown(names[0])}{f' and {len(names) - 1} more' if len(names) > 1 else ''}" for names in ranked[:_SAID]]
    rest = f"; and {len(ranked) - _SAID} others" if len(ranked) > _SAID else ""
    return f"their names are of {len(ranked)} patterns, as where there are several cameras: {'; '.join(said)}{rest}"


def first_numbers_decide(ordered: Sequence[Read]) -> bool:
    """Tell whether all names begin alike but for numbers that no two share: what follows is of no account."""
    for at in range(min(len(read.numbers) for read in ordered)):
        if len({read.texts[at] for read in ordered}) > 1:
            return False
        if len({read.numbers[: at + 1] for read in ordered}) == len(ordered):
            # A letter right behind could be one more digit of an id.
            return not any(read.texts[at + 1][:1].isalpha() for read in ordered)
    return False


def _is_one_after_the_other(ordered: Sequence[Read], patterns: int) -> bool:
    """Tell whether the numbering goes on from one pattern to the next (`day_001` to `day_100`, `night_101` …)."""
    counts = {len(read.numbers) for read in ordered}
    if patterns > _MOST_PARTS or len(counts) > 1 or counts == {0}:
        return False
    return all(before.numbers[-1] < after.numbers[-1] for before, after in pairwise(ordered))


def several_cameras(texts: Sequence[str], numbers: Sequence[tuple[int, ...]]) -> str | None:
    """Return a sentence where names of one pattern, of these texts and numbers, are of several cameras; else None."""
    columns = [*zip(*numbers, strict=True)]
    varying = [at for at, column in enumerate(columns) if len({*column}) > 1]
    if len(varying) < 2:
        return None
    for at in varying:
        others = {row[:at] + row[at + 1 :] for row in numbers}
        if _CAMERA.search(texts[at]) and (len({*columns[at]}) < len(numbers) or len(others) < len(numbers)):
            low, high = min(columns[at]), max(columns[at])
            return f"their names are of several cameras ({texts[at]}{low} to {texts[at]}{high})"
    instant, count = Counter(columns[varying[-1]]).most_common(1)[0]
    if count > 1 and instant >= _INSTANT:
        return f"their names are of several cameras: {count} of them hold the same time ({instant})"
    return None
