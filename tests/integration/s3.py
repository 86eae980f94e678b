"""What the tests of object stores share: settings that publish to a `Store`, and a publisher of its files."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import obstore
from obstore.store import S3Store

from agent.core.names import Filters
from agent.demo.store import ACCESS_KEY, BUCKET, SECRET_KEY
from agent.folder.scanner import Scanner
from agent.model import Frame, basename
from agent.publishing.object_store import ObjectStore
from agent.publishing.s3_credentials import Credentials, find

if TYPE_CHECKING:
    from pathlib import Path

AWS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}


def settings_for(url: str, prefix: str, **changed: str) -> dict[str, str]:
    """Return the settings that publish below a prefix of the store at `url`."""
    return {
        "PUBLISH_TO": f"s3://{BUCKET}/{prefix}",
        "PUBLISH_ENDPOINT": url,
        "PUBLISH_PROBE": "all",
        "HOME": "/nonexistent",
        **AWS,
        **changed,
    }


def publisher(url: str, root: Path, prefix: str = "", **changed: Any) -> ObjectStore:
    """Return a publisher of the files below `root`."""
    options: dict[str, Any] = {"credentials": find(AWS), "endpoint": url, **changed}
    credentials: Credentials = options.pop("credentials")
    return ObjectStore(f"s3://{BUCKET}/{prefix}", credentials, Scanner(root, Filters.of(("jpg",))), **options)


def frame(store: ObjectStore, root: Path, path: str) -> Frame:
    """Return the frame of a file that is there, named for the store."""
    content = (root / path).read_bytes()
    stamp = Scanner(root, Filters.of(("jpg",))).stamp(path)
    assert stamp is not None
    digest = hashlib.sha256(content).hexdigest()
    return Frame(0, basename(path), path, stamp, digest, store.source(path, digest))


def keys(url: str, prefix: str = "") -> list[str]:
    """Return every key below a prefix, sorted."""
    return sorted(each["path"] for page in obstore.list(_client(url), prefix or None) for each in page)


def _client(url: str) -> S3Store:
    return S3Store(
        BUCKET,
        config={"access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY, "endpoint": url, "region": "us-east-1"},
        client_options={"allow_http": True},
    )
