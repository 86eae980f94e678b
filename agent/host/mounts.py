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

_HOMES = ("/home", "/root", "/run/user")
_TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 (nothing is written there)


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
    return kind_in(_mountinfo(), os.path.realpath(path))


def kind_in(mountinfo: str, path: str) -> FilesystemKind:
    """Return the kind of the file system that the absolute `path` is on."""
    name = _mount_in(mountinfo, path)[2]
    fuse = name == "fuse" or name.startswith("fuse.")
    known = _NETWORK_FUSE.fullmatch(name.removeprefix("fuse.")) if fuse else _NETWORK.fullmatch(name)
    return FilesystemKind(name, network=known is not None, fuse=fuse)


def place(path: Path) -> str:
    """Return what file system a folder is on, and where in it: the same after it was mounted anew, at any mount point.

    The device's number is another one then, where the file system has no device of its own (NFS, CIFS, FUSE, btrfs).
    """
    return place_in(_mountinfo(), os.path.realpath(path))


def place_in(mountinfo: str, path: str) -> str:
    """Return the type and the source of the file system that the absolute `path` is on, and its path in there."""
    point, root, name, source = _mount_in(mountinfo, path)
    return f"{name} {source} {os.path.normpath(root + path[len(point.rstrip('/')) :])}"


def shared_place(path: Path) -> str:
    """Return what tells a folder that other machines may see from all others, '' for one that only this one sees."""
    return place(path) if filesystem_kind(path).network else ""


def hidden(path: Path) -> str:
    """Return which setting of its unit hides `path` from this service, '' where none does."""
    return hidden_in(_mountinfo(), os.path.realpath(path))


def hidden_in(mountinfo: str, path: str) -> str:
    """Return the same for the absolute `path`: systemd.exec(5) has something else mounted where homes and /tmp are."""
    point, root, name, _ = _mount_in(mountinfo, path)
    if root.endswith("/systemd/inaccessible/dir"):
        return "ProtectHome=yes" if point in _HOMES else f"InaccessiblePaths={point}"
    if point in _HOMES and name == "tmpfs" and root == "/":
        return "ProtectHome=tmpfs"
    return "PrivateTmp=yes" if point in _TEMPORARY and "/systemd-private-" in root else ""


def _mountinfo() -> str:
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mountinfo:
        return mountinfo.read()


def _mount_in(mountinfo: str, path: str) -> tuple[str, str, str, str]:
    """Return the mount that has the longest mount point above `path`, the later of equals: point, root, type, source.

    proc(5), mountinfo: the root within the file system is the fourth field, the mount point the fifth, space and the
    like written in octal; type and source follow ' - '.
    """
    found = ("", "", "unknown", "")
    for line in filter(None, mountinfo.split("\n")):
        fields, _, rest = line.partition(" - ")
        root, point = (_plain(field) for field in fields.split(" ")[3:5])
        if len(point) >= len(found[0]) and (path == point or path.startswith(point.rstrip("/") + "/")):
            name, source, *_ = rest.split(" ")
            found = (point, root, name, _plain(source))
    return found


def _plain(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), field)


def identity(path: Path) -> tuple[int, int]:
    """Return (st_dev, st_ino) of a folder: they differ after it was unmounted, or deleted and made again.

    Raises FolderUnavailable.
    """
    try:
        status = os.stat(path)
    except OSError as error:
        raise FolderUnavailable(f"The folder {path} is not there or cannot be seen ({error.strerror}).") from error
    return status.st_dev, status.st_ino
