"""The frozen records that travel between the modules. Pure.

Paths are relative to the watch folder, `/`-separated, '' for the watch folder itself, and decoded as `os.fsdecode`
does (bytes that are no UTF-8 become lone surrogates); `shown` gives the text that the ledger and people see.
Times named `*_ns` are nanoseconds since 1970 as `stat` gives them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable


class Kind(StrEnum):
    """What a unit is: one image, or the frames of one folder."""

    IMAGE = "image"
    SEQUENCE = "sequence"


class Edition(StrEnum):
    """The vendor API's edition: `v0` names the work by `tag`, `v1` by `work_flow_id`."""

    V0 = "v0"
    V1 = "v1"


class Stamp(NamedTuple):
    """What `stat` says of a file; two equal stamps mean that nothing has touched it."""

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
        return self == plain or self == Stamp.of(status)


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
    """What one folder held at one moment: its image `files`, its fresh-or-not temporary files, and its subfolders.

    `times` were read before the entries, so that a change during the listing shows as different times later.
    `marker` tells whether the ready marker was there; `fingerprint` is the `quick_fingerprint` of the files.
    """

    folder: str
    times: Times
    files: tuple[File, ...]
    temporary: tuple[Entry, ...]
    subfolders: tuple[str, ...]
    marker: bool
    fingerprint: int

    @property
    def bytes(self) -> int:
        """The size of all image files together."""
        return sum(file[1] for file in self.files)


class Image(NamedTuple):
    """What reading a file showed. `problem` is a sentence for a person, or None where the image is whole.

    `digest` is the sha256 of all bytes in hex, given also where there is a problem; `pixels` is (width, height).
    `warning` is a sentence about something odd that is no reason to refuse (a PNG called `.jpg`).
    """

    digest: str
    format: str | None = None
    pixels: tuple[int, int] | None = None
    problem: str | None = None
    warning: str | None = None


class Frame(NamedTuple):
    """One file of a unit, in its place. `path` is the file's; `frame_id` its basename; `src` its URL.

    A tuple: one is made in a quarter of the time that a frozen dataclass takes, and sequences have 100,000 of them.
    """

    position: int
    frame_id: str
    path: str
    stamp: Stamp
    digest: str
    src: str | None = None


@dataclass(frozen=True, slots=True)
class Sequence:
    """The frames of one folder in order. `gaps` is a sentence about missing numbers, or None; `warnings` are others."""

    names: tuple[str, ...]
    gaps: str | None = None
    warnings: tuple[str, ...] = ()


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
        return self.path if self.kind is Kind.SEQUENCE else parent(self.path)

    @property
    def bytes(self) -> int:
        """The size of all files together."""
        return sum(frame.stamp.size for frame in self.frames)


@dataclass(frozen=True, slots=True)
class Job:
    """What is sent for one unit, frozen in the ledger by the intent: a retry is built from this alone.

    `is_named` tells whether the ledger holds the frames' `src` as here; `seen` is a sequence's `plan.fingerprint_of`.
    """

    id: int
    reference_id: str
    path: str
    kind: Kind
    edition: Edition
    tag: str
    batch_id: str | None
    priority_weight: int
    frames: tuple[Frame, ...]
    attempts: int
    is_named: bool = True
    seen: bytes | None = None

    @property
    def folder(self) -> str:
        """The folder whose settings hold for the job: an image's parent, a sequence's own folder."""
        return self.path if self.kind is Kind.SEQUENCE else parent(self.path)


@dataclass(frozen=True, slots=True)
class Queue:
    """Planned: send this unit. The first of `reference_ids` that no other job uses becomes its id."""

    unit: Unit
    reference_ids: tuple[str, ...]
    row: int | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """Planned: wait for a person, who is told `reason`; `row` None makes a row of its own beside a submitted one."""

    unit: Unit
    reference_ids: tuple[str, ...]
    error_code: str
    reason: str
    row: int | None = None


@dataclass(frozen=True, slots=True)
class Refuse:
    """Planned: this cannot be sent as it is (`invalid`)."""

    unit: Unit
    reason: str
    row: int | None = None


@dataclass(frozen=True, slots=True)
class Keep:
    """Planned: nothing to send, the job of this content is known; `obsolete` rows described other content there."""

    unit: Unit
    row: int
    obsolete: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Move:
    """Planned: the unit of this row was moved here; nothing is sent. `arrival` is the row made when it was noticed."""

    unit: Unit
    row: int
    reference_ids: tuple[str, ...]
    arrival: int | None = None


@dataclass(frozen=True, slots=True)
class LookUp:
    """Planned: its content changed while an answer of Playment's is missing: look whether the job was made, first."""

    unit: Unit
    row: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Planned: a request for this row is on its way; decide when it has been answered."""

    unit: Unit
    row: int


Action = Queue | Hold | Refuse | Keep | Move | LookUp | Wait


def parent(path: str) -> str:
    """Return the folder that holds `path`; '' for what lies directly in the watch folder."""
    return path.rpartition("/")[0]


def basename(path: str) -> str:
    """Return the last part of `path`."""
    return path.rpartition("/")[2]


def join(folder: str, name: str) -> str:
    """Return the path of `name` in `folder`, '' being the watch folder."""
    return f"{folder}/{name}" if folder else name


def is_utf8(text: str) -> bool:
    """Tell whether the name's bytes were UTF-8 (`os.fsdecode` leaves lone surrogates for those that were not)."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(path: str) -> str:
    r"""Return `path` as the ledger holds it: as it is, or with the bytes that are no UTF-8 written as `\xNN`."""
    if is_utf8(path):
        return path
    return "".join(f"\\x{ord(char) - 0xDC00:02x}" if 0xDC80 <= ord(char) <= 0xDCFF else char for char in path)
