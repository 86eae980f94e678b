"""What the lists share: the keys that pages go on from, and addresses of a list with its filter."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    from agent.ledger.walks import Key

LIMIT = 50
"""Rows of a page."""


def address(path: str, **query: str | None) -> str:
    """Return the address of a list, filtered so; what is '' or None is left out."""
    given = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(given)}" if given else path


def text_of(key: Key | None) -> str | None:
    """Return a key as an address says it."""
    return None if key is None else json.dumps(key, separators=(",", ":"))


def key_of(text: str, *shape: type) -> Key | None:
    """Return the key of an address, None where it is none of this shape: the list begins at its begin then."""
    try:
        found = json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, list) or [type(part) for part in found] != [*shape]:
        return None
    return tuple(found) if all(_is_kept(part) for part in found) else None


def _is_kept(part: str | int) -> bool:
    """Tell whether SQLite can hold a value."""
    if isinstance(part, int):
        return -(2**63) <= part < 2**63
    try:
        part.encode()
    except UnicodeEncodeError:
        return False
    return True
