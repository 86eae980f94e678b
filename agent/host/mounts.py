"""What the agent asks of the machine it runs on: locks, `sd_notify`, the kind of a file system, inotify's limits."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
import socket
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from agent.errors import AlreadyRunning, FolderUnavailable, LedgerUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

log = logging.getLogger(__name__)

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


class Lock:
    """A held `flock`. It dies with its process, so a crash leaves nothing behind that is in the way."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def release(self) -> None:
        """Let go of the lock; a second call does nothing."""
        if self._descriptor is not None:
            # Closing alone would not do while a child that was just forked still has a copy of the descriptor.
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def lock_file(path: Path) -> Lock:
    """Lock `path` (`<ledger>.lock`, made when missing, mode 0600) and write this process's id into it.

    The file stays after release: removing it would let two processes lock two files of one name.
    Raises AlreadyRunning, or LedgerUnavailable where the file cannot be made, locked or written.
    """
    try:
        with contextlib.ExitStack() as undo:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            undo.callback(os.close, descriptor)
            _flock(descriptor, f"The ledger of {path}")
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            undo.pop_all()
    except OSError as error:
        raise LedgerUnavailable(
            f"The lock {path} cannot be taken ({error.strerror}): its folder must be there, writable and not full."
        ) from error
    return Lock(descriptor)


def lock_folder(path: Path) -> Lock:
    """Lock the folder itself, so that two agents with two ledgers cannot watch it both; nothing is written into it.

    Raises AlreadyRunning, or FolderUnavailable where it cannot be opened or locked.
    """
    try:
        with contextlib.ExitStack() as undo:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            undo.callback(os.close, descriptor)
            _flock(descriptor, f"The folder {path}")
            undo.pop_all()
    except OSError as error:
        raise FolderUnavailable(f"The folder {path} cannot be locked ({error.strerror}).") from error
    return Lock(descriptor)


def _flock(descriptor: int, what: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = _holder(descriptor)
        who = f"the process with id {pid}" if pid else "another process"
        raise AlreadyRunning(
            f"{what} is in use by {who}. Stop that one first: there is one agent per ledger and per watch folder."
        ) from None


def _holder(descriptor: int) -> int | None:
    """Return the id of the process that holds the flock: from the kernel, else from the file, else None.

    proc(5), /proc/locks: `1: FLOCK ADVISORY WRITE pid major:minor:inode 0 EOF`, the device's numbers in hex. Some file
    systems (btrfs, overlay) have another device there than in `stat`, and no id is shown of another pid namespace.
    """
    status = os.fstat(descriptor)
    wanted = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    with open("/proc/locks", encoding="ascii") as locks:
        for line in locks:
            fields = line.split()
            if fields[1] == "FLOCK" and fields[5] == wanted and int(fields[4]) > 0:
                return int(fields[4])
    written = b"" if stat.S_ISDIR(status.st_mode) else os.pread(descriptor, 20, 0).strip()
    return int(written) if written.isdigit() else None


class Notifier:
    """Tells systemd how the service is (sd_notify(3)); does nothing without $NOTIFY_SOCKET.

    `watchdog_seconds` is the time within which `watchdog` must be called again and again, or None
    (sd_watchdog_enabled(3)). A message that cannot be sent is logged, no more: the work goes on without systemd.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # A leading '@' stands for Linux's abstract namespace, whose names begin with a null byte.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_seconds: float | None = None
        microseconds = environ.get("WATCHDOG_USEC", "")
        if microseconds.isdecimal() and environ.get("WATCHDOG_PID") in {None, "", str(os.getpid())}:
            self.watchdog_seconds = int(microseconds) / 1e6

    def ready(self) -> None:
        """Say that the start is over."""
        self._send("READY=1")

    def status(self, text: str) -> None:
        """Show `text` in `systemctl status`; line breaks become spaces."""
        self._send("STATUS=" + " ".join(text.split()))

    def watchdog(self) -> None:
        """Say that the loop has turned once more."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """Say that the stop has begun."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as notify:
                notify.sendto(message.encode(errors="backslashreplace"), self._address)
        except OSError as error:
            log.warning("systemd was not told %r: %s", message, error)


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


@dataclass(frozen=True, slots=True)
class InotifyLimits:
    """The kernel's limits for one user (inotify(7)), by the names of their sysctls `fs.inotify.*`."""

    max_user_watches: int
    max_user_instances: int
    max_queued_events: int


def inotify_limits() -> InotifyLimits:
    """Return inotify's limits on this machine; raises OSError where the kernel has no inotify."""

    def limit(name: str) -> int:
        with open(f"/proc/sys/fs/inotify/{name}", encoding="ascii") as file:
            return int(file.read())

    return InotifyLimits(limit("max_user_watches"), limit("max_user_instances"), limit("max_queued_events"))


def inotify_watches() -> int:
    """Return how many inotify watches this process holds (proc(5), /proc/pid/fdinfo: a line `inotify wd:…` each)."""
    watches = 0
    for descriptor in os.listdir("/proc/self/fdinfo"):
        try:
            with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as lines:
                watches += sum(line.startswith("inotify ") for line in lines)
        except FileNotFoundError:
            continue  # closed since it was listed
    return watches
