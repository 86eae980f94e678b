"""What proves a picture whole, one format a module, imported where the first file of that format comes."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from agent.core.image_format import EXTENSIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.reading.formats.source import Finding, Source


@cache
def check_of(form: str) -> Callable[[Source], Finding]:
    """Return what checks files of a format, one of `image_format.EXTENSIONS`.

    All of them are a third of what a worker process imports, and most folders have files of one format.
    """
    name = form.lower()
    check: Callable[[Source], Finding] = getattr(import_module(f"{__name__}.{name}"), f"check_{name}")
    return check


def import_all() -> None:
    """Import the checks of all formats: for who runs long enough that later they might be another version's."""
    for form in EXTENSIONS:
        check_of(form)
