"""What is written of a unit's files. To be called inside a transaction."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from agent.core.fingerprints import fingerprint_of_frames
from agent.ledger.recent_frames import MOST_FRAMES
from agent.ledger.traces import DIGITS
from agent.model import Frame, Kind, Unit, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.ledger.store import Ledger
    from agent.model.jobs import Namer

# The view `frames` reads these rows: of an image, what stands in its job is not written again.
FRAME_COLUMNS = (
    "job, position, frame_id, path, size, mtime_ns, digest, src, ctime_ns, inode, width, height, orientation"
)
FRAME_MARKS = f"({', '.join('?' * (FRAME_COLUMNS.count(',') + 1))})"
FRAMES_TOGETHER = 100
"""Frames that are written by one statement: each lets other threads go on, and waits for its turn again."""


def write_frames(ledger: Ledger, job: int, unit: Unit, name: Namer) -> list[Frame]:
    """Write a unit's frames; a `src` that an intent has frozen stays where the frame is the same.

    Return the frames with their `src`, but none where they are too many to be kept or some `src` stays.
    """
    ledger.recent.forget(job)
    frozen = dict(ledger.sql.execute("select path, src from frames where job = ?", (job,)))
    if frozen:
        ledger.sql.execute("delete from frame_rows where job = ?", (job,))
    named: list[Frame] = []
    for start in range(0, len(unit.frames), FRAMES_TOGETHER):
        frames = unit.frames[start : start + FRAMES_TOGETHER]
        sources = [frozen.get(frame.path) or name(frame) for frame in frames]
        rows = [frame_row(job, unit.kind, frame, src) for frame, src in zip(frames, sources, strict=True)]
        ledger.sql.execute(
            f"insert into frame_rows ({FRAME_COLUMNS}) values {', '.join([FRAME_MARKS] * len(rows))}",  # noqa: S608 (marks)
            [*chain.from_iterable(rows)],
        )
        if not frozen and len(unit.frames) <= MOST_FRAMES:
            named += with_sources(frames, sources)
    if unit.kind is Kind.SEQUENCE:
        first_digest = "".join(frame.digest[:DIGITS] for frame in unit.frames[:1]) or None
        ledger.sql.execute(
            "insert or replace into seen values (?, ?, ?)", (job, fingerprint_of_frames(unit.frames), first_digest)
        )
    return named


def with_sources(frames: Sequence[Frame], sources: Sequence[str | None]) -> tuple[Frame, ...]:
    """Return the frames with their URLs."""
    return tuple(Frame(*frame[:5], src, *frame[6:]) for frame, src in zip(frames, sources, strict=True))


def frame_row(job: int, kind: Kind, frame: Frame, src: str | None) -> tuple[int | str | None, ...]:
    """Return a frame of a job as FRAME_COLUMNS hold it."""
    position, frame_id, path, (size, mtime_ns, ctime_ns, inode), digest, _, pixels, orientation = frame
    seen = (None, None, None) if pixels is None else (*pixels, orientation)
    own = (None, None, None) if kind is Kind.IMAGE else (shown(frame_id), shown(path), digest or None)
    return job, position, own[0], own[1], size, mtime_ns, own[2], src, ctime_ns, inode, *seen
