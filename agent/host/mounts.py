"""Which file system a path lies on, and which folder it is. I/O."""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.errors import FolderUnavailable

if TYPE_CHECKING:
    from pathlib import Path


log = logging.getLogger(__package__)

# File systems whose files can be changed by another machine: inotify does not tell of that (inotify(7)).
_NETWORK = re.compile(
    r"9p|afs|beegfs|ceph|cifs|coda|davfs|gfs2|glusterfs|gpfs|lustre|ncpfs|nfs|nfs4|ocfs2|orangefs|pvfs2|"
    r"smb3|smbfs|vboxsf|virtiofs|vmhgfs"
)
# Those that come through FUSE, by the name after 'fuse.'.
_NETWORK_FUSE = re.compile(
    r"beegfs|ceph|ceph-fuse|cephfs|curlftpfs|davfs|davfs2|gcsfuse|glusterfs|goofys|juicefs|mfs|mount\.s3|"
    r"mountpoint-s3|rclone|s3fs|seaweedfs|smbnetfs|sshfs"
)


@dataclass(frozen=True, slots=True)
class FilesystemKind:
    """A file system's type as the kernel names it, and whether it is a network one or comes through FUSE.

    Neither tells of changes that are made elsewhere; `fuseblk` (NTFS on a local disk) is not counted as FUSE.
    """

    name: str
    network: bool
    fuse: bool


def filesystem_kind(path: Path) -> FilesystemKind:
    """Return the kind of the file system that `path` is on; what of it does not exist yet is no obstacle."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mountinfo:
        return kind_in(mountinfo.read(), os.path.realpath(path))


def kind_in(mountinfo: str, path: str) -> FilesystemKind:
    """Return the kind of the mount that has the longest mount point above the absolute `path`; the later of equals.

    proc(5), mountinfo: the mount point is the fifth field, space and the like written in octal; the type follows ' - '.
    """
    found, name = "", "unknown"
    for line in filter(None, mountinfo.split("\n")):
        fields, _, rest = line.partition(" - ")
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields.split(" ")[4])
        if len(point) >= len(found) and (path == point or path.startswith(point.rstrip("/") + "/")):
            found, name = point, rest.split(" ")[0]
    fuse = name == "fuse" or name.startswith("fuse.")
    known = _NETWORK_FUSE.fullmatch(name.removeprefix("fuse.")) if fuse else _NETWORK.fullmatch(name)
    return FilesystemKind(name, network=known is not None, fuse=fuse)


def identity(path: Path) -> tuple[int, int]:
    """Return (st_dev, st_ino) of a folder: they differ after it was unmounted, or deleted and made again.

    Raises FolderUnavailable.
    """
    try:
        status = os.stat(path)
    except OSError as error:
        raise FolderUnavailable(f"The folder {path} is not there or cannot be seen ({error.strerror}).") from error
    return status.st_dev, status.st_ino
