"""Whose job it is that the lists hold and the ledger does not: several agents may send into one project."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agent.ledger import past

if TYPE_CHECKING:
    from pathlib import Path

    from agent.core.reference_id import IdReader, Named
    from agent.ledger.store import Ledger


class Whose:
    """Tells the jobs of the folder `root` from others', by their ids, and counts the `others`.

    Of this folder are ids whose content the ledger knows, and those whose path is here while the ledger knows nothing
    of the file: it may have been lost. A template without a path tells nothing.
    """

    def __init__(self, root: Path, ledger: Ledger, reader: IdReader) -> None:
        self._root = root
        self._ledger = ledger
        self._reader = reader
        self.others = 0

    def is_ours(self, reference_id: str) -> bool:
        """Tell whether an id is of this folder; where it is not, count it."""
        ours = any(map(self._is_here, self._reader.read(reference_id)))
        self.others += not ours
        return ours

    def _is_here(self, named: Named) -> bool:
        if named.path is None:
            return True
        known = past.content_at(self._ledger, named.path)
        is_there = ".." not in named.path.split("/") and os.path.lexists(os.path.join(self._root, named.path))
        if named.digest is None:
            return is_there or known
        return past.knows(self._ledger, named.digest) or (is_there and not known)
