"""Uploads files to an S3-compatible object store, through obstore (the extra `s3`).

The ledger keeps `s3://bucket/key`; the URL that a job is given is made of it when the job is sent. A key holds the
content's digest, so that what is there under it is the file: nothing is overwritten, and nothing uploaded twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from agent.core.image_format import EXTENSIONS, HEAD_BYTES, format_of
from agent.core.retry import STORE
from agent.errors import FileChanged, FolderUnavailable, Refused, TryLater
from agent.model.hosts import is_loopback
from agent.publishing import object_errors
from agent.publishing.object_keys import folder_of, key_of, place_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from obstore.store import ClientConfig, RetryConfig

    from agent.folder.scanner import Scanner
    from agent.model import Frame
    from agent.publishing.s3_credentials import Credentials

CHUNK_BYTES = 8 * 2**20
"""Files up to this size are sent in one request; larger ones in parts of it, so that memory stays bounded.

With obstore's two parts under way, a worker holds some 24 MiB at most.
"""
CHECK_NAME = "playment-agent-check"
CHECK_TEXT = b"Written by playment-agent to see whether it may upload here. It may be deleted.\n"

_TYPES = {form: f"image/{form.lower()}" for form in EXTENSIONS}
_HINTS = 10_000

_RETRIES: Final[RetryConfig] = {
    "max_retries": STORE.tries - 1,
    "retry_timeout": timedelta(seconds=STORE.patience),
    "backoff": {
        "init_backoff": timedelta(seconds=STORE.seconds()),
        "max_backoff": timedelta(seconds=STORE.longest),
        "base": STORE.growth,
    },
}

Style = Literal["signed", "public", "native"]


class ObjectStore:
    """Publishes to the bucket and below the prefix of `to` (`s3://bucket/prefix/`). Safe to use from several threads.

    `endpoint` '' stands for Amazon's own of the region. `style` says which URL a job is given, `signed_seconds` how
    long a signed one lives.
    """

    uploads = True

    def __init__(
        self,
        to: str,
        credentials: Credentials,
        scanner: Scanner,
        *,
        endpoint: str = "",
        region: str | None = None,
        style: Style = "signed",
        signed_seconds: int = 86_400,
    ) -> None:
        self._place = place_of(to)
        self._credentials = credentials
        self._scanner = scanner
        self._region = region or credentials.region or "us-east-1"
        self._endpoint = endpoint or f"https://s3.{self._region}.amazonaws.com"
        self._style = style
        self._life = timedelta(seconds=signed_seconds)
        self._stores: dict[str, S3Store] = {}
        self._lock = threading.Lock()
        self._conditional = True
        self._there: set[str] = set()

    @property
    def caution(self) -> str:
        """Say where signed URLs end with the credentials that signed them.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html: 'expires when the credential
        is revoked, deleted, or deactivated … even if the URL was created with a later expiration time'.
        """
        if self._style != "signed" or not self._credentials.ends:
            return ""
        return (
            "signed URLs end with the credentials that sign them, and a role's or session's live for hours only, "
            "whatever PUBLISH_SIGNED_SECONDS says: where they must last, use a user's key, or other PUBLISH_URLS"
        )

    def source(self, path: str, digest: str) -> str:
        """Return `s3://bucket/key`. Raises Refused (`name`) where the key would be too long."""
        return f"s3://{self._place.bucket}/{key_of(self._place.prefix, path, digest)}"

    def address(self, source: str) -> str:
        """Return the URL of the style that is set; a signed one lives from now on.

        A source of earlier settings, which no object store held, is its own address.
        """
        if not source.startswith("s3://") or self._style == "native":
            return source
        bucket, key = place_of(source)
        if self._style == "public":
            return f"{self._endpoint}/{bucket}/{key}"
        with self._ours(bucket):
            return obstore.sign(self._store(bucket), "GET", key, self._life)

    def publish(self, frame: Frame, *, expected: bool) -> int:
        """Upload the frame unless its key is there, and return how many bytes that took.

        A folder's next file is only asked for, without its bytes, while the last one was there already: so a crash
        half-way through a thousand frames goes on where it stopped. Raises RemoteError, FileChanged where the file
        is not the one that was settled, FolderUnavailable.
        """
        assert frame.src is not None
        if not frame.src.startswith("s3://"):
            return 0
        bucket, key = place_of(frame.src)
        folder = folder_of(key)
        with self._ours(bucket):
            asks = expected or folder in self._there or frame.stamp.size > CHUNK_BYTES or not self._conditional
            if asks and self._is_there(bucket, key, frame):
                self._expect(folder)
                return 0
            self._there.discard(folder)
            try:
                self._upload(bucket, key, frame)
            except AlreadyExistsError:
                self._expect(folder)
                self._is_there(bucket, key, frame)
                return 0
        return frame.stamp.size

    def check_access(self) -> None:
        """Write a small object of our own. Raises RemoteError."""
        with self._ours(self._place.bucket):
            key = f"{self._place.prefix}{CHECK_NAME}"
            obstore.put(self._store(self._place.bucket), key, CHECK_TEXT, attributes={"Content-Type": "text/plain"})

    def sample(self) -> tuple[str, int | None]:
        """Return the object that `check_access` has written."""
        return f"s3://{self._place.bucket}/{self._place.prefix}{CHECK_NAME}", len(CHECK_TEXT)

    def _expect(self, folder: str) -> None:
        if len(self._there) >= _HINTS:
            self._there.clear()
        self._there.add(folder)

    def _is_there(self, bucket: str, key: str, frame: Frame) -> bool:
        """Tell whether the key holds as many bytes; Refused where it holds another number, which no one can mend."""
        try:
            size = obstore.head(self._store(bucket), key)["size"]
        except FileNotFoundError:
            return False
        except BaseError as error:
            if " 403 " in str(error).partition("\n")[0]:
                return False  # S3 says 403 for a missing key to those who may not list the bucket
            raise
        if size != frame.stamp.size:
            raise Refused(
                f"s3://{bucket}/{key} holds {size:,} bytes, and the file has {frame.stamp.size:,}: nothing is ever "
                "overwritten; delete it there, and retry",
                code="store-other",
            )
        return True

    def _upload(self, bucket: str, key: str, frame: Frame) -> None:
        store = self._store(bucket)
        with self._scanner.open_file(frame.path) as fd:
            chunks = _Chunks(fd, frame)
            if frame.stamp.size > CHUNK_BYTES:
                attributes = _attributes(os.pread(fd, HEAD_BYTES, 0))
                obstore.put(store, key, iter(chunks), attributes=attributes, chunk_size=CHUNK_BYTES, max_concurrency=2)
                return
            content = b"".join(chunks)
        attributes = _attributes(content[:HEAD_BYTES])
        if self._conditional:
            try:
                obstore.put(store, key, content, attributes=attributes, mode="create")
            except BaseError as error:
                if object_errors.code_of(str(error)) != "NotImplemented":
                    raise
                self._conditional = False
            else:
                return
        # Asked before, and the digest is in the key: what could be overwritten are the same bytes.
        obstore.put(store, key, content, attributes=attributes, use_multipart=False)

    @contextlib.contextmanager
    def _ours(self, bucket: str) -> Iterator[None]:
        """Turn what obstore and the file system raise into our errors."""
        try:
            yield
        except (FileChanged, FolderUnavailable, AlreadyExistsError):
            raise
        except (BaseError, FileNotFoundError) as error:
            # An answer's text holds URLs and pages of debugging: only what is known of it goes on.
            raise self._error(str(error), bucket) from None
        except OSError as error:
            sentence = f"a file cannot be read now: {error.strerror}"
            raise TryLater(sentence, code="file", refused=True, is_local=True) from error

    def _error(self, text: str, bucket: str) -> Exception:
        if self._credentials.provide is None and f" {self._endpoint}/" not in text.partition("\n")[0]:
            return object_errors.no_credentials(text, bucket)
        return object_errors.classify(text, bucket)

    def _store(self, bucket: str) -> S3Store:
        with self._lock:
            if bucket not in self._stores:
                self._stores[bucket] = self._made(bucket)
            return self._stores[bucket]

    def _made(self, bucket: str) -> S3Store:
        # Every key is given, so that the environment cannot set it otherwise than the settings say.
        config: dict[str, Any] = {
            "endpoint": self._endpoint,
            "aws_endpoint_url_s3": self._endpoint,
            "region": self._region,
            "virtual_hosted_style_request": False,
            "skip_signature": False,
            "checksum_algorithm": "SHA256",
            "conditional_put": "etag",
        }
        return S3Store(
            bucket,
            config=config,  # type: ignore[arg-type]  # the typed dict lacks a key that obstore knows
            client_options={
                "allow_http": self._endpoint.startswith("http://"),
                "timeout": timedelta(seconds=STORE.patience),
                "connect_timeout": timedelta(seconds=10),
                **_past_proxies(self._endpoint),
            },
            retry_config=_RETRIES,
            credential_provider=self._credentials.provide,
        )


def _attributes(head: bytes) -> dict[str, str]:
    """Return what is said of a file that begins so."""
    return {"Content-Type": _TYPES.get(format_of(head) or "", "application/octet-stream")}


def _past_proxies(endpoint: str) -> ClientConfig:
    """Return the options by which a store on this machine is asked directly, whatever proxies the environment names."""
    host = urlsplit(endpoint).hostname or ""
    if not is_loopback(host):
        return {}
    # A proxy of our own takes the place of the environment's, and is then left out for this host.
    return {"proxy_url": "http://127.0.0.1:9", "proxy_excludes": host}


class _Chunks:
    """A file's bytes in pieces, which end in FileChanged unless they are those that were settled."""

    def __init__(self, fd: int, frame: Frame) -> None:
        if not frame.stamp.is_of(os.fstat(fd)):
            raise FileChanged(f"{frame.frame_id} changed before it was uploaded")
        self._fd = fd
        self._frame = frame

    def __iter__(self) -> Iterator[bytes]:
        frame, digest, offset = self._frame, hashlib.sha256(), 0
        # No more is asked for than there is: memory for 8 MiB takes ten times as long to get as 200 KB to read.
        while chunk := os.pread(self._fd, min(CHUNK_BYTES, frame.stamp.size - offset), offset):
            offset += len(chunk)
            digest.update(chunk)
            if offset >= frame.stamp.size:
                break
            yield chunk
        # The last piece is held back until all are known to be right: without it nothing appears in the store. Times
        # that have moved meanwhile are no matter: the bytes are the ones that settled.
        if digest.hexdigest() != frame.digest or os.fstat(self._fd).st_size != frame.stamp.size:
            raise FileChanged(f"{frame.frame_id} changed while it was uploaded")
        yield chunk
