"""A file of annotations, read so that it takes little memory; and the colour of a class. Pure."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final, NoReturn

MOST_BYTES: Final = 16 * 2**20
"""The largest result that is drawn, as of 2,000 frames with 40 things on each: read, it takes nine times as much."""
_HUES: Final = 36
_POINT: Final = ("x", "y")


def parsed(content: bytes) -> object:
    """Return a JSON document; an object of `x` and `y` alone becomes a pair, which takes a third of the memory.

    Raises ValueError with the end of a sentence for what is none.
    """
    try:
        return json.loads(content, object_pairs_hook=_pair_or_object, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("is nested too deeply to be read") from None
    except ValueError as error:
        raise ValueError(f"is no JSON that can be read ({error})") from None


def colour(label: str) -> str:
    """Return the colour of a class, the same in every job: bright enough to be seen on a picture."""
    drawn = hashlib.sha256(label.casefold().encode(errors="replace")).digest()
    return f"hsl({drawn[0] % _HUES * (360 // _HUES)} 95% {55 + drawn[1] % 3 * 8}%)"


def _pair_or_object(pairs: list[tuple[str, Any]]) -> object:
    if len(pairs) == 2 and (pairs[0][0], pairs[1][0]) == _POINT and not isinstance(pairs[0][1], dict | list):
        return pairs[0][1], pairs[1][1]
    return dict(pairs)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
