"""A job's files, opened by the ledger's word alone: below their folder, through no link, and only what was read."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from typing import TYPE_CHECKING, Final

from agent.core.image_format import HEAD_BYTES
from agent.errors import AgentError, FileChanged, FolderUnavailable
from agent.model import Stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.folder.scanner import Scanner
    from agent.ledger.one_job import JobFrame

_MOST_PROVED: Final = 64 * 2**20
"""What is read again to see whether it is what was read before."""
_BLOCK: Final = 2**20
_BYTE: Final = re.compile(r"\\x([89a-f][0-9a-f])")


class NotThereError(AgentError):
    """A file is gone, has changed, or cannot be read: `str()` says so."""


@contextlib.contextmanager
def opened(scanner: Scanner, frame: JobFrame) -> Iterator[int]:
    """Give a descriptor of a frame's file, which is what was read when the job was settled. Raises NotThereError."""
    descriptor = _descriptor(scanner, frame.path)
    try:
        if _has_changed(descriptor, frame):
            raise NotThereError("its file has changed since it was read: what was read is not there any more")
        yield descriptor
    finally:
        os.close(descriptor)


def head(descriptor: int) -> bytes:
    """Return the bytes of a file that tell its format."""
    return os.pread(descriptor, HEAD_BYTES, 0)


def named(open_path: Callable[[str], int], path: str) -> int:
    r"""Open a path of the ledger, in which bytes that are no UTF-8 stand as `\xNN`, as names may do themselves.

    No path that was listed leads upwards: should one, it is not followed. Raises as `open_path` does.
    """
    if not {"", ".", ".."}.isdisjoint(path.split("/")):
        raise FileChanged(f"{path} is no path below the folder")
    try:
        return open_path(path)
    except FileChanged:
        raw = _BYTE.sub(lambda match: chr(0xDC00 + int(match[1], 16)), path)
        if raw == path:
            raise
        return open_path(raw)


def _descriptor(scanner: Scanner, path: str) -> int:
    try:
        return named(scanner.descriptor, path)
    except FileChanged as error:
        raise NotThereError(f"its file is gone: {error}") from None
    except FolderUnavailable as error:
        raise NotThereError(str(error)) from None
    except OSError as error:
        raise NotThereError(f"its file cannot be read: {error.strerror}") from None


def _has_changed(descriptor: int, frame: JobFrame) -> bool:
    """Tell whether a file is another than was read: by its stamp, and where only times differ, by its bytes."""
    if frame.stamp is None:
        return False
    status = os.fstat(descriptor)
    if frame.stamp.is_of(status):
        return False
    if frame.stamp.size != status.st_size:
        return True
    if not frame.digest or status.st_size > _MOST_PROVED:
        return frame.stamp.mtime_ns != Stamp.of(status).mtime_ns
    return _digest(descriptor) != frame.digest


def _digest(descriptor: int) -> str:
    digest = hashlib.sha256()
    at = 0
    try:
        while at < _MOST_PROVED and (block := os.pread(descriptor, _BLOCK, at)):
            digest.update(block)
            at += len(block)
    except OSError as error:
        raise NotThereError(f"its file cannot be read: {error.strerror}") from None
    return digest.hexdigest()
