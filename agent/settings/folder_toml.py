"""One `.playment.toml`'s text → what it says, or a `ValueError` that says what is allowed. Pure."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

from agent.model import Edition, Kind
from agent.settings import parsers

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
from agent.core.folder_rules import KINDS, SettingsFile, as_written
from agent.core.frame_order import ORDERS

MOST_FRAMES = 10_000_000


def parse(path: str, content: bytes, edition: Edition, unheeded: Collection[str] = ()) -> SettingsFile:
    """Read the content of the file at `path`; what is wrong becomes its `problem`, with the line where there is one.

    The `unheeded` keys mean nothing where the jobs go, whatever stands there.
    """
    try:
        text = content.decode()
        found = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        return SettingsFile(path, problem=f"{path}, line {line}: it is not UTF-8 text")
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return SettingsFile(path, problem=_located(path, str(error)))
    readers = _readers(edition)
    given = {}
    for key, value in found.items():
        try:
            if key not in readers:
                raise ValueError(f"there is no such key; there are {', '.join(readers)}")  # noqa: TRY301
            if key not in unheeded:
                given[key] = readers[key](value)
        except ValueError as error:
            return SettingsFile(path, problem=f"{path}, line {_line_of(text, key)}: {key}: {error}")
    return SettingsFile(path, given, unheeded=tuple(key for key in found if key in unheeded))


def _readers(edition: Edition) -> dict[str, Callable[[object], object]]:
    return {
        "ignore": _boolean,
        "tag": _text(parsers.plain if edition is Edition.V0 else parsers.uuid),
        "batch": _text(parsers.plain, empty=True),
        "kind": _kind,
        "expected_frames": _count,
        "ready_marker": _text(parsers.file_name, empty=True),
        "order": _text(parsers.choice(*ORDERS)),
    }


def _text(read: Callable[[str], str], *, empty: bool = False) -> Callable[[object], str]:
    def reader(value: object) -> str:
        if not isinstance(value, str):
            raise ValueError(f"it must be a text in quotes, not {as_written(value)}")  # noqa: TRY004 (one kind of problem)
        return "" if empty and not value else read(value)

    return reader


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"it must be true or false, not {as_written(value)}")  # noqa: TRY004 (one kind of problem)
    return value


def _kind(value: object) -> Kind:
    if not isinstance(value, str) or value not in KINDS:
        raise ValueError(f'it must be "images" or "sequence", not {as_written(value)}')
    return KINDS[value]


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_FRAMES:
        raise ValueError(f"it must be a whole number from 1 to {MOST_FRAMES:,}, not {as_written(value)}")
    return value


def _located(path: str, message: str) -> str:
    """Return TOML's own message with its place in front."""
    at = re.search(r" \(at line (\d+), column \d+\)$", message)
    if at:
        return f"{path}, line {at[1]}: {message[: at.start()]}"
    return f"{path}: {message.replace(' (at end of document)', '')}, at its end"


def _line_of(text: str, key: str) -> int:
    """Return the first line that sets `key` (the parser keeps no places)."""
    sets = re.compile(rf"\s*\[*\s*[\"']?{re.escape(key)}[\"']?\s*[=.\]]")
    return next((number for number, line in enumerate(text.splitlines(), 1) if sets.match(line)), 1)
