"""What was found and read: files, listings, frames, units. Frozen. Pure.

Times named `*_ns` are nanoseconds since 1970 as `stat` gives them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from agent.model.paths import parent

if TYPE_CHECKING:
    import os
    from collections import abc
    from collections.abc import Iterable


class Kind(StrEnum):
    """What a unit is: one image, or the frames of one folder."""

    IMAGE = "image"
    SEQUENCE = "sequence"


def folder_of(path: str, kind: Kind) -> str:
    """Return the folder whose listing shows a unit: an image's parent, a sequence's own folder."""
    return path if kind is Kind.SEQUENCE else parent(path)


class UnitKey(NamedTuple):
    """Names a unit: its path, and whether the path is an image or a folder of frames."""

    path: str
    kind: Kind

    @property
    def folder(self) -> str:
        """The folder whose listing shows the unit."""
        return folder_of(self.path, self.kind)


class Stamp(NamedTuple):
    """What `stat` says of a file; two equal stamps mean that nothing has touched it.

    An `inode` of 0 says nothing: where inodes do not last, size and times alone tell.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        """Return the stamp in what `stat` says."""
        return cls(status.st_size, signed(status.st_mtime_ns), signed(status.st_ctime_ns), signed(status.st_ino))

    def is_of(self, status: os.stat_result) -> bool:
        """Tell whether this is the stamp in what `stat` says; asked of every file, of which few have such numbers."""
        plain = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        return self == plain or self.is_like(Stamp.of(status))

    def is_like(self, other: Stamp) -> bool:
        """Tell whether the two are of one file that nothing has touched, as far as they say."""
        return self == other or (self[:3] == other[:3] and not (self.inode and other.inode))

    def is_odd(self, other: Stamp) -> bool:
        """Tell whether the two differ in the inode alone: a file that was replaced has another ctime, too."""
        return self[:3] == other[:3] and self.inode != other.inode and self.inode != 0 != other.inode

    def without_inode(self) -> Stamp:
        """Return the same, as it is where inodes do not last."""
        return self._replace(inode=0)


TOP_BIT = 2**63


def signed(number: int) -> int:
    """Return a number of `stat` in the 64 bits and a sign that SQLite keeps.

    Inodes of mergerfs and CIFS servers use all 64 bits; a time after 2262 or before 1678 takes more, in nanoseconds.
    """
    return (number + TOP_BIT) % (2 * TOP_BIT) - TOP_BIT


class Entry(NamedTuple):
    """A file in a listing."""

    name: str
    stamp: Stamp


File = tuple[str, int, int, int, int]
"""A file as a scan takes it: its name, and the four numbers of its stamp. Making one costs half of what an `Entry` does
(measured), and a scan makes one for every file there is."""


def quick_fingerprint(files: Iterable[File]) -> int:
    """Return a number that is equal where the files are, in whatever order they come, and only in this process.

    That of all files is the sum of those of their parts. It takes a tenth of the time of `plan.fingerprint_of`, which
    sorts them (measured); 64 bits for each file, and names are hashed with a secret of the process.
    """
    return sum(map(hash, files))


class Times(NamedTuple):
    """A folder's own times: they differ after an entry was added, removed or renamed in it."""

    mtime_ns: int
    ctime_ns: int


@dataclass(frozen=True, slots=True)
class Listing:
    """What one folder held at one moment: its image `files`, its `others`, and its subfolders.

    `others` are all other files that may bear on it, the marker and the file of settings left out; `hidden` its
    subfolders that are not entered. `times` were read before the entries, so that a change during the listing shows as
    different times later.
    `marker` tells whether the ready marker was there; `fingerprint` is the `quick_fingerprint` of the files.
    """

    folder: str
    times: Times
    files: abc.Sequence[File]
    others: tuple[Entry, ...]
    subfolders: tuple[str, ...]
    hidden: tuple[str, ...]
    marker: bool
    fingerprint: int

    @property
    def bytes(self) -> int:
        """The size of all image files together."""
        return sum(file[1] for file in self.files)


Taken = tuple[int, int, bool]
"""When a picture was taken, as its EXIF says: nanoseconds since 1970, how many digits the second's fraction had, and
whether an offset from UTC was said; without one the time is that of the camera's place."""


class Image(NamedTuple):
    """What reading a file showed. `problem` is a sentence for a person, or None where the image is whole.

    `digest` is the sha256 of all bytes in hex, given also where there is a problem; `pixels` is (width, height).
    `warning` is a sentence about something odd that is no reason to refuse (a PNG called `.jpg`). `taken` is when the
    picture was taken, None where its EXIF does not say. `moved` is what the file looked like afterwards, where its
    times, and nothing else, moved while it was read: then it must not be taken. `orientation` is how a browser turns
    the stored `pixels` before it shows them (EXIF, 1 to 8).
    """

    digest: str
    format: str | None = None
    pixels: tuple[int, int] | None = None
    problem: str | None = None
    warning: str | None = None
    taken: Taken | None = None
    moved: Stamp | None = None
    orientation: int = 1


class Frame(NamedTuple):
    """One file of a unit, in its place. `path` is the file's; `frame_id` its basename; `src` its URL.

    `pixels` and `orientation` are as in `Image`, `pixels` None where it is not whole, or a version before has read it.

    A tuple: one is made in a quarter of the time that a frozen dataclass takes, and sequences have 100,000 of them.
    """

    position: int
    frame_id: str
    path: str
    stamp: Stamp
    digest: str
    src: str | None = None
    pixels: tuple[int, int] | None = None
    orientation: int = 1


@dataclass(frozen=True, slots=True)
class Sequence:
    """The frames of one folder in order. `gaps` is a sentence about missing numbers, or None; `warnings` are others.

    `doubts` are sentences about an order that names cannot prove. `is_plain` tells that one counter, or the time,
    numbers all frames; `is_open` that dates in the names fit this order in one of two readings; `is_natural` that the
    names' natural order is believed. `digest_order` is that over which the digest is taken, None where it is this one.
    """

    names: tuple[str, ...]
    gaps: str | None = None
    warnings: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    is_plain: bool = True
    is_open: bool = False
    is_natural: bool = True
    digest_order: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Unit:
    """A settled unit after its files were read: what `plan` compares with the ledger.

    `digest` is None only where nothing could be read (a name that is no UTF-8, an unreadable file); then `problem`
    says why. `hold` is (error_code, sentence) where a person must decide before it is sent.
    """

    path: str
    kind: Kind
    frames: tuple[Frame, ...]
    digest: str | None
    problem: str | None = None
    warning: str | None = None
    hold: tuple[str, str] | None = None

    @property
    def folder(self) -> str:
        """The folder whose listing shows this unit: an image's parent, a sequence's own folder."""
        return folder_of(self.path, self.kind)

    @property
    def bytes(self) -> int:
        """The size of all files together."""
        return sum(frame.stamp.size for frame in self.frames)


@dataclass(frozen=True, slots=True)
class Sight:
    """A unit as a look shows it, and what it waits for; `error_code` is UNREADABLE where it could not be read."""

    path: str
    kind: Kind
    reason: str
    frame_count: int
    bytes: int
    error_code: str = ""

    @property
    def folder(self) -> str:
        """The folder whose listing shows the unit."""
        return folder_of(self.path, self.kind)
