"""Which numbers are missing from a folder's numbering, in words. Pure."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from agent.core.name_keys import TIME_DIGITS

_LISTED_CHARACTERS = 200
_FEW = 10
"""Steps up to which half of them are enough: in longer ones that is two of every three frames (0, 1, 3, 4, 6)."""


def gaps(numbers: list[int]) -> str | None:
    """Return a sentence about what is missing from numbers, given rising and each once, or None.

    There must be a numbering: one step that nine tenths of the frames keep, or that most keep while all others are
    multiples of it and more than half of the numbers are there. Times and what was picked here and there have none.
    """
    steps = Counter(after - before for before, after in pairwise(numbers))
    if not steps:
        return None
    step = min(steps, key=lambda size: (-steps[size], size))
    if not (steps[step] * 10 >= steps.total() * 9 or _is_numbering(numbers, steps, step)):
        return None
    listed: list[str] = []
    more = 0
    for before, after in pairwise(numbers):
        # Not len(range(...)): a numbering may jump further than a machine integer.
        missing = (after - before - 1) // step
        if not missing:
            continue
        first, last = before + step, before + missing * step
        text = str(first) if missing == 1 else f"{first} to {last}"
        if more or len(", ".join((*listed, text))) > _LISTED_CHARACTERS:
            more += missing
        else:
            listed.append(text)
    return _missing(listed, more, f"({numbers[0]} to {numbers[-1]}, step {step})")


def _is_numbering(numbers: list[int], steps: Counter[int], step: int) -> bool:
    if len(str(numbers[-1])) >= TIME_DIGITS or any(size % step for size in steps):
        return False
    places = (numbers[-1] - numbers[0]) // step + 1
    share = 2 * steps[step] >= steps.total() if steps.total() < _FEW else 5 * steps[step] > 3 * steps.total()
    return share and 2 * len(numbers) > places


def _missing(listed: list[str], more: int, numbering: str) -> str | None:
    if not listed:
        return f"{more} frames are missing {numbering}" if more else None
    if more:
        return f"frames {', '.join(listed)} … and {more} more are missing {numbering}"
    if len(listed) == 1:
        text = f"frames {listed[0]} are" if " to " in listed[0] else f"frame {listed[0]} is"
        return f"{text} missing {numbering}"
    return f"frames {', '.join(listed[:-1])} and {listed[-1]} are missing {numbering}"
