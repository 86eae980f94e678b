"""Reads the files of a settled unit: from names and stamps to a `Unit` with digests, order, and what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core import frame_order
from agent.core.equal_frames import EqualFrames
from agent.core.frame_order import NATURAL, TIME
from agent.core.image_rules import FORMAT_CODE, USUAL_RULES
from agent.core.seen_sizes import SeenSizes
from agent.core.taken_times import FileTimes, Rising, by_time
from agent.model import Frame, Kind, Stamp, Unit, basename, join, shown
from agent.reading.repeated import RepeatedReading

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.core.image_rules import ImageRules
    from agent.model import File, Image, Sequence, Taken
    from agent.reading.examiner import FileExaminer
    from agent.reading.repeated import Examine

PROBLEMS_TOLD = 3

DOUBT_CODE = "order"
"""The error code of a sequence that is held since its order is in doubt."""


class Reader:
    """Reads units: a single image by `files`, the frames of a folder by `frames` (or as well by `files`).

    `gaps` is SEQUENCE_GAPS (`warn`, `hold`, `ignore`), `order` SEQUENCE_ORDER (`natural`, `time`, `bytes`), and `doubt`
    SEQUENCE_ORDER_DOUBT (`hold`, `warn`). What is whole and of a format that `rules` does not send is held.
    """

    def __init__(
        self,
        files: FileExaminer,
        gaps: str,
        frames: Examine | None = None,
        *,
        order: str = NATURAL,
        doubt: str = "hold",
        rules: ImageRules = USUAL_RULES,
    ) -> None:
        self._files = RepeatedReading(files, frames or files.images)
        self._gaps = gaps
        self._order = order
        self._doubt = doubt
        self._rules = rules

    def image(self, path: str, stamp: Stamp, examined: Image | None = None) -> Unit:
        """Read a single image, or take it as it was `examined` just before.

        Raises FileChanged where it is not the file with this stamp, FolderUnavailable.
        """
        image = self._files.image(path, stamp, examined)
        frame = Frame(0, basename(path), path, stamp, image.digest, None, _pixels(image), image.orientation)
        hold = None
        if image.format and image.format not in self._rules.formats:
            hold = (FORMAT_CODE, self._rules.why_held({image.format: [basename(path)]}))
        return Unit(path, Kind.IMAGE, (frame,), image.digest or None, image.problem, image.warning, hold)

    def sequence(self, folder: str, files: list[File], order: str | None = None) -> Unit:
        """Read the frames of a folder, in order, and empty the list of them. Raises as `image` does.

        `order` is what the folder's own settings say of it, if they do.
        """
        order = order or self._order
        named: dict[str, File] = {}
        while files:
            file = files.pop()
            named[file[0]] = file
        arranged = frame_order.arrange(named, order)
        found = _Found(arranged, by_time=order == TIME, sent=self._rules.formats)
        # Each is let go of as soon as its frame is made: 100,000 of them take 10 MiB.
        ordered = (named.pop(name) for name in arranged.names)
        for file, image in self._files.images(folder, ordered):
            found.take(folder, file, image)
        assert len(found.frames) == len(arranged.names)  # never half a folder
        digest = found.digest()
        found.put_in_order()
        return self._unit(folder, arranged, found, digest)

    def unread_image(self, path: str, stamp: Stamp, digest: str) -> Unit:
        """Return a single image that another host has read, and found to have this digest."""
        return Unit(path, Kind.IMAGE, (Frame(0, basename(path), path, stamp, digest),), digest)

    def unread_sequence(self, folder: str, files: Iterable[File], order: str | None, digest: str) -> Unit:
        """Return the frames of a folder that another host has read, and found to have this digest together.

        Of each by itself nothing is known; nor, where they go by the times of their EXIF, how they go.
        """
        named = {file[0]: file for file in files}
        names = frame_order.arrange(named, order or self._order).names
        frames = (
            Frame(place, name, join(folder, name), Stamp(*named[name][1:]), "") for place, name in enumerate(names)
        )
        return Unit(folder, Kind.SEQUENCE, tuple(frames), digest)

    def _unit(self, folder: str, arranged: Sequence, found: _Found, digest: str | None) -> Unit:
        doubts = found.doubts()
        others = [text for text in arranged.warnings if text not in doubts]
        warnings = [*others, *found.warnings, *found.sizes.warnings()]
        hold = None
        if arranged.gaps and self._gaps == "warn":
            warnings.insert(0, arranged.gaps)
        if arranged.gaps and self._gaps == "hold":
            hold = ("gaps", f"{arranged.gaps}: 'retry' sends it as it is")
        if doubts and self._doubt == "warn":
            warnings = [*doubts, *warnings]
        elif doubts:
            hold = (
                DOUBT_CODE,
                f"the order of the frames is in doubt: {_told(doubts, 'doubts')}: 'retry' sends it as it is",
            )
        hold = self._held_for_its_formats(found, hold)
        return Unit(
            folder,
            Kind.SEQUENCE,
            tuple(found.frames),
            digest,
            _told(found.problems, "frames cannot be sent"),
            _told(warnings, "warnings"),
            hold,
        )

    def _held_for_its_formats(self, found: _Found, hold: tuple[str, str] | None) -> tuple[str, str] | None:
        """Return the hold of a sequence, and say all that there is to decide: `retry` sends it whatever the reasons."""
        if not found.unsent:
            return hold
        reasons = [self._rules.why_held(found.unsent, len(found.frames)), *([hold[1]] if hold else [])]
        return FORMAT_CODE, "; ".join(reasons)


class _Found:
    """What the files of a sequence were found to be, one after the other as they are `arranged`.

    `unsent` are the names of those that are of no format that is `sent`, by their formats.
    """

    def __init__(self, arranged: Sequence, *, by_time: bool, sent: frozenset[str]) -> None:
        self.frames: list[Frame] = []
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self.sizes = SeenSizes()
        self.unsent: dict[str, list[str]] = {}
        self._sent = sent
        self._arranged = arranged
        self._taken: list[Taken | None] | None = [] if by_time else None
        self._rising = Rising() if arranged.is_natural else None
        self._file_times = FileTimes() if arranged.is_open else None
        self._equal = None if arranged.is_plain else EqualFrames()
        self._no_order: str | None = None

    def take(self, folder: str, file: File, image: Image) -> None:
        """Take in the next file."""
        name = file[0]
        path, stamp = join(folder, name), Stamp(*file[1:])
        pixels = self.sizes.see(_pixels(image), image.orientation)
        self.frames.append(Frame(len(self.frames), name, path, stamp, image.digest, None, pixels, image.orientation))
        if image.format is not None and image.format not in self._sent:
            self.unsent.setdefault(image.format, []).append(name)
        if image.problem:
            self.problems.append(f"{shown(name)}: {image.problem}")
        if image.warning:
            self.warnings.append(f"{shown(name)}: {image.warning}")
        if self._rising is not None and image.taken is not None:
            self._rising.see(name, image.taken)
        if self._taken is not None:
            self._taken.append(image.taken)
        if self._file_times is not None:
            self._file_times.see(name, file[2])
        if self._equal is not None:
            self._equal.see(name, image.digest)

    def digest(self) -> str | None:
        """Return the digest of the frames, None where not all can be read; to be asked before they are put in order."""
        if not all(frame.digest for frame in self.frames):
            return None
        if self._arranged.digest_order is None:
            return frame_order.digest((frame.frame_id, frame.digest) for frame in self.frames)
        digests = {frame.frame_id: frame.digest for frame in self.frames}
        return frame_order.digest((name, digests[name]) for name in self._arranged.digest_order)

    def put_in_order(self) -> None:
        """Put the frames in the order of their times, where that is asked for."""
        if self._taken is not None:
            places, self._no_order = by_time([frame.frame_id for frame in self.frames], self._taken)
            found = [self.frames[place] for place in places]
            self.frames = [Frame(position, *frame[1:]) for position, frame in enumerate(found)]

    def doubts(self) -> list[str]:
        """Return sentences about the order that nothing proves."""
        watched = (self._rising, self._file_times, self._equal)
        later = [*(each.doubt for each in watched if each is not None), self._no_order]
        return [*self._arranged.doubts, *filter(None, later)]


def _pixels(image: Image) -> tuple[int, int] | None:
    """Return how large a whole image is: what the header of another one says may be any number."""
    return None if image.problem else image.pixels


def _told(sentences: list[str], what: str) -> str | None:
    """Return one sentence of several, naming the first few."""
    if len(sentences) <= PROBLEMS_TOLD:
        return "; ".join(sentences) or None
    return f"{'; '.join(sentences[:PROBLEMS_TOLD])}; and {len(sentences) - PROBLEMS_TOLD} more {what}"
