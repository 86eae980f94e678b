"""Where files gain the URLs that Playment reads them from: one module for each kind of place."""

from __future__ import annotations

from typing import Protocol


class Publisher(Protocol):
    """A place where the files of the watch folder can be reached."""

    def source(self, path: str, digest: str) -> str:
        """Return the URL of the file at `path`, whose sha256 in hex is `digest`.

        It is what the ledger keeps and the job sends. Raises Refused (`name`) where the file can have none.
        """
        ...
