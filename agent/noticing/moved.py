"""Which rows' files were moved to where a unit was found now, be it as a whole or in parts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING

from agent.core.fingerprints import is_displaced
from agent.core.plan import LeftBehind, Part, is_before
from agent.errors import FileChanged, FolderUnavailable
from agent.model import Kind, basename, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from agent.core.plan import KnownRow
    from agent.folder.scanner import Scanner
    from agent.ledger.reads import Reads
    from agent.ledger.traces import Holder, Trace
    from agent.model import Stamp, Unit
    from agent.model.jobs import Found

    Look = Callable[[str], tuple[int, int] | None]
    """Gives the size and the time of the file at a path, None where there is none."""

MANY_FRAMES = 256
"""Frames of one folder that are looked at one by one; where there are more, listing it is cheaper."""


def left_behind(scanner: Scanner, reads: Reads, unit: Unit) -> LeftBehind:
    """Return the rows whose files are not at their old path any more, and whose bytes the unit holds.

    Where a row of the very same content has lost its files, nothing else is looked for. Raises FolderUnavailable where
    it cannot be told: taking what was moved for a copy would send it twice.
    """
    if unit.digest is None or unit.problem is not None:
        return LeftBehind()
    left, is_copy = _as_a_whole(scanner, reads, unit)
    if left.gone or left.replaced:
        return left
    left = Parts(scanner, reads, unit, is_copy=is_copy and unit.kind is Kind.IMAGE).left()
    return left if left.parts or is_copy else replace(left, listed=_listed(scanner, reads, unit))


def _listed(scanner: Scanner, reads: Reads, unit: Unit) -> Found | None:
    """Return a job of the unit's content that the target had before there was this ledger, and whose files are away.

    One of the same name first.
    """
    for job, path in sorted(reads.listed_like(unit), key=lambda like: basename(like[1]) != basename(unit.path)):
        listing = scanner.list(path) if unit.kind is Kind.SEQUENCE else None
        is_there = bool(listing and listing.files) if unit.kind is Kind.SEQUENCE else _now(scanner, path) is not None
        if not is_there:
            return job
    return None


def _as_a_whole(scanner: Scanner, reads: Reads, unit: Unit) -> tuple[LeftBehind, bool]:
    """Return the rows of the very same content that have lost their files, and whether an original is there.

    They are lost where nothing is there, or something else is and the unit's file is the very one (its inode) that was.
    """
    rows = reads.same_content(unit)
    stamps = (
        {frame.stamp for frame in unit.frames} if rows else set()
    )  # of 100,000 they take time, and few ask for them
    gone: dict[int, KnownRow] = {}
    same: set[int] = set()
    replaced: set[int] = set()
    is_copy = False
    for row in rows:
        first = reads.first_frame(row.id)
        if first is None:
            continue
        path, stamp = first
        now = _now(scanner, path)
        # By all frames: the one that was the first may not be the first any more, if the rules of the order changed.
        is_away = now is None or any(is_displaced(stamp, now, frame.stamp) for frame in unit.frames)
        if not is_away and _holds(now, stamp):
            is_copy = is_copy or row.is_taken
        elif is_away or row.deleted_at is not None:
            gone[row.id] = row
            same.update({row.id} if stamp in stamps else ())
        elif row.is_taken and unit.kind is Kind.IMAGE:
            replaced.add(row.id)
    if is_copy:  # what was deleted at some time is no matter: it is a copy of what is there
        gone = {number: row for number, row in gone.items() if row.deleted_at is None or number in same}
        replaced = set()
    return LeftBehind(frozenset(gone), frozenset(replaced), frozenset(same & gone.keys())), is_copy


def _now(scanner: Scanner, path: str) -> Stamp | None:
    """Return the stamp of the file at a path, None where there is none.

    It is opened, too: for a while a mount shows what it knows of a file that another machine has moved away (FUSE for
    a second, sshfs for twenty), and only opening asks the server.
    """
    stamp = scanner.stamp(path)
    if stamp is None:
        return None
    try:
        with scanner.open_file(path):
            return stamp
    except FileChanged:
        return None
    except PermissionError:
        return stamp
    except OSError as error:
        raise FolderUnavailable(f"{shown(path)} cannot be opened now: {error.strerror}") from error


def _holds(now: Stamp | None, before: Stamp) -> bool:
    """Tell whether a file holds what it did, by its size and time; one that was touched is read again soon."""
    return now is not None and (now.size, now.mtime_ns) == (before.size, before.mtime_ns)


class Parts:
    """Finds rows that some of a unit's frames were part of, and that have lost them.

    Where an original of a single image is there (`is_copy`), only a file that was moved counts.
    """

    def __init__(self, scanner: Scanner, reads: Reads, unit: Unit, *, is_copy: bool) -> None:
        self._scanner = scanner
        self._reads = reads
        self._unit = unit
        self._is_copy = is_copy
        self._noticed_at = reads.noticed_at(unit)
        self._there: set[str] = set()  # digests of which an original is there: the frame is a copy of it
        self._moved: set[str] = set()  # digests of which the very file was moved here

    @cached_property
    def _frames(self) -> Counter[str]:
        """How many of the frames hold the bytes of a digest; made where something is found."""
        return Counter(frame.digest for frame in self._unit.frames)

    @cached_property
    def _files(self) -> dict[tuple[str, int, int], int]:
        """What tells the unit's files from copies of them, and when each was renamed or changed last."""
        return {
            (frame.digest, frame.stamp.inode, frame.stamp.mtime_ns): frame.stamp.ctime_ns for frame in self._unit.frames
        }

    def left(self) -> LeftBehind:
        """Return the sequences that have lost frames to the unit; where there is none, an image that it has taken."""
        lost = {sequence.job: self._lost_by(sequence) for sequence in self._reads.sequences_with(self._unit)}
        lost = {job: taken for job, digests in lost.items() if (taken := {*filter(self._counts, digests)})}
        if lost:
            parts = [Part(job, self._count(digests)) for job, digests in lost.items()]
            parts.sort(key=lambda part: -part.frames)
            return LeftBehind(parts=tuple(parts), frames=self._count(set().union(*lost.values())))
        if self._unit.kind is Kind.SEQUENCE:
            for digest, traces in groupby(self._reads.images_with(self._unit), lambda trace: trace.digest):
                image = self._lost_image(digest, traces)
                if image is not None:
                    return LeftBehind(parts=(Part(image.job, 1),), frames=1)
        return LeftBehind()

    def _count(self, digests: set[str]) -> int:
        return sum(self._frames[digest] for digest in digests)

    def _lost_by(self, sequence: Holder) -> set[str]:
        """Return the digests of the unit's frames that a sequence has lost."""
        if sequence.path == shown(self._unit.path) and sequence.deleted_at is None:
            return set()  # what has changed at one place is told as such
        traces = [trace for trace in self._reads.frames_of(sequence) if trace.digest in self._frames]
        look = self._look_into(sequence.path) if len(traces) > MANY_FRAMES else self._look_at
        return {trace.digest for trace in traces if self._is_lost(trace, look)}

    def _lost_image(self, digest: str, traces: Iterable[Trace]) -> Trace | None:
        """Return an image of a digest that was moved into the unit, None where an original is there."""
        lost = [trace for trace in traces if self._is_lost(trace, self._look_at)]
        return lost[-1] if lost and self._counts(digest) else None

    def _counts(self, digest: str) -> bool:
        """Tell whether bytes that were lost somewhere were moved here, and not copied from elsewhere."""
        return digest in self._moved or not (self._is_copy or digest in self._there)

    def _is_lost(self, trace: Trace, look: Look) -> bool:
        """Tell whether a file of before is not there any more, and keep in mind what that says of its bytes."""
        is_known = self._is_copy or trace.digest in self._there
        if is_known and not self._is_mine(trace):
            return False  # it would not count, and thousands may hold the same bytes
        if trace.deleted_at is None and look(trace.path) == (trace.stamp.size, trace.stamp.mtime_ns):
            self._there.add(trace.digest)
            return False
        if self._is_mine(trace):
            self._moved.add(trace.digest)
        return True

    def _is_mine(self, trace: Trace) -> bool:
        """Tell whether a file of before is one of the unit's.

        A copy that keeps its time may well get the inode number of a file that was deleted just before.
        """
        ctime_ns = self._files.get((trace.digest, trace.stamp.inode, trace.stamp.mtime_ns))
        return ctime_ns is not None and (
            ctime_ns == trace.stamp.ctime_ns or not is_before(trace.deleted_at, self._noticed_at)
        )

    def _look_at(self, path: str) -> tuple[int, int] | None:
        now = _now(self._scanner, path)
        return (now.size, now.mtime_ns) if now is not None else None

    def _look_into(self, folder: str) -> Look:
        """Return what looks at files of a folder, which is listed once."""
        listing = self._scanner.list(folder)
        files = {name: (size, mtime_ns) for name, size, mtime_ns, *_ in listing.files} if listing else {}
        return lambda path: files.get(basename(path))
