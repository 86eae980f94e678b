"""The real agent, for whose Label Studio a request is over after so long: `python impatient.py POST_SECONDS run`.

What it has taken of a fleet is free again after four times that, where it dies.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from agent.__main__ import main
from agent.fleet import client
from agent.service import assembly
from agent.targets.label_studio.client import LabelStudio

if TYPE_CHECKING:
    from agent.settings.settings import Settings


def client_of(settings: Settings, post_seconds: float) -> LabelStudio:
    """Return the client of the settings, with another limit."""
    return LabelStudio(settings.label_studio_url, settings.label_studio_token.reveal(), post_seconds=post_seconds)


if __name__ == "__main__":
    limit = float(sys.argv.pop(1))
    client.LEASE_SECONDS = 4 * limit
    setattr(assembly, "label_studio_of", lambda settings: client_of(settings, limit))  # noqa: B010 (a type checker refuses another function)
    main()
