"""Where files gain the URLs that the target, or its page, reads them from: one module for each kind of place. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from agent.errors import Refused

if TYPE_CHECKING:
    from agent.model import Frame
    from agent.model.jobs import Namer


class Publisher(Protocol):
    """A place where the files of the watch folder can be reached. Safe to use from several threads."""

    @property
    def uploads(self) -> bool:
        """Whether each file must be handed to `publish` before its address answers."""
        ...

    @property
    def caution(self) -> str:
        """What a person should know of these settings, as a sentence; '' where there is nothing."""
        ...

    def source(self, path: str, digest: str) -> str:
        """Return the URL of the file at `path`, whose sha256 in hex is `digest`: what the ledger keeps, no secret.

        Raises Refused (`name`) where the file can have none.
        """
        ...

    def publish(self, frame: Frame, *, expected: bool) -> int:
        """Have the frame's bytes at its `src`, and return how many were sent: none where they are there already.

        `expected` tells that they are most likely there. Raises RemoteError, FileChanged, FolderUnavailable.
        """
        ...

    def address(self, source: str) -> str:
        """Return the URL by which the target reads a `source` from now on; it may hold a signature.

        Raises RemoteError.
        """
        ...

    def check_access(self) -> None:
        """Return if files may be published at all now. Raises RemoteError."""
        ...

    def sample(self) -> tuple[str, int | None]:
        """Return the `source` of something that is there without any file, once `check_access` has returned.

        With it comes its size in bytes, None where what it answers tells nothing but that somebody does.
        """
        ...


def is_outage(code: str) -> bool:
    """Tell whether a code that the ledger has kept is of an Unpublished."""
    return code == "probe" or code.startswith("store")


def namer(publisher: Publisher) -> Namer:
    """Return what gives a frame its `src` by `publisher`, or None: a refusal is told of when it is to be sent."""

    def name(frame: Frame) -> str | None:
        try:
            return publisher.source(frame.path, frame.digest)
        except Refused:
            return None

    return name
