"""How it stands, on one screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.page.page import Asked


def read(asked: Asked) -> Mapping[str, Any]:
    """Return how it stands."""
    return {"states": asked.reads.status(), "agent": asked.reads.agent()}
