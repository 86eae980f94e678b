"""Gives a job its URLs and its batch: its files are published, and it is proved that they can be fetched.

The frames of all jobs take turns: a job's next frame queues up behind those of the others, so that an image waits for
a frame or two of a long sequence, and never for its end.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from agent.errors import FolderUnavailable, HeldByFolder, TryLater, Unpublished
from agent.ledger.frames import with_sources
from agent.publishing.probe import sample
from agent.sending.admission import by_folder

if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Set as AbstractSet
    from random import Random

    from agent.host.workers import Pool
    from agent.ledger.due import Candidate
    from agent.ledger.reads import Reads
    from agent.ledger.recent_frames import RecentFrames
    from agent.model import Frame, Job
    from agent.sending.context import SendingContext
    from agent.sending.probing import Probing
    from agent.targets.gate import Gate


LONG = 50
"""Frames beyond which a sequence is long: of those no more are uploaded at once than there are workers."""
MOST_FETCHED = 10_000


class Done(Protocol):
    """Told once of each job: its own form to be sent, or the error, or neither where nothing may leave now."""

    def __call__(self, candidate: Candidate, job: Job | None, error: Exception | None) -> None:
        """Take note of it; called in any thread."""


class Publication:
    """Publishes with the workers of `pool`. `done` may be told in any thread, also before `begin` returns."""

    def __init__(
        self,
        context: SendingContext,
        gate: Gate,
        probing: Probing,
        pool: Pool,
        *,
        random: Random,
        done: Done,
        recent: RecentFrames,
    ) -> None:
        self._context = context
        self._gate = gate
        self._probing = probing
        self._pool = pool
        self._random = random
        self._recent = recent
        self._told = done
        self._long: set[int] = set()
        self._lock = threading.Lock()
        self._fetched: dict[int, int] = {}

    @staticmethod
    def waits(context: SendingContext) -> bool:
        """Tell whether publishing waits for a network: files are uploaded, or probed."""
        return context.publisher.uploads or context.probe is not None

    def due(self, reads: Reads, room: int, busy: AbstractSet[int]) -> list[Candidate]:
        """Return up to `room` jobs to begin, but for those that are `busy`; for one thread alone.

        Where files are uploaded, not all of them are long sequences: what is short never waits for these to end.
        """
        now, terms = self._context.now(), self._context.terms
        if not self._context.publisher.uploads:
            return reads.due(now, room, busy, terms, recent=self._recent)
        with self._lock:
            free = max(0, self._pool.count - len(self._long))
        found = reads.due(now, min(room, free), busy, terms, recent=self._recent)
        with self._lock:
            self._long.update(candidate.job.id for candidate in found if len(candidate.job.frames) > LONG)
        others = busy | {candidate.job.id for candidate in found}
        return found + reads.due(now, room - len(found), others, terms, recent=self._recent, most_frames=LONG)

    def probe(self, reads: Reads, busy: AbstractSet[int]) -> Candidate | None:
        """Return the job to begin while a remote is away, None where none is due; for one thread alone."""
        return reads.probe(self._context.now(), busy, self._context.terms, recent=self._recent)

    def begin(self, candidate: Candidate) -> None:
        """Give a job its URLs and batch, with the workers; where that needs no network, at once.

        What an earlier intent has frozen stays as it is. The error that `done` is told may be a RemoteError,
        FileChanged, HeldByFolder, LedgerUnavailable where the batch cannot be kept, or a defect.
        """
        name = None
        if not candidate.frozen:
            try:
                candidate, name = by_folder(self._context, candidate)
            except (HeldByFolder, TryLater) as error:
                self._done(candidate, None, error)
                return
        if name is None and not self.waits(self._context):
            self._open(candidate, name)
        else:
            self._pool.submit(partial(self._open, candidate, name))

    def unsettled(self, job: Job) -> None:
        """Take note that a job must settle anew before it is sent, though its files could be fetched.

        If it comes again with the same files they are not fetched once more: where that moves their times (see
        `core.read_again`), it would never end.
        """
        with self._lock:
            if len(self._fetched) >= MOST_FETCHED:
                self._fetched.clear()
            self._fetched[job.id] = _content(job)

    def _open(self, candidate: Candidate, batch_name: str | None) -> None:
        """Name the job's files and its batch, and let its frames queue up."""
        job = candidate.job
        try:
            if not (candidate.frozen or candidate.named):
                sources = [self._context.publisher.source(frame.path, frame.digest) for frame in job.frames]
                if sources != [frame.src for frame in job.frames]:  # named by other settings, or not at all
                    job = replace(job, frames=with_sources(job.frames, sources), is_named=False)
            if batch_name is not None:
                if not (self._gate.enter() and self._probing.lets(job.id)):
                    self._done(candidate, None, None)
                    return
                job = replace(job, batch_id=self._context.batches.resolve(batch_name))
        except Exception as error:  # noqa: BLE001 - whoever is told knows which are defects
            self._done(candidate, None, error)
            return
        probed = self._probed(job)
        frames = [frame for frame in job.frames if self._context.publisher.uploads or frame.position in probed]
        if not frames:
            self._done(candidate, job, None)
            return
        work = _Frames(candidate, job, frames, probed)
        for _ in range(work.share(self._pool.count)):
            self._pool.submit(partial(self._step, work))

    def _probed(self, job: Job) -> frozenset[int]:
        """Return the positions that are probed."""
        with self._lock:
            fetched = self._fetched.pop(job.id, None)
        if self._context.probe is None or (fetched is not None and fetched == _content(job)):
            return frozenset()
        count = len(job.frames)
        return frozenset(range(count) if self._context.probe_all else sample(count, self._random))

    def _step(self, work: _Frames) -> None:
        """Publish one frame, and queue up for the next one."""
        frame = work.take()
        job = work.candidate.job.id
        if frame is not None:
            try:
                if self._gate.enter() and self._probing.lets(job):
                    self._publish(work.candidate, frame, probed=frame.position in work.probed)
                    self._probing.published()
                else:
                    work.end(None)
            except Unpublished as error:
                self._probing.not_published(job, frame.path, error)
                work.end(error)
            except FolderUnavailable as error:
                work.end(error.of_job())
            except Exception as error:  # noqa: BLE001 - whoever is told knows which are defects
                work.end(error)
        if work.goes_on():
            self._pool.submit(partial(self._step, work))
        elif work.leave():
            self._done(work.candidate, None if work.ended else work.job, work.error)

    def _publish(self, candidate: Candidate, frame: Frame, *, probed: bool) -> None:
        publisher, probe = self._context.publisher, self._context.probe
        if publisher.uploads and (size := publisher.publish(frame, expected=candidate.frozen)):
            self._context.meters.uploaded(size)
        if probed and probe is not None:
            assert frame.src is not None
            probe.check(publisher.address(frame.src), frame.stamp.size)

    def _done(self, candidate: Candidate, job: Job | None, error: Exception | None) -> None:
        with self._lock:
            self._long.discard(candidate.job.id)
        self._told(candidate, job, error)


