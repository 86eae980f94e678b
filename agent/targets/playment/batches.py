"""A batch's name to its id at Playment, made or found."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from agent.errors import BatchExists, TryLater

if TYPE_CHECKING:
    from agent.targets.playment.client import Playment

logger = logging.getLogger(__package__)

_DESCRIPTION: Final = "Made by playment-agent"


def made_or_found(client: Playment, name: str) -> str:
    """Return the id of the batch called `name`, which is created, or found where it exists already.

    Raises `TryLater` (code `BATCH_CREATION`) where it exists but is not listed yet, and every error of the client. A
    creation whose answer was lost is found by the next call.
    """
    try:
        batch_id = client.create_batch(name, _DESCRIPTION)
    except BatchExists as error:
        taken = error.code
    else:
        logger.info("created the batch %r", name)
        return batch_id
    for batch in client.details().batches:
        if batch.name == name:
            return batch.id
    raise TryLater(f"the batch '{name}' exists, but the project does not list it yet", code=taken, refused=True)
