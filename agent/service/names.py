"""What each target is, for who does not ask it anything, and what of the settings is a target's to say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agent.settings import targets
from agent.targets import label_studio, playment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.model.shapes import ReadShapes
    from agent.targets import Facts

DEFAULTS: Final = {"PLAYMENT_BASE_URL": playment.BASE_URL}
"""The settings' defaults that are the target's to say, for `settings.load`."""

_FACTS: Final[Mapping[str, Facts]] = {targets.PLAYMENT: playment.FACTS, targets.LABEL_STUDIO: label_studio.FACTS}


def called(target: str) -> str:
    """Return what people call a target that the settings name so; it is the first one that there was for ''."""
    return _FACTS.get(target, playment.FACTS).name


def drawing_of(target: str) -> ReadShapes:
    """Return what reads a target's results, to be drawn over frames; the first target's for ''."""
    return _SHAPES.get(target, _playment_shapes)()


def _playment_shapes() -> ReadShapes:
    from agent.targets.playment.shapes import read  # noqa: PLC0415 - the page alone draws

    return read


def _label_studio_shapes() -> ReadShapes:
    from agent.targets.label_studio.shapes import read  # noqa: PLC0415 - the same

    return read


_SHAPES: Final[Mapping[str, Callable[[], ReadShapes]]] = {
    targets.PLAYMENT: _playment_shapes,
    targets.LABEL_STUDIO: _label_studio_shapes,
}


def facts_of(target: str) -> Facts:
    """Return what is so of a target that the settings name so, whatever is asked of it."""
    return _FACTS[target]