def _content(job: Job) -> int:
    """Return a number that is equal where the files' bytes and URLs are."""
    return hash(tuple((frame.digest, frame.src) for frame in job.frames))


class _Frames:
    """What is left of a job's frames, shared by the workers that have taken a share in it."""

    def __init__(self, candidate: Candidate, job: Job, frames: Iterable[Frame], probed: frozenset[int]) -> None:
        self.candidate = candidate
        self.job = job
        self.probed = probed
        self.error: Exception | None = None
        self.ended = False
        self._left = deque(frames)
        self._lock = threading.Lock()
        self._shares = 0

    def share(self, most: int) -> int:
        """Return in how many shares the frames are published."""
        self._shares = min(most, len(self._left))
        return self._shares

    def take(self) -> Frame | None:
        """Return the next frame, or None where there is none or the job has ended."""
        with self._lock:
            return self._left.popleft() if self._left and not self.ended else None

    def end(self, error: Exception | None) -> None:
        """Leave the other frames alone; the first error is the one that counts."""
        with self._lock:
            if not self.ended:
                self.ended, self.error = True, error

    def goes_on(self) -> bool:
        """Tell whether frames are left to be published."""
        with self._lock:
            return bool(self._left) and not self.ended

    def leave(self) -> bool:
        """Give up a share; return whether it was the last one."""
        with self._lock:
            self._shares -= 1
            return self._shares == 0
