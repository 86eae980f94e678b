"""Brings the `.playment.toml` files of the watch folder: read when asked for, kept while they do not change."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from agent.core.folder_rules import MOST_BYTES, NAME, NOTHING, SettingsFile, inherit, places
from agent.errors import FileChanged
from agent.model import join, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.core.folder_rules import FolderRules
    from agent.folder.scanner import Scanner
    from agent.model import Stamp


MOST_STAMPS = 8
MOST_FILES = 10_000
"""Files that are kept; those of folders that are gone are never asked for again."""


class _Known(NamedTuple):
    """What a file says, and how it has looked when it did so: some mounts show other times to whom has read it."""

    file: SettingsFile
    stamps: tuple[Stamp, ...]


class FolderSettingsFiles:
    """The files as they are on the disk; safe to use from several threads.

    `parse` turns a file's name and its bytes into what it says.
    """

    def __init__(self, scanner: Scanner, parse: Callable[[str, bytes], SettingsFile]) -> None:
        self._scanner = scanner
        self._parse = parse
        self._known: dict[str, _Known] = {}

    def of(self, folder: str) -> FolderRules:
        """Return what holds for the units of a folder now. Raises FolderUnavailable where that cannot be told."""
        files = [file for place in places(folder) if (file := self._file(place)) is not None]
        return inherit(files) if files else NOTHING

    def _file(self, folder: str) -> SettingsFile | None:
        path = join(folder, NAME)
        stamp = self._scanner.stamp(path)
        if stamp is None:
            self._known.pop(path, None)
            return None
        known = self._known.get(path)
        if known is None or stamp not in known.stamps:
            try:
                file = self._read(path, stamp)
            except OSError as error:  # not kept: it may pass, though the file looks as it does
                name = shown(path)
                return SettingsFile(name, problem=f"{name}: it cannot be read ({error.strerror})")
            if file is None:
                return None
            before = known.stamps if known is not None and known.file == file else ()
            if len(self._known) >= MOST_FILES:
                self._known.clear()
            known = self._known[path] = _Known(file, (*before, stamp)[-MOST_STAMPS:])
        return known.file

    def _read(self, path: str, stamp: Stamp) -> SettingsFile | None:
        name = shown(path)
        kind = self._scanner.kind(path)
        if kind is not None:
            return SettingsFile(name, problem=f"{name}: it is {kind}, not a regular file; links are never followed")
        if stamp.size > MOST_BYTES:
            return SettingsFile(name, problem=f"{name}: it is larger than {MOST_BYTES:,} bytes")
        try:
            with self._scanner.open_file(path) as fd:
                content = os.read(fd, MOST_BYTES + 1)
        except FileChanged:
            return None
        return self._parse(name, content)
