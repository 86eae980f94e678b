"""What a project's labelling configuration asks of a task: under which key it wants the image, or the frames. Pure.

The configuration is XML that people write. It is read by its parts, bounded in size, depth and number, and one with a
document type, by which entities come in, is not read at all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, NamedTuple
from xml.parsers import expat

REFERENCE_ID: Final = "reference_id"
FRAME_IDS: Final = "frame_ids"
_OURS: Final = frozenset({REFERENCE_ID, FRAME_IDS})
_MOST_CHARACTERS: Final = 2**20
_MOST_ELEMENTS: Final = 10_000
_DEEPEST: Final = 100
_KEY: Final = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")

IMAGE_CONFIG: Final = """<View>
  <Image name="image" value="$image" zoom="true" zoomControl="true" defaultZoom="auto"/>
  <RectangleLabels name="label" toName="image">
    <Label value="Object"/>
  </RectangleLabels>
</View>
"""
SEQUENCE_CONFIG: Final = IMAGE_CONFIG.replace('value="$image"', 'valueList="$frames"')
"""Boxes on images, and on the pages of a list of images; a person adds the labels that are wanted.

By default ('fit') Label Studio 1.23.2 opens a picture that is smaller than its page enlarged, with its edges cut off.
"""


@dataclass(frozen=True, slots=True)
class Keys:
    """Where a task's picture stands in its `data`; `is_list` tells that a list of pictures is shown, as pages.

    So many `people` are to annotate each task, which the project says beside its configuration.
    """

    key: str
    is_list: bool
    people: int = 1


class UnfitError(Exception):
    """A configuration that asks for something else than a picture; the text ends a sentence that begins with it."""


class _Asked(NamedTuple):
    tag: str
    text: str
    is_list: bool


def keys_of(config: str) -> Keys:
    """Return where a project's configuration wants the picture. Raises UnfitError."""
    asked = _asked(config)
    pictures = [each for each in asked if each.tag == "Image"]
    if len(pictures) != 1:
        raise UnfitError(f"has {len(pictures) or 'no'} <Image> with a value or a valueList, where there must be one")
    picture = pictures[0]
    found = _KEY.fullmatch(picture.text)
    if found is None or found[1] in _OURS:
        raise UnfitError(f"takes its picture from '{picture.text}', which is no key that can be given")
    given = _OURS if picture.is_list else _OURS - {FRAME_IDS}
    told = " and ".join(f"${key}" for key in sorted(given))
    for each in asked:
        other = _KEY.fullmatch(each.text)
        if each is not picture and (other is None or other[1] not in given):
            raise UnfitError(f"asks for '{each.text}' in a <{each.tag}>, and beside the picture there is {told} alone")
    return Keys(found[1], picture.is_list)


def _asked(config: str) -> list[_Asked]:
    """Return every value of the configuration that is taken from a task."""
    if len(config) > _MOST_CHARACTERS:
        raise UnfitError("is too long to be read")
    asked: list[_Asked] = []
    elements = depth = 0

    def begins(tag: str, attributes: dict[str, str]) -> None:
        nonlocal elements, depth
        elements, depth = elements + 1, depth + 1
        if elements > _MOST_ELEMENTS or depth > _DEEPEST:
            raise UnfitError("has too many elements to be read")
        for name in ("value", "valueList"):
            text = attributes.get(name, "").strip()
            if "$" in text[:1] or (name == "valueList" and text):
                asked.append(_Asked(tag, text, name == "valueList"))

    def ends(_tag: str) -> None:
        nonlocal depth
        depth -= 1

    def has_type(*_: object) -> None:
        raise UnfitError("has a document type, and is not read for that")

    parser = expat.ParserCreate()
    parser.StartElementHandler = begins
    parser.EndElementHandler = ends
    parser.StartDoctypeDeclHandler = has_type
    try:
        parser.Parse(config.encode(errors="replace"), True)  # noqa: FBT003 (it takes no keywords)
    except expat.ExpatError as error:
        raise UnfitError(f"is no XML that can be read ({error})") from None
    return asked
