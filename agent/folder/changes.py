"""What came, went or was written, kept by folder until somebody takes it."""

from __future__ import annotations

import os
import threading

from agent.core.folder_rules import NAME
from agent.model import join

MANY_NAMES = 64
"""More names than this in one folder are not told one by one: listing it is cheaper than looking at each."""
SETTINGS = os.fsencode(NAME)


class Changes:
    """What is worth a look, open for more until it is closed or taken: it grows with the folders, not the files.

    Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._folders: set[str] = set()
        self._files: dict[str, set[str]] = {}
        self._is_closed = False

    def add(self, folder: str, name: bytes, *, is_folder: bool) -> bool:
        """Add what came, went or was written in `folder`, unless this was closed already; return whether it was."""
        with self._lock:
            if self._is_closed:
                return False
            if is_folder:
                self._folders.add(join(folder, os.fsdecode(name)))
                return True
            names = self._files.get(folder)
            if names is None:
                names = self._files[folder] = set()
            if len(names) <= MANY_NAMES or name == SETTINGS:  # a file of settings bears on the folders below as well
                names.add(os.fsdecode(name))
            return True

    def close(self) -> None:
        """Have nothing more added."""
        with self._lock:
            self._is_closed = True

    def take(self) -> tuple[set[str], dict[str, set[str]]]:
        """Return the folders' paths, and by folder the names of all else; more than MANY_NAMES: not all of them."""
        with self._lock:
            self._is_closed = True
            return self._folders, self._files


class EventsLost:
    """Events were lost: everything is worth a look."""
