"""Reads the files of a settled unit: from names and stamps to a `Unit` with digests, order, and what is wrong."""

from __future__ import annotations

import errno
from collections import Counter
from typing import TYPE_CHECKING

from agent import sequence
from agent.errors import FileChanged, FolderUnavailable
from agent.imagecheck import examine
from agent.model import Entry, Frame, Image, Kind, Stamp, Unit, basename, is_utf8, join, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from agent.scanner import Scanner

PROBLEMS_TOLD = 3
PASSING = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE, errno.EAGAIN, errno.ETIMEDOUT, errno.ENOTCONN)
"""What says nothing about the file itself: no descriptor or memory left here, or a server that is away (FUSE, NFS)."""


class Reader:
    """Reads units. Safe to use from several threads.

    `gaps` is SEQUENCE_GAPS (`warn`, `hold`, `ignore`); `on_file` is called before each file that is read.
    """

    def __init__(self, scanner: Scanner, gaps: str, on_file: Callable[[], None] = lambda: None) -> None:
        self._scanner = scanner
        self._gaps = gaps
        self._on_file = on_file

    def image(self, path: str, stamp: Stamp) -> Unit:
        """Read a single image. Raises FileChanged where it is not the file with this stamp, FolderUnavailable."""
        looked = self._look(path, stamp)
        frame = Frame(0, basename(path), path, stamp, looked.digest)
        return Unit(path, Kind.IMAGE, (frame,), looked.digest or None, looked.problem, looked.warning)

    def sequence(self, folder: str, entries: Iterable[Entry]) -> Unit:
        """Read the frames of a folder, in order. Raises as `image` does."""
        stamps = dict(entries)
        arranged = sequence.arrange(stamps)
        frames: list[Frame] = []
        problems: list[str] = []
        warnings = list(arranged.warnings)
        sizes: Counter[tuple[int, int]] = Counter()
        for position, (name, looked) in enumerate(self._look_at_all(folder, arranged.names, stamps)):
            frames.append(Frame(position, name, join(folder, name), stamps[name], looked.digest))
            if looked.pixels:
                sizes[looked.pixels] += 1
            if looked.problem:
                problems.append(f"{shown(name)}: {looked.problem}")
            if looked.warning:
                warnings.append(f"{shown(name)}: {looked.warning}")
        warnings += [text for text in (sequence.sizes_warning(sizes),) if text]
        if arranged.gaps and self._gaps == "warn":
            warnings.insert(0, arranged.gaps)
        hold = ("gaps", f"{arranged.gaps}: 'retry' sends it as it is") if arranged.gaps else None
        readable = all(frame.digest for frame in frames)
        return Unit(
            folder,
            Kind.SEQUENCE,
            tuple(frames),
            sequence.digest((frame.frame_id, frame.digest) for frame in frames) if readable else None,
            _told(problems, "frames cannot be sent"),
            _told(warnings, "warnings"),
            hold if self._gaps == "hold" else None,
        )

    def _look_at_all(
        self, folder: str, names: Iterable[str], stamps: Mapping[str, Stamp]
    ) -> Iterator[tuple[str, Image]]:
        """Look at files of one folder, which is opened once for all of them."""
        with self._scanner.opened(folder) as fd:
            if fd is None:
                raise FileChanged(f"{shown(folder)} is not there any more")
            for name in names:
                yield name, self._look(join(folder, name), stamps[name], fd)

    def _look(self, path: str, stamp: Stamp, folder: int | None = None) -> Image:
        self._on_file()
        if not is_utf8(path):
            return Image("", problem=f"its name is not UTF-8 ({shown(path)}): rename it")
        try:
            with self._scanner.open_file(path, folder) as fd:
                return examine(fd, basename(path), stamp)
        except FileChanged:
            kind = self._scanner.kind(path)
            if kind is None:
                raise
            return Image("", problem=f"it is {kind}, not a regular file; links are never followed")
        except PermissionError as error:
            return Image("", problem=f"it may not be read ({error.strerror}): give the agent's user the right to")
        except OSError as error:
            if error.errno in PASSING:
                raise FolderUnavailable(f"{shown(path)} cannot be read now: {error.strerror}") from error
            return Image("", problem=f"it cannot be read: {error.strerror}")


def _told(sentences: list[str], what: str) -> str | None:
    """Return one sentence of several, naming the first few."""
    if len(sentences) <= PROBLEMS_TOLD:
        return "; ".join(sentences) or None
    return f"{'; '.join(sentences[:PROBLEMS_TOLD])}; and {len(sentences) - PROBLEMS_TOLD} more {what}"
