"""What each target is, for who does not ask it anything, and what of the settings is a target's to say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agent.settings import targets
from agent.targets import label_studio, playment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.targets import Facts

DEFAULTS: Final = {"PLAYMENT_BASE_URL": playment.BASE_URL}
"""The settings' defaults that are the target's to say, for `settings.load`."""

_FACTS: Final[Mapping[str, Facts]] = {targets.PLAYMENT: playment.FACTS, targets.LABEL_STUDIO: label_studio.FACTS}


def called(target: str) -> str:
    """Return what people call a target that the settings name so; it is the first one that there was for ''."""
    return _FACTS.get(target, playment.FACTS).name


def facts_of(target: str) -> Facts:
    """Return what is so of a target that the settings name so, whatever is asked of it."""
    return _FACTS[target]
