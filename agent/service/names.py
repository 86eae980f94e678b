"""What each target is called by people, and what of the settings is a target's to say."""

from __future__ import annotations

from typing import Final

from agent.settings import targets
from agent.targets import label_studio, playment

DEFAULTS: Final = {"PLAYMENT_BASE_URL": playment.BASE_URL}
"""The settings' defaults that are the target's to say, for `settings.load`."""

_NAMES: Final = {targets.PLAYMENT: playment.NAME, targets.LABEL_STUDIO: label_studio.NAME}


def called(target: str) -> str:
    """Return what people call a target that the settings name so; it is the first one that there was for ''."""
    return _NAMES.get(target, playment.NAME)
