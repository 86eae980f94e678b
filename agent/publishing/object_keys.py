"""The keys and URLs of what is uploaded to an object store. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from agent.errors import Refused
from agent.model import basename, parent

KEY_BYTES = 1024
"""The longest key of S3: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html."""
DIGEST_CHARACTERS = 12

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


class Place(NamedTuple):
    """A bucket and the prefix within it, '' or with a slash at its end."""

    bucket: str
    prefix: str


def place_of(url: str) -> Place:
    """Return the bucket and prefix of `s3://bucket/prefix/`, or the bucket and key of `s3://bucket/key`."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    return Place(bucket, prefix)


def key_of(prefix: str, path: str, digest: str) -> str:
    """Return `prefix<folder>/<first 12 of the digest>/<name>`: plain ASCII, since signers differ on all else.

    What is not a letter, a digit or one of `._-` becomes `_`. Files whose keys become equal have equal digests too.
    Raises Refused (`name`) where the key would be longer than stores take.
    """
    folder = "".join(f"{_UNSAFE.sub('_', part)}/" for part in parent(path).split("/") if part)
    key = f"{prefix}{folder}{digest[:DIGEST_CHARACTERS]}/{_UNSAFE.sub('_', basename(path))}"
    if len(key) > KEY_BYTES:
        raise Refused(
            f"the file's key in the object store would be {len(key):,} characters long, and stores take no more than "
            f"{KEY_BYTES:,}: use shorter folder and file names",
            code="name",
        )
    return key


def folder_of(key: str) -> str:
    """Return the part of a key that all files of one folder share."""
    return parent(parent(key))
