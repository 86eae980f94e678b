"""Whether the watch folder is the one of before, or another one of the same name. Pure.

What another one does not show was not deleted from the first: an empty mount point must not read as 'all was deleted'.
"""

from __future__ import annotations

from typing import NamedTuple


class Whereabouts(NamedTuple):
    """Which folder it is: device and inode as text (`identity`, '' while it is away), and where in what file system.

    Many file systems have another device number after every mount (NFS, CIFS, FUSE, btrfs), some another inode; then
    the `place` tells.
    """

    identity: str
    place: str

    def is_of_last_time(self, before: Whereabouts) -> bool:
        """Tell whether a start finds the folder of the last one: by its numbers, or in the same place."""
        return before.has_identity_of(self) or self._is_in_place_of(before)

    def is_back(self, home: Whereabouts, *, was_elsewhere: bool) -> bool:
        """Tell whether a folder that came while we looked is the one that was there: itself, or mounted anew.

        Mounted anew it has another device number, or something of another place (`was_elsewhere`) was seen in between.
        One that was made anew where the first one went is another one.
        """
        mounted_anew = was_elsewhere or self._device != home._device
        return home.has_identity_of(self) or (self._is_in_place_of(home) and mounted_anew)

    def has_identity_of(self, other: Whereabouts) -> bool:
        """Tell whether the numbers are the same, or unknown; an inode of 0 says nothing."""
        if not self.identity or self.identity == other.identity:
            return True
        return self._device == other._device and "0" in (self._inode, other._inode)

    def _is_in_place_of(self, other: Whereabouts) -> bool:
        return bool(self.place) and self.place == other.place

    @property
    def _device(self) -> str:
        return self.identity.partition(":")[0]

    @property
    def _inode(self) -> str:
        return self.identity.partition(":")[2]
