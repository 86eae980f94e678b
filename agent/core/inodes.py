"""Whether the numbers of files, their inodes, last: not on some FUSE, CIFS and FAT mounts. Pure.

A look at a file is odd where it shows the size and both times of the look before, and another inode. A file that was
replaced between the two has another time of change, unless that happened within the same tick of the file system's
clock (two seconds where it is coarsest).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.model import Stamp

ODD_LOOKS = 4
"""Odd looks that prove it: at one file in a row (whoever replaces a file needs a new tick before long), or at so many
files that were at rest for their quiet time."""
SAMPLES = 4
SAMPLED_LOOKS = 45
"""At one every two seconds: a minute and a half. What a mount keeps in memory of a file is asked for again by then."""
INODES_CHANGE = (
    "the numbers (inodes) of its files change with every look or mount: files are told by their sizes and times, and "
    "those that were moved by their content"
)


@dataclass(slots=True)
class Sample:
    """A file that is looked at again and again, to see whether its inode lasts."""

    path: str
    stamp: Stamp
    looks: int = 0
    odd: int = 0

    def look(self, stamp: Stamp) -> bool:
        """Take a look; return whether the looks in a row prove that inodes do not last."""
        self.looks += 1
        self.odd = self.odd + 1 if self.stamp.is_odd(stamp) else 0
        self.stamp = stamp
        return self.odd >= ODD_LOOKS

    @property
    def is_over(self) -> bool:
        """Whether the file was looked at for long enough."""
        return self.looks >= SAMPLED_LOOKS
