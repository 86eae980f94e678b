"""What an entry of a folder of frames says of the others: is a picture on its way, or is it none of a picture's? Pure.

Copy tools write under a hundred names before the last one (`f.jpg.cFd49F4D`, `f.jpg1379197560`, `.in.f.jpg`,
`.pureftpd-upload.…`). No list of them is whole, so the rules ask two things of an entry that is no frame: does its name
hold an image's name that is not there, and does it begin as an image does?
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from agent.core.foreign_formats import foreign_named
from agent.core.image_format import EXTENSIONS, extension_of, format_of
from agent.core.names import temporary
from agent.model import basename

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from agent.model import Entry

CONTROLS = (".aria2", ".aria2__temp")
"""Endings of files that say of the file whose name stands before them that it is not whole (aria2's manual)."""

SIDE_FILES = frozenset({".DS_Store", "Thumbs.db", "desktop.ini", ".directory", "Icon\r"})
"""What file managers leave in folders that they show, whenever they show them."""
APPLE_DOUBLE = "._"
"""How macOS begins the name of what it cannot keep in a file on a foreign file system."""

NO_PICTURES = frozenset(
    [
        "txt",
        "json",
        "jsonl",
        "csv",
        "tsv",
        "xml",
        "yaml",
        "yml",
        "toml",
        "ini",
        "md",
        "html",
        "log",
        "xmp",
        "md5",
        "sha1",
        "sha256",
        "npy",
        "npz",
        "pcd",
        "ply",
        "las",
        "laz",
        "parquet",
        "db",
        "sqlite",
        "pb",
        "pkl",
        "zip",
        "tar",
        "gz",
        "mp4",
        "mov",
        "avi",
        "mkv",
        "bag",
        "mcap",
        "wav",
    ]
)
"""Extensions whose files are not looked into: tools do not end a picture's temporary name so."""

_PARTS = re.compile(r"[._\-~#]+")


class Role(StrEnum):
    """What an entry is to the frames beside it."""

    NOTHING = "nothing"
    DATA = "data"
    ON_ITS_WAY = "a picture on its way"


def is_side_file(name: str) -> bool:
    """Tell whether a file is one that people's machines touch, and nobody means."""
    return name in SIDE_FILES or name.startswith(APPLE_DOUBLE)


def role_of(
    entry: Entry, frames: Container[str], extensions: frozenset[str], head: bytes | None, *, is_open: bool = False
) -> Role:
    """Say what an entry is that is no frame, no marker and no side file.

    `frames` are the names of the frames that are there, `extensions` those of images, lower case and without the dot;
    `head` the first bytes of the file, None where they are not known (`needs_head`); `is_open`: it is being written.
    """
    name = entry.name
    if name.endswith(CONTROLS):
        return Role.ON_ITS_WAY
    name = basename(name)  # of one in a hidden folder
    finals = final_names(name, extensions)
    is_there = name in frames or any(final in frames for final in finals)
    if is_there and not is_open:
        return Role.DATA  # `f.jpg.json` beside `f.jpg`, or what an earlier try of a tool has left
    if name != entry.name and name.lower().endswith(tuple(f".{each}" for each in extensions)) and not is_open:
        return Role.DATA  # a picture that somebody has put aside
    if head is not None and any(head):
        is_picture = _begins_as_a_frame(name, head, extensions) or (temporary(name) is not None and not is_there)
        return Role.ON_ITS_WAY if is_picture else Role.DATA
    if finals or temporary(name):
        return Role.ON_ITS_WAY
    return Role.DATA if entry.stamp.size or is_open else Role.NOTHING


def _begins_as_a_frame(name: str, head: bytes, extensions: frozenset[str]) -> bool:
    """Tell whether a file begins as those do that are taken; a raw one (DNG) begins as a TIFF, and will be no frame."""
    form = format_of(head)
    return form is not None and not extensions.isdisjoint(EXTENSIONS[form]) and not foreign_named(extension_of(name))


def needs_head(entry: Entry) -> bool:
    """Tell whether the first bytes of a file bear on what it is."""
    return entry.stamp.size > 0 and extension_of(entry.name) not in NO_PICTURES and not entry.name.endswith(CONTROLS)


@lru_cache(maxsize=4096)
def final_names(name: str, extensions: frozenset[str]) -> tuple[str, ...]:
    """Return the images' names that a name holds, with something before or behind them: `f.jpg` in `.in.f.jpg.x1`."""
    return tuple(_final_names(name, extensions))


def _final_names(name: str, extensions: frozenset[str]) -> Iterator[str]:
    lowered = name.lower()
    starts = [0, *(match.end() for match in _PARTS.finditer(name))]
    for extension in extensions:
        at = lowered.find(f".{extension}")
        while at >= 0:
            end = at + 1 + len(extension)
            yield from (name[start:end] for start in starts if start < at and (start or end < len(name)))
            at = lowered.find(f".{extension}", at + 1)
