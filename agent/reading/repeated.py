"""Reads files no more often than it must be: what is known of a reading that was not enough by itself is kept. I/O."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from agent.core.read_again import Readings
from agent.errors import FileChanged
from agent.model import Stamp, basename, join, parent
from agent.reading.check import changed_while_read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from agent.model import File, Image
    from agent.reading.examiner import FileExaminer

    Examine = Callable[[str, Iterable[File]], Iterator[tuple[File, Image]]]

MOST_CALM = 5000
"""Files of a folder up to which also those readings are kept that were enough, should others not be: half a MiB."""


class RepeatedReading:
    """Has files examined: single ones by `files`, those of a folder by `frames`. Safe to use from several threads."""

    def __init__(self, files: FileExaminer, frames: Examine) -> None:
        self._files = files
        self._frames = frames
        self._readings = Readings()
        self._one_keeps = threading.Lock()

    def image(self, path: str, stamp: Stamp, examined: Image | None = None) -> Image:
        """Return what a file is, from an earlier reading where that can be believed, else as it was `examined`, or is.

        Raises FileChanged where it is not the file with this stamp, or may not be: then it is to be asked for once more
        when it is quiet. Raises FolderUnavailable.
        """
        image = self._readings.known(path, stamp) or examined or self._files.image(path, stamp)
        if image.moved is not None:
            self._keep(parent(path), [((basename(path), *stamp), image)])
            raise FileChanged(changed_while_read(basename(path)))
        return image

    def images(self, folder: str, files: Iterable[File]) -> Iterator[tuple[File, Image]]:
        """Yield each file of a folder with what it is, in order. Raises as `image` does, at the end where it can."""
        moved: list[tuple[File, Image]] = []
        calm: list[tuple[File, Image]] = []
        try:
            for file, image in self._read(folder, files):
                if image.moved is not None:
                    moved.append((file, image))
                elif len(calm) < MOST_CALM:
                    calm.append((file, image))
                yield file, image
        except FileChanged:
            self._keep(folder, calm + moved)
            raise
        if moved:
            self._keep(folder, calm + moved)
            raise FileChanged(changed_while_read(moved[0][0][0]))

    def _read(self, folder: str, files: Iterable[File]) -> Iterator[tuple[File, Image]]:
        if folder not in self._readings:
            yield from self._frames(folder, files)
            return
        wanted = [*files]
        looked_up = ((name, self._readings.known(join(folder, name), Stamp(*stamp))) for name, *stamp in wanted)
        known = {name: image for name, image in looked_up if image is not None}
        read = self._frames(folder, [file for file in wanted if file[0] not in known])
        for file in wanted:
            yield (file, known[file[0]]) if file[0] in known else next(read)

    def _keep(self, folder: str, readings: Iterable[tuple[File, Image]]) -> None:
        with self._one_keeps:
            for (name, *stamp), image in readings:
                self._readings.keep(join(folder, name), Stamp(*stamp), image)
