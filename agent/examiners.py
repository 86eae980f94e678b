"""Has the frames of long sequences examined by processes of their own. I/O."""

from __future__ import annotations

import logging
import os
import sys
from collections import deque
from itertools import chain
from typing import TYPE_CHECKING

from agent.aide import NOT_DECODED
from agent.aides import ENDED, Aide, Onlooker
from agent.files import Files
from agent.model import Image, Stamp, join

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from agent.model import File
    from agent.scanner import Scanner

log = logging.getLogger(__name__)

MOST = 2
"""Processes: with more the agent itself, which orders and writes what they find, would be what is waited for."""
AHEAD = 2
"""Requests that each has at a time: it need not wait for our thread to get the interpreter's lock."""
CHUNK_FILES = 128
CHUNK_BYTES = 16 * 1024 * 1024
"""What is asked for at once, at most: a stop need not wait for more."""


def fitting() -> int:
    """Return how many processes there should be on this machine: none where there is one core."""
    cores = len(os.sched_getaffinity(0))
    return min(cores, MOST) if cores > 1 else 0


class Examiners:
    """Examines the files of a folder as `Files.images` does, by `count` processes. For one thread at a time.

    They are started for a folder of more than CHUNK_FILES files, with the `onlooker` for when such a sequence is sent,
    and stay until `rest`. `on_files` is called before each chunk; what it raises ends the reading.
    """

    def __init__(
        self, scanner: Scanner, on_files: Callable[[], None], count: int, python: str = sys.executable
    ) -> None:
        self._scanner = scanner
        self._here = Files(scanner, on_files)
        self._on_files = on_files
        self._count = count
        self._python = python
        self._is_refused = False
        self.aides: list[Aide] = []
        self.onlooker = Onlooker()

    def images(self, folder: str, files: Iterable[File]) -> Iterator[Image]:
        """Yield what each file is, in order. Raises FileChanged and FolderUnavailable."""
        chunks = _chunks(files)
        first, second = next(chunks, []), next(chunks, None)
        if second is None:
            yield from self._here.images(folder, first)
            return
        chunks = chain((first, second), chunks)
        aides = self._started()
        while not all(aide.is_ready for aide in aides) and (chunk := next(chunks, None)):
            yield from self._here.images(folder, chunk)
        yield from self._images(folder, chunks, aides)
        for chunk in chunks:  # there is no process (any more)
            yield from self._here.images(folder, chunk)

    def _images(self, folder: str, chunks: Iterator[list[File]], aides: list[Aide]) -> Iterator[Image]:
        """Have chunks examined by processes, as long as there are any."""
        asked: deque[tuple[Aide, list[File]]] = deque()
        try:
            for aide in aides * AHEAD:
                self._ask(aide, folder, chunks, asked)
            while asked:
                aide, chunk = asked.popleft()
                try:
                    answer = aide.answer()
                except ENDED:
                    how = aide.end()
                    self._on_files()  # a stop is no reason to warn
                    if aide in self.aides:
                        self.aides.remove(aide)
                        log.warning("a process that reads frames has ended (%s): going on without it", how)
                    yield from self._here.images(folder, chunk)
                    continue
                if isinstance(answer, Exception):
                    raise answer
                assert isinstance(answer, list)
                self._ask(aide, folder, chunks, asked)
                for (name, *stamp), fields in zip(chunk, answer, strict=True):
                    image = Image._make(fields)
                    doubtful = image.problem == NOT_DECODED
                    yield self._here.image(join(folder, name), Stamp(*stamp)) if doubtful else image
        finally:
            for aide, _ in asked:  # nobody wants their answers any more
                aide.end()

    def prepare(self) -> None:
        """Start the processes now: a sequence for them is about to settle."""
        self._started()

    def kill(self) -> None:
        """Kill the processes, which no stop need wait for. May be called from any thread."""
        for aide in (*self.aides,):
            aide.kill()
        self.onlooker.kill()

    def rest(self) -> None:
        """End the processes; the next large folder starts them again."""
        for aide in self.aides:
            aide.end()
        self.aides = []
        self.onlooker.rest()
        self._is_refused = False

    def _ask(
        self, aide: Aide, folder: str, chunks: Iterator[list[File]], asked: deque[tuple[Aide, list[File]]]
    ) -> None:
        """Have the next chunk examined, where there is one."""
        chunk = next(chunks, None)
        if chunk is not None:
            self._on_files()
            asked.append((aide, chunk))
            aide.ask((folder, chunk))

    def _started(self) -> list[Aide]:
        """Return the processes, after starting those that are missing."""
        for aide in [aide for aide in self.aides if not aide.is_alive]:
            aide.end()
            self.aides.remove(aide)
        wanted = 0 if self._is_refused else self._count
        try:
            while len(self.aides) < wanted:
                self.aides.append(Aide(self._scanner, self._python))
            if wanted:
                self.onlooker.start(self._scanner, self._python)
        except OSError as error:
            self._is_refused = True  # until the next rest: some Pythons leak two descriptors each time (gh-87474)
            log.warning("no process can be started to read frames (%s): going on without", error)
        return self.aides


def _chunks(files: Iterable[File]) -> Iterator[list[File]]:
    chunk: list[File] = []
    size = 0
    for file in files:
        chunk.append(file)
        size += file[1]
        if len(chunk) == CHUNK_FILES or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
