"""Which row's files were moved to where a unit was found now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.ledger import related

if TYPE_CHECKING:
    import sqlite3

    from agent.folder.scanner import Scanner
    from agent.model import Unit


def left_behind(scanner: Scanner, sql: sqlite3.Connection, unit: Unit) -> set[int]:
    """Return the rows of the same content whose files are not at their old path any more.

    Nothing is there, or something else is and the unit's file is the very one (its inode) that was. Where there is no
    such row: the first row of another kind of unit that one of the unit's files was moved from. Raises
    FolderUnavailable where that cannot be told: taking it for a copy would send it twice.
    """
    left = set()
    for row in related.same_content(sql, unit):
        before = related.first_frame(sql, row.id)
        if before is None:
            continue
        path, stamp = before
        now = scanner.stamp(path)
        if now is None or (now.inode != stamp.inode and unit.frames[0].stamp.inode == stamp.inode):
            left.add(row.id)
    for job, path, inode in () if left else related.files_of_other_kind(sql, unit):
        now = scanner.stamp(path)
        if now is None or now.inode != inode:
            return {job}
    return left
