"""Has the frames of long sequences examined by processes of their own. I/O."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections import deque
from itertools import chain
from typing import TYPE_CHECKING, Any

from agent.core.image_rules import USUAL_RULES
from agent.errors import FileChanged, FileUnreadable, FolderUnavailable, Interrupted
from agent.model import Image, Stamp, join, shown
from agent.reading.examiner import FileExaminer
from agent.reading.processes.child import NOT_DECODED
from agent.reading.processes.process import ENDED, FingerprintProcess, WorkerProcess
from agent.reading.readers import CHUNK_FILES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from agent.core.image_rules import ImageRules
    from agent.folder.scanner import Scanner
    from agent.model import File

log = logging.getLogger(__package__)

MOST = 2
"""Processes: with more the agent itself, which orders and writes what they find, would be what is waited for."""
AHEAD = 2
"""Requests that each has at a time: it need not wait for our thread to get the interpreter's lock."""
CHUNK_BYTES = 16 * 1024 * 1024
"""What is asked for at once, at most, with CHUNK_FILES: a stop need not wait for more."""


Asked = tuple[WorkerProcess, int, "list[File]"]
"""A request: to whom, its number, and the files that it is about."""


def fitting() -> int:
    """Return how many processes there should be on this machine: none where there is one core."""
    cores = len(os.sched_getaffinity(0))
    return min(cores, MOST) if cores > 1 else 0


