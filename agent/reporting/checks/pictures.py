"""Tells which pictures are sent, and where the settings about them, or the files that are there, do not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.foreign_formats import foreign_named
from agent.core.image_format import EXTENSIONS, format_named
from agent.core.image_rules import listed
from agent.errors import SettingsError
from agent.reading import full
from agent.reporting.checks import fail, ok, warn
from agent.settings.parts import filters_of, image_rules_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agent.reporting.checks import Check
    from agent.settings.settings import Settings

PICTURES = "pictures"


def check_pictures(settings: Settings, names: Mapping[str, int]) -> Iterator[Check]:
    """Say which formats are sent, under which names; `names` counts the images that are there by their extensions."""
    rules, taken = image_rules_of(settings), filters_of(settings).extensions
    told = f"{listed(rules.named)} are sent (IMAGE_FORMATS), of {rules.most_pixels:,} pixels at most (IMAGE_MAX_PIXELS)"
    nameless = [form for form in rules.named if taken.isdisjoint(EXTENSIONS[form])]
    if nameless:
        told += f"; IMAGE_EXTENSIONS has no file name of {listed(nameless)}"
    held = {form: taken.intersection(EXTENSIONS[form]) for form in EXTENSIONS if form not in rules.formats}
    held = {form: extensions for form, extensions in held.items() if extensions}
    if held:
        told += f"; {listed([*held])} ({_dotted(*held.values())}) {'is' if len(held) == 1 else 'are'} held"
    if rules.decodes:
        told += "; each is decoded (IMAGE_CHECK)"
    try:
        full.require(rules)
        yield ok(PICTURES, told)
    except SettingsError as error:
        yield fail(PICTURES, " ".join(error.problems))
    for form, extensions in held.items():
        count = sum(names.get(extension, 0) for extension in extensions)
        if count:
            held_since = f"{form} is held: {rules.why_unsent([form], 'them')}"
            yield warn(PICTURES, f"{count:,} files are named {_dotted(extensions)}; {held_since}")
    for extension in sorted(extension for extension in taken if format_named(extension) is None):
        foreign = foreign_named(extension)
        why = f"{foreign.name}, which is not taken: {foreign.advice}" if foreign else "no format that is known here"
        yield warn(
            PICTURES,
            f"IMAGE_EXTENSIONS has {extension}, the name of {why}. A file of that name is sent only where it is "
            f"{listed(rules.named, 'or')} all the same",
        )


def _dotted(*extensions: frozenset[str]) -> str:
    return ", ".join(f".{extension}" for extension in sorted(frozenset().union(*extensions)))
