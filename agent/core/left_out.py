"""Files that a person meant, and that are of no kind that is taken: nothing of them is silent. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from agent.core.entries import is_side_file
from agent.core.foreign_formats import foreign_named
from agent.core.image_format import extension_of, format_named
from agent.core.image_rules import USUAL
from agent.core.names import hidden, temporary

if TYPE_CHECKING:
    from collections.abc import Iterable

# fmt: off
PICTURES = frozenset({
    "arw", "avif", "bmp", "cr2", "cr3", "dib", "dng", "exr", "gif", "heic", "heif", "hif", "ico", "j2k", "jfif", "jp2",
    "jpe", "jpeg", "jpf", "jpg", "jpx", "jxl", "nef", "nrw", "orf", "pbm", "pcx", "pef", "pgm", "pjpeg", "png", "pnm",
    "ppm", "psd", "raf", "rw2", "sr2", "svg", "tga", "tif", "tiff", "webp", "xcf",
})
VIDEOS = frozenset({
    "3gp", "avi", "bag", "db3", "flv", "h264", "h265", "hevc", "m2ts", "m4v", "mcap", "mjpeg", "mjpg", "mkv", "mov",
    "mp4", "mpeg", "mpg", "mts", "ts", "webm", "wmv",
})
ARCHIVES = frozenset({"7z", "bz2", "gz", "lz4", "rar", "tar", "tbz2", "tgz", "txz", "xz", "zip", "zst"})
# fmt: on


def what_is(name: str, taken: frozenset[str]) -> str | None:
    """Return 'picture', 'video' or 'archive' for a file that is of no kind that is taken; None for all others.

    `taken` are the extensions of images, lower case and without the dot.
    """
    extension = extension_of(name)
    if "/" in name:
        return None  # in a hidden folder
    if extension in taken or hidden(name) or temporary(name) is not None or is_side_file(name):
        return None
    kinds = (("picture", PICTURES), ("video", VIDEOS), ("archive", ARCHIVES))
    return next((kind for kind, extensions in kinds if extension in extensions), None)


def why_refused(name: str, taken: frozenset[str]) -> str | None:
    """Return what is to be done about a file that stands by itself and is not taken; None where nothing is."""
    match what_is(name, taken):
        case "picture":
            return _why_not_taken(extension_of(name), taken)
        case "video":
            return "a video is no job: export its frames as images into a folder of their own, or name it in IGNORE"
        case "archive":
            return "an archive is not unpacked here: unpack it into the watch folder, or name it in IGNORE"
    return None


def why_held(frames: int, others: Iterable[str], taken: frozenset[str]) -> str:
    """Return what is to be done about a folder in which some pictures are not taken, '' where all are."""
    left = Counter(extension_of(name) for name in others if what_is(name, taken) == "picture")
    if not left:
        return ""
    count = sum(left.values())
    settings: dict[str, list[str]] = {}
    for extension in sorted(left):
        settings.setdefault(_taken_by(extension), []).append(f".{extension}")
    ways = [f"take {', '.join(settings[name])} by {name}" for name in sorted(settings) if name]
    ways += ["export them as images of another kind", "or leave them out by IGNORE"]
    told = ", ".join(f".{extension}" for extension in sorted(left))
    return f"{count:,} of {frames + count:,} pictures are not taken: {told}; {', '.join(ways)}"


def _why_not_taken(extension: str, taken: frozenset[str]) -> str:
    """Say what is to be done about a picture that stands by itself and has an extension that is not taken."""
    foreign = foreign_named(extension)
    if foreign is not None:
        return f"{foreign.sentence}; or name it in IGNORE"
    setting = _taken_by(extension)
    add = f"add {extension} to {setting}, " if setting else ""
    return (
        f"a picture that is not taken: .{extension} is not in {setting or 'IMAGE_EXTENSIONS'}; {add}export it as one "
        f"of {', '.join(sorted(taken))}, or name it in IGNORE"
    )


def _taken_by(extension: str) -> str:
    """Return the setting by which pictures with an extension can be taken, '' where none does that."""
    form = format_named(extension)
    if form is None:
        return ""
    return "IMAGE_EXTENSIONS" if form in USUAL else "IMAGE_FORMATS"
