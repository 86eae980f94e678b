"""Files that a person meant, and that are of no kind that is taken: nothing of them is silent. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from agent.core.entries import is_side_file
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
    extension = _extension(name)
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
            return (
                f"a picture that is not taken: .{_extension(name)} is not in IMAGE_EXTENSIONS; export it as one of "
                f"{', '.join(sorted(taken))}, or name it in IGNORE"
            )
        case "video":
            return "a video is no job: export its frames as images into a folder of their own, or name it in IGNORE"
        case "archive":
            return "an archive is not unpacked here: unpack it into the watch folder, or name it in IGNORE"
    return None


def why_held(frames: int, others: Iterable[str], taken: frozenset[str]) -> str:
    """Return what is to be done about a folder in which some pictures are not taken, '' where all are."""
    left = Counter(f".{_extension(name)}" for name in others if what_is(name, taken) == "picture")
    if not left:
        return ""
    count = sum(left.values())
    return (
        f"{count:,} of {frames + count:,} pictures are not taken: {', '.join(sorted(left))}; take them by "
        "IMAGE_EXTENSIONS, export them as images of another kind, or leave them out by IGNORE"
    )


def _extension(name: str) -> str:
    return name.rpartition(".")[2].lower() if "." in name else ""
