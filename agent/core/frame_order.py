"""The files of one folder → the frames of a sequence in order, and what is odd about them. Pure."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from itertools import islice, pairwise
from os import fsencode
from string import digits
from typing import TYPE_CHECKING

from natsort import natsort_keygen

from agent.model import Sequence, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_NATURAL = natsort_keygen()

# ASCII digits only: `int` would also take others, which no camera writes into its numbering.
_DIGITS = re.compile(r"([0-9]+)")

_HASHED_TOGETHER = 1000
_LISTED_CHARACTERS = 200
_LISTED_CLASHES = 3
_LISTED_SIZES = 3


def arrange(names: Iterable[str]) -> Sequence:
    """Return the frames of one folder, given their basenames in any order, with gaps and clashes in words.

    The order is the natural one (frame_2 before frame_10); names that it takes for equal (frame_1 and frame_01, NFC
    and NFD) are ordered by their bytes, so that the same names always give the same sequence.
    """
    by_bytes = sorted(names, key=fsencode)  # two sorts, for pairs of keys take more memory
    numbers = _one_number(by_bytes)
    in_stem: int | None = 1
    if not numbers and (numbers := _numbers(map(_DIGITS.split, by_bytes))):
        in_stem = len(next(_pieces(by_bytes))) // 2
    if numbers and by_bytes[0].isascii():
        # Cameras' names differ in their numbers alone, whose order is the natural one: this takes a fifth of the time.
        ordered = [by_bytes[at] for at in sorted(range(len(by_bytes)), key=numbers.__getitem__)]
    else:  # in text that is not ASCII natsort knows more digits than ours
        ordered = sorted(by_bytes, key=_NATURAL)
        numbers, in_stem = _numbers(_pieces(by_bytes)), None
    numbering = _numbering(islice(zip(*numbers, strict=True), in_stem))
    has_clashes = len(numbering) < len(ordered)  # where each frame has a number of its own there is none to look for
    return Sequence(tuple(ordered), gaps=_gaps(numbering), warnings=_clashes(ordered) if has_clashes else ())


def sizes_warning(counts: Mapping[tuple[int, int], int]) -> str | None:
    """Return a sentence where frames have more than one size, given how many have each (width, height), or None."""
    if len(counts) < 2:
        return None
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    listed = [f"{count} of {width}x{height}" for (width, height), count in ranked[:_LISTED_SIZES]]
    rest = len(ranked) - _LISTED_SIZES
    more = f" and {rest} more sizes" if rest > 0 else ""
    return f"the frames are not all of one size in pixels: {', '.join(listed)}{more}"


def digest(frames: Iterable[tuple[str, str]]) -> str:
    r"""Return a sequence's digest: the sha256, in hex, over its frames' (name, sha256 in hex) in order.

    What is hashed is, for each frame, the name's bytes, a NUL, the frame's digest in lower-case hex, a NUL; a name
    cannot hold a NUL, so no two lists give the same bytes. In a shell: `printf '%s\0%s\0' NAME DIGEST … | sha256sum`.
    This must never change: it is part of the reference ids at Playment, and another one would submit all work twice.
    """
    total = hashlib.sha256()
    texts = (f"{name}\0{frame_digest}\0" for name, frame_digest in frames)
    while text := "".join(islice(texts, _HASHED_TOGETHER)):
        total.update(fsencode(text))
    return total.hexdigest()


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name


def _pieces(names: Iterable[str]) -> Iterator[list[str]]:
    """Yield each stem as text, digits, text, digits … text: a list of them all would take 24 MiB for 100,000."""
    return (_DIGITS.split(_stem(name)) for name in names)


def _numbers(names: Iterable[list[str]]) -> list[tuple[int, ...]]:
    """Return the numbers in each of the names, given in pieces; nothing where the text between them is not the same."""
    numbers: list[tuple[int, ...]] = []
    text: list[str] | None = None
    for pieces in names:
        if text is None:
            text = pieces[::2]
        if pieces[::2] != text:
            return []
        numbers.append(tuple(map(int, pieces[1::2])))
    return numbers


def _one_number(by_bytes: list[str]) -> list[tuple[int, ...]]:
    """Return the number in each of the names, sorted by their bytes, where they differ in no more than one of the stem.

    As most folders' do: by `_numbers` that takes four times as long.
    """
    if not by_bytes:
        return []
    first, last = by_bytes[0], by_bytes[-1]  # what these two begin with all names do, since they are sorted
    alike = next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), len(first))
    start = len(first[:alike].rstrip(digits))
    suffix = first[start:].lstrip(digits)
    end = -len(suffix) or None
    texts = [name[start:end] for name in by_bytes if name.endswith(suffix)]
    in_all = "".join(texts)
    if "." not in suffix or len(texts) < len(by_bytes) or not all(texts) or not (in_all.isascii() and in_all.isdigit()):
        return []
    return [(int(text),) for text in texts]


def _numbering(columns: Iterable[tuple[int, ...]]) -> list[int]:
    """Return the frames' numbers, rising and each once: those in the only place where they differ, if there is one."""
    varying = [numbers for numbers in map(set, columns) if len(numbers) > 1]
    return sorted(varying[0]) if len(varying) == 1 else []


def _gaps(numbers: list[int]) -> str | None:
    """Return a sentence about the numbers that are missing, where at least nine tenths of the steps are equal."""
    steps = Counter(after - before for before, after in pairwise(numbers))
    if not steps:
        return None
    step, count = steps.most_common(1)[0]
    # Times and other irregular numbers have no gaps to tell of.
    if count * 10 < steps.total() * 9:
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


def _missing(listed: list[str], more: int, numbering: str) -> str | None:
    if not listed:
        return f"{more} frames are missing {numbering}" if more else None
    if more:
        return f"frames {', '.join(listed)} … and {more} more are missing {numbering}"
    if len(listed) == 1:
        text = f"frame {listed[0]} is" if listed[0].isdecimal() else f"frames {listed[0]} are"
        return f"{text} missing {numbering}"
    return f"frames {', '.join(listed[:-1])} and {listed[-1]} are missing {numbering}"


def _clashes(ordered: list[str]) -> tuple[str, ...]:
    """Return sentences about frames that differ in no more than leading zeros or the extension."""
    if len(set(map(_clash_key, _pieces(ordered)))) == len(ordered):  # a list for each of them would take 20 MiB
        return ()
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, stem in zip(ordered, _pieces(ordered), strict=True):
        groups.setdefault(_clash_key(stem), []).append(name)
    clashes = [group for group in groups.values() if len(group) > 1]
    sentences = [_clash(group) for group in clashes[:_LISTED_CLASHES]]
    rest = len(clashes) - _LISTED_CLASHES
    if rest > 0:
        sentences.append(f"{rest} more numbers or names are used twice in this folder")
    return tuple(sentences)


def _clash_key(stem: list[str]) -> tuple[str, ...]:
    return (*stem[::2], *(digits.lstrip("0") for digits in stem[1::2]))


def _clash(names: list[str]) -> str:
    first, second = shown(names[0]), shown(names[1])
    same = "name but for the extension" if _stem(names[0]) == _stem(names[1]) else "number"
    if len(names) == 2:
        return f"{first} and {second} have the same {same}"
    return f"{first}, {second} and {len(names) - 2} more have the same {same}"
