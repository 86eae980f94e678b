"""Reads the files of a settled unit: from names and stamps to a `Unit` with digests, order, and what is wrong."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from agent.core import frame_order
from agent.model import Frame, Kind, Stamp, Unit, basename, join, shown
from agent.reading.repeated import RepeatedReading

if TYPE_CHECKING:
    from agent.model import File
    from agent.reading.examiner import FileExaminer
    from agent.reading.repeated import Examine

PROBLEMS_TOLD = 3


class Reader:
    """Reads units: a single image by `files`, the frames of a folder by `frames` (or as well by `files`).

    `gaps` is SEQUENCE_GAPS (`warn`, `hold`, `ignore`).
    """

    def __init__(self, files: FileExaminer, gaps: str, frames: Examine | None = None) -> None:
        self._files = RepeatedReading(files, frames or files.images)
        self._gaps = gaps

    def image(self, path: str, stamp: Stamp) -> Unit:
        """Read a single image. Raises FileChanged where it is not the file with this stamp, FolderUnavailable."""
        image = self._files.image(path, stamp)
        frame = Frame(0, basename(path), path, stamp, image.digest)
        return Unit(path, Kind.IMAGE, (frame,), image.digest or None, image.problem, image.warning)

    def sequence(self, folder: str, files: list[File]) -> Unit:
        """Read the frames of a folder, in order, and empty the list of them. Raises as `image` does."""
        named: dict[str, File] = {}
        while files:
            file = files.pop()
            named[file[0]] = file
        arranged = frame_order.arrange(named)
        frames: list[Frame] = []
        problems: list[str] = []
        warnings = list(arranged.warnings)
        sizes: Counter[tuple[int, int]] = Counter()
        # Each is let go of as soon as its frame is made: 100,000 of them take 10 MiB.
        ordered = (named.pop(name) for name in arranged.names)
        for position, (file, image) in enumerate(self._files.images(folder, ordered)):
            name = file[0]
            frames.append(Frame(position, name, join(folder, name), Stamp(*file[1:]), image.digest))
            if image.pixels:
                sizes[image.pixels] += 1
            if image.problem:
                problems.append(f"{shown(name)}: {image.problem}")
            if image.warning:
                warnings.append(f"{shown(name)}: {image.warning}")
        assert len(frames) == len(arranged.names)  # never half a folder
        warnings += [text for text in (frame_order.sizes_warning(sizes),) if text]
        if arranged.gaps and self._gaps == "warn":
            warnings.insert(0, arranged.gaps)
        hold = ("gaps", f"{arranged.gaps}: 'retry' sends it as it is") if arranged.gaps else None
        readable = all(frame.digest for frame in frames)
        return Unit(
            folder,
            Kind.SEQUENCE,
            tuple(frames),
            frame_order.digest((frame.frame_id, frame.digest) for frame in frames) if readable else None,
            _told(problems, "frames cannot be sent"),
            _told(warnings, "warnings"),
            hold if self._gaps == "hold" else None,
        )


def _told(sentences: list[str], what: str) -> str | None:
    """Return one sentence of several, naming the first few."""
    if len(sentences) <= PROBLEMS_TOLD:
        return "; ".join(sentences) or None
    return f"{'; '.join(sentences[:PROBLEMS_TOLD])}; and {len(sentences) - PROBLEMS_TOLD} more {what}"
