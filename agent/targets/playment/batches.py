"""A batch's name to its id at Playment, made or found once."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final, Protocol

from agent.errors import BatchExists, TryLater

if TYPE_CHECKING:
    from agent.targets.playment.client import Playment

logger = logging.getLogger(__package__)

_DESCRIPTION: Final = "Made by playment-agent"


class BatchStore(Protocol):
    """Where the ids are kept over restarts."""

    def get(self, name: str) -> str | None:
        """Return the id kept for `name`, or None."""

    def put(self, name: str, batch_id: str) -> None:
        """Keep the id of `name`."""


class Batches:
    """Resolves batch names for all workers: at most one of them asks Playment at a time, and only once for a name."""

    def __init__(self, playment: Playment, store: BatchStore) -> None:
        self._playment = playment
        self._store = store
        self._lock = threading.Lock()

    def resolve(self, name: str) -> str:
        """Return the id of the batch called `name`, which is created, or found where it exists already.

        Raises `TryLater` (code `BATCH_CREATION`) where it exists but is not listed yet, and every error of the
        client. A creation whose answer was lost is found by the next call.
        """
        known = self._store.get(name)
        if known is not None:
            return known
        with self._lock:
            known = self._store.get(name)
            if known is None:
                known = self._made_or_found(name)
                self._store.put(name, known)
            return known

    def _made_or_found(self, name: str) -> str:
        try:
            batch_id = self._playment.create_batch(name, _DESCRIPTION)
        except BatchExists as error:
            taken = error.code
        else:
            logger.info("created the batch %r", name)
            return batch_id
        for batch in self._playment.details().batches:
            if batch.name == name:
                return batch.id
        raise TryLater(f"the batch '{name}' exists, but the project does not list it yet", code=taken, refused=True)
