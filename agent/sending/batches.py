"""A batch's name to its id, asked of the target once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from agent.targets import Target


class BatchStore(Protocol):
    """Where the ids are kept over restarts."""

    def get(self, name: str) -> str | None:
        """Return the id kept for `name`, or None."""

    def put(self, name: str, batch_id: str) -> None:
        """Keep the id of `name`."""


class Batches:
    """Resolves batch names for all workers: at most one of them asks the target at a time, and only once for a name."""

    def __init__(self, target: Target, store: BatchStore) -> None:
        self._target = target
        self._store = store
        self._lock = threading.Lock()

    def resolve(self, name: str) -> str:
        """Return the id of the batch called `name`. Raises what `Target.group` does, which is then asked again."""
        known = self._store.get(name)
        if known is not None:
            return known
        with self._lock:
            known = self._store.get(name)
            if known is None:
                known = self._target.group(name)
                self._store.put(name, known)
            return known
