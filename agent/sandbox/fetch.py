"""How the sandbox reads a job's files, as Playment does in its usual set-up."""

from __future__ import annotations

import hashlib
import http.client
from typing import Final
from urllib.parse import urlsplit

from agent.sandbox.rules import Refusal

_SECONDS: Final = 10.0
_BLOCK_BYTES: Final = 2**20


def digest_of(url: str) -> str:
    """Return the sha256 of the file at exactly this URL, fetched without credentials; raise FS_0007 where it cannot be.

    `http.client` sends the path as it stands. No redirect is followed, and nothing but HTTP is spoken.
    """
    parts = urlsplit(url)
    kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
    if parts.scheme not in kinds:
        raise Refusal("FS_0007", f"Image Urls not found: the sandbox cannot read {parts.scheme}:// URLs")
    target = url.partition("#")[0].split(parts.netloc, 1)[1]
    digest = hashlib.sha256()
    try:
        connection = kinds[parts.scheme](parts.netloc.rpartition("@")[2], timeout=_SECONDS)
        try:
            connection.request("GET", target if target.startswith("/") else f"/{target}")
            with connection.getresponse() as response:
                status = response.status
                while block := response.read(_BLOCK_BYTES):
                    digest.update(block)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as error:
        raise Refusal("FS_0007", f"Image Urls not found: {error}") from None
    if status != 200:
        raise Refusal("FS_0007", f"Image Urls not found: HTTP {status}")
    return digest.hexdigest()
