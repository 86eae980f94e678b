"""Which row's files were moved to where a unit was found now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.fingerprints import is_displaced
from agent.errors import FileChanged, FolderUnavailable
from agent.model import shown

if TYPE_CHECKING:
    from agent.folder.scanner import Scanner
    from agent.ledger.reads import Reads
    from agent.model import Stamp, Unit


def left_behind(scanner: Scanner, reads: Reads, unit: Unit) -> set[int]:
    """Return the rows of the same content whose files are not at their old path any more.

    Nothing is there, or something else is and the unit's file is the very one that was. Where there is no such row: the
    first row of another kind of unit that one of the unit's files was moved from. Raises FolderUnavailable where that
    cannot be told: taking it for a copy would send it twice.
    """
    left = set()
    for row in reads.same_content(unit):
        before = reads.first_frame(row.id)
        if before is None:
            continue
        path, stamp = before
        now = _now(scanner, path)
        # By all frames: the one that was the first may not be the first any more, if the rules of the order changed.
        if now is None or any(is_displaced(stamp, now, frame.stamp) for frame in unit.frames):
            left.add(row.id)
    for job, path, inode in () if left else reads.files_of_other_kind(unit):
        now = _now(scanner, path)
        if now is None or now.inode != inode:
            return {job}
    for job, path, stamp in () if left else reads.images_of_other_kind(unit):
        now = _now(scanner, path)
        if now is None or now[:2] != stamp[:2]:
            return {job}
    return left


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