class ProcessPool:
    """Examines the files of a folder as `FileExaminer.images` does, by `count` processes. For two threads at a time.

    While one takes in the last answers about its folder, the other has asked about the next one. What is done without
    the processes is done by one thread after the other: two would do little but hand each other the interpreter's lock.

    They are started for a folder of more than CHUNK_FILES files, with `fingerprints` for when such a sequence is sent,
    and stay until `rest`. `on_files` is called before each chunk; what it raises ends the reading.
    """

    def __init__(
        self,
        scanner: Scanner,
        on_files: Callable[[], None],
        count: int,
        python: str = sys.executable,
        *,
        rules: ImageRules = USUAL_RULES,
    ) -> None:
        self._scanner = scanner
        self._rules = rules
        self._here = FileExaminer(scanner, on_files, rules=rules)
        self._on_files = on_files
        self._count = count
        self._python = python
        self._is_refused = False
        self._asking = threading.Lock()  # for who has chunks to ask about: starts processes, and reads in their place
        self._answering = threading.Lock()  # for whose answers come next
        self.processes: list[WorkerProcess] = []
        self.fingerprints = FingerprintProcess()

    def images(self, folder: str, files: Iterable[File]) -> Iterator[tuple[File, Image]]:
        """Yield each file with what it is, in order. Raises FileChanged and FolderUnavailable."""
        chunks = _chunks(files)
        first, second = next(chunks, []), next(chunks, None)
        with contextlib.ExitStack() as asking:
            asking.enter_context(self._asking)
            if second is None:
                yield from self._here.images(folder, first)
            else:
                yield from self._images(folder, chain((first, second), chunks), asking.close)

    def _images(
        self, folder: str, chunks: Iterator[list[File]], all_asked: Callable[[], None]
    ) -> Iterator[tuple[File, Image]]:
        """Have chunks examined by processes, as long as there are any; `all_asked` lets another thread ask."""
        self._on_files()  # none is started for a stop
        processes = self._started()
        while not all(process.is_ready for process in processes) and (chunk := next(chunks, None)):
            yield from self._here.images(folder, chunk)
        asked: deque[Asked] = deque()
        for process in processes * AHEAD:
            self._ask(process, folder, chunks, asked)
        with self._answering:
            yield from self._answers(folder, chunks, asked, all_asked)
        for chunk in chunks:  # there is no process (any more)
            yield from self._here.images(folder, chunk)

    def _answers(
        self, folder: str, chunks: Iterator[list[File]], asked: deque[Asked], all_asked: Callable[[], None]
    ) -> Iterator[tuple[File, Image]]:
        """Take in what processes were asked, and ask the next; for who holds `_answering`."""
        try:
            while asked:
                process, number, chunk = asked.popleft()
                answer = self._answer(process, number)
                if answer is None:
                    yield from self._again(folder, chunk)
                    continue
                if not self._ask(process, folder, chunks, asked):
                    all_asked()
                yield from self._taken_in(folder, chunk, answer)
        finally:
            for process, number, _ in asked:  # nobody wants these any more; behind them are another thread's
                with contextlib.suppress(*ENDED):
                    process.answer(number)

    def _taken_in(self, folder: str, chunk: list[File], answer: list[tuple[Any, ...]]) -> Iterator[tuple[File, Image]]:
        for file, fields in zip(chunk, answer, strict=True):
            image = Image._make(fields)
            if image.problem == NOT_DECODED:
                again = self._here.image(join(folder, file[0]), image.moved or Stamp(*file[1:]))
                image = again._replace(moved=again.moved or image.moved)
            yield file, image

    def _again(self, folder: str, chunk: list[File]) -> Iterator[tuple[File, Image]]:
        """Examine a chunk whose process has ended: here, unless a decoder may have ended it.

        Then another process has one file after the other, and of the one that ends it too nothing can be said. Raises
        FileUnreadable for that: it is not taken for damaged, since it may be memory that was wanting.
        """
        if not self._rules.decodes:
            yield from self._here.images(folder, chunk)
            return
        with contextlib.closing(_Spare(self._scanner, self._python, self._rules)) as spare:
            for file in chunk:
                self._on_files()
                yield from self._taken_in(folder, [file], spare.examined(folder, file))

    def ahead(self, folder: str, files: Sequence[File]) -> list[Image]:
        """Return what the first of some files of a folder are: all, or fewer where something is in the way.

        None where the processes are not ready, or a sequence needs them: a single image does not wait for that. None of
        large files either: the first would wait for the last, and a sequence for all of them, for little.
        """
        if len(files) < AHEAD * CHUNK_FILES or sum(file[1] for file in files) > AHEAD * CHUNK_BYTES:
            return []
        images: list[Image] = []
        with contextlib.ExitStack() as free, contextlib.suppress(FileChanged, FolderUnavailable, Interrupted):
            if not self._are_free(free):
                return []
            processes = self._started(for_frames=False)
            if processes and all(process.is_ready for process in processes):
                asked: deque[Asked] = deque()
                chunks = _chunks(files)
                for process in processes * AHEAD:
                    self._ask(process, folder, chunks, asked)
                for _, image in self._answers(folder, chunks, asked, lambda: None):
                    images.append(image)  # what was had before an error counts
        return images

    def _are_free(self, free: contextlib.ExitStack) -> bool:
        for lock in (self._asking, self._answering):
            if not lock.acquire(blocking=False):
                return False
            free.callback(lock.release)
        return True

    def prepare(self) -> None:
        """Start the processes now: a sequence for them is about to settle."""
        if self._asking.acquire(blocking=False):  # who reads now starts them where they are needed
            try:
                self._started()
            finally:
                self._asking.release()

    def kill(self) -> None:
        """Kill the processes, which no stop need wait for. May be called from any thread."""
        for process in (*self.processes,):
            process.kill()
        self.fingerprints.kill()

    def rest(self) -> None:
        """End the processes, unless a thread needs them; the next large folder starts them again."""
        with contextlib.ExitStack() as free:
            if not self._are_free(free):
                return
            for process in self.processes:
                process.end()
            self.processes = []
            self.fingerprints.rest()
            self._is_refused = False

    def _ask(self, process: WorkerProcess, folder: str, chunks: Iterator[list[File]], asked: deque[Asked]) -> bool:
        """Have the next chunk examined; return whether there was one."""
        chunk = next(chunks, None)
        if chunk is None:
            return False
        self._on_files()
        asked.append((process, process.ask((folder, chunk)), chunk))
        return True

    def _answer(self, process: WorkerProcess, number: int) -> list[tuple[Any, ...]] | None:
        """Return a process's answer about files, None where it has ended. Raises what else it answers."""
        try:
            answer = process.answer(number)
        except ENDED:
            how = process.end()
            self._on_files()  # a stop is no reason to warn
            with contextlib.suppress(ValueError):  # found out by the other thread
                self.processes.remove(process)
                log.warning("a process that reads frames has ended (%s): going on without it", how)
            return None
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, list)
        return answer

    def _started(self, *, for_frames: bool = True) -> list[WorkerProcess]:
        """Return the processes, after starting those that are missing; `for_frames` the one for fingerprints, too."""
        for process in [process for process in self.processes if not process.is_alive]:
            process.end()
            with contextlib.suppress(ValueError):  # who waits for its answers may have found out, too
                self.processes.remove(process)
        wanted = 0 if self._is_refused else self._count
        try:
            while len(self.processes) < wanted:
                self.processes.append(WorkerProcess(self._scanner, self._python, rules=self._rules))
            if wanted and for_frames:
                self.fingerprints.start(self._scanner, self._python)
        except OSError as error:
            self._is_refused = True  # until the next rest: some Pythons leak two descriptors each time (gh-87474)
            log.warning("no process can be started to read frames (%s): going on without", error)
        return [*self.processes]


class _Spare:
    """A process for files of which one may have ended another process."""

    def __init__(self, scanner: Scanner, python: str, rules: ImageRules) -> None:
        """Start it. Raises FileUnreadable where it cannot be."""
        try:
            self._process = WorkerProcess(scanner, python, rules=rules)
        except OSError as error:
            raise FileUnreadable(f"no process can be started to decode pictures ({error})") from error

    def examined(self, folder: str, file: File) -> list[tuple[Any, ...]]:
        """Return the fields of one file's image. Raises what the process answers, FileUnreadable where it ends."""
        try:
            answer = self._process.answer(self._process.ask((folder, [file])))
        except ENDED as error:
            how = self._process.end()
            path = shown(join(folder, file[0]))
            raise FileUnreadable(f"{path}: the process that was to decode it has ended ({how})") from error
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, list)
        return answer

    def close(self) -> None:
        """End it."""
        self._process.end()


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
