"""The watch folder is served already: a file's URL is the base URL and its path."""

from __future__ import annotations

from os import fsencode
from typing import TYPE_CHECKING
from urllib.parse import quote

from agent.errors import Refused

if TYPE_CHECKING:
    from agent.model import Frame

URL_CHARACTERS = 8000
"""The longest URL that is sent.

nginx and Apache answer 414 to a request line that does not fit their default 8 KiB (measured here: nginx takes
8,177 characters of path), and other servers are no more generous.
"""


class BaseUrl:
    """Names the files of the watch folder below `base`, which ends with a slash."""

    uploads = False
    caution = ""

    def __init__(self, base: str) -> None:
        self._base = base

    def source(self, path: str, digest: str) -> str:  # noqa: ARG002 - the path alone names a file that is served
        """Return the base URL and the percent-encoding of the path's bytes (RFC 3986: all but letters, digits, -._~/).

        Raises Refused (`name`) where the URL would be longer than web servers take.
        """
        url = self._base + quote(fsencode(path), safe="/")
        if len(url) > URL_CHARACTERS:
            raise Refused(
                f"the file's URL would be {len(url):,} characters long, and web servers take no more than "
                f"{URL_CHARACTERS:,}: use shorter folder and file names",
                code="name",
            )
        return url

    def publish(self, frame: Frame, *, expected: bool) -> int:  # noqa: ARG002
        """Send nothing: the file is served where it lies."""
        return 0

    def address(self, source: str) -> str:
        """Return the URL itself. Raises Refused (`moved`) for a file that earlier settings had uploaded."""
        if not source.startswith(("https://", "http://")):
            raise Refused(
                f"its files were published to {source.rpartition('/')[0]}/ by earlier settings: set PUBLISH_TO as it "
                "was, and retry it",
                code="moved",
            )
        return source

    def check_access(self) -> None:
        """Do nothing: no part of a base URL is ours."""

    def sample(self) -> tuple[str, int | None]:
        """Return the base URL itself: a server may list the folder, or refuse to, but it answers."""
        return self._base, None
