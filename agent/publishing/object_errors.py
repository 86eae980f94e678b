"""What an object store answers → our errors. Pure.

Sources: Amazon S3's list of error codes (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html), which
the S3-compatible stores share, and what SeaweedFS 4.48 and obstore 0.12.1 were seen to say.
"""

from __future__ import annotations

import html
import re
from typing import Final

from agent.errors import Refused, RemoteError, StoreRefused, Unpublished
from agent.model.text import bounded

_STATUS: Final = re.compile(r"status code: (\d{3})")
_CODE: Final = re.compile(r"<Code>([A-Za-z0-9.]{1,80})</Code>")
_MESSAGE: Final = re.compile(r"<Message>([^<]*)</Message>")
_CAUSE: Final = re.compile(r'(?:message|error): "([^"]+)"')
_DEBUG: Final = "\n\nDebug source:"

_REGION: Final = "the store says that the bucket is in another region: look at PUBLISH_REGION and PUBLISH_ENDPOINT"
_OVER: Final = "the credentials' session is over: renew them"
_CLOSED: Final = {
    "NoSuchBucket": "the bucket is not there: make it, or look at PUBLISH_TO",
    "InvalidBucketName": "the store does not take this bucket's name: look at PUBLISH_TO",
    "AccessDenied": "the credentials may not do this (they need s3:PutObject, s3:GetObject), or the bucket is missing",
    "InvalidAccessKeyId": "the store does not know the access key: look at AWS_ACCESS_KEY_ID or the profile",
    "SignatureDoesNotMatch": "the secret does not fit the access key: look at AWS_SECRET_ACCESS_KEY or the profile",
    "RequestTimeTooSkewed": "this machine's clock is off: set it, and keep it right (timedatectl set-ntp true)",
    "AuthorizationHeaderMalformed": _REGION,
    "PermanentRedirect": _REGION,
    "TemporaryRedirect": _REGION,
    "ExpiredToken": _OVER,
    "InvalidToken": _OVER,
    "TokenRefreshRequired": _OVER,
}
_DAMAGED: Final = "the store got other bytes than were sent: the network or a proxy damages them"
_FULL: Final = "the store is full, or its quota is used up: make room there"
_PASSING: Final = {
    "BadDigest": _DAMAGED,
    "XAmzContentSHA256Mismatch": _DAMAGED,
    "XAmzContentChecksumMismatch": _DAMAGED,
    "QuotaExceeded": _FULL,
    "InsufficientStorage": _FULL,
    "XMinioStorageFull": _FULL,
    "SlowDown": "the store asks for fewer requests",
    "RequestTimeout": "the store did not get the whole file in time",
    "OperationAborted": "the store was busy with this key",
    "ConditionalRequestConflict": "the store was busy with this key",
}
_PERMANENT: Final = {
    "EntityTooLarge": "the store does not take files of this size",
    "KeyTooLongError": "the store does not take a key of this length: use shorter folder and file names",
}


def code_of(text: str) -> str | None:
    """Return the store's own error code in an error's text, or None where it gave none."""
    found = _CODE.search(text)
    return found[1] if found else None


def classify(text: str, bucket: str) -> RemoteError:
    """Return our error for an error's text of obstore's; its code is `store-` and the store's own, or the status.

    Nothing of the text is kept but the store's code and message: it repeats URLs, and pages of debugging.
    """
    status, code = _found(_STATUS, text), code_of(text)
    named = f"store-{code or status or 'connection'}"
    if status is None:
        return _unanswered(text, bucket)
    told = ", ".join(
        part for part in (f"HTTP {status}", code, bounded(html.unescape(_found(_MESSAGE, text) or ""))) if part
    )

    def sentence(words: str) -> str:
        return f"the object store, bucket {bucket}: {words} ({told})"

    if code in _CLOSED:
        return StoreRefused(sentence(_CLOSED[code]), code=named)
    if code in _PERMANENT:
        return Refused(sentence(_PERMANENT[code]), code=named)
    if code in _PASSING or status in {"408", "409", "429"} or status >= "500":
        full = _FULL if status == "507" else "it cannot take the file now; see whether it is full"
        return Unpublished(sentence(_PASSING.get(code or "", full)), code=named)
    if status in {"401", "403"} or status < "400":
        return StoreRefused(sentence("it refuses the credentials or the bucket"), code=named)
    return Refused(sentence("it refuses this file"), code=named)


def _unanswered(text: str, bucket: str) -> RemoteError:
    """Return the error for a text that tells of no answer: of the way there, or of looking for credentials."""
    head = bounded(text.partition(_DEBUG)[0])
    if "credential provider" in head:
        cause = head.rpartition("provider: ")[2].partition(": ")[2]  # behind the name of the exception
        return StoreRefused(f"no credentials for bucket {bucket}: {cause}", code="store-key")
    cause = bounded(_found(_CAUSE, text) or head)
    return Unpublished(f"the object store of bucket {bucket} cannot be reached: {cause}", code="store")


def no_credentials(text: str, bucket: str) -> StoreRefused:
    """Return the error for a machine that has no role, where no credentials were set."""
    status = _found(_STATUS, text)
    cause = f"HTTP {status}" if status else bounded(_found(_CAUSE, text) or text.partition(_DEBUG)[0])
    return StoreRefused(
        f"no credentials for bucket {bucket}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile; the "
        f"machine's role was asked for and not found ({cause})",
        code="store-key",
    )


def _found(pattern: re.Pattern[str], text: str) -> str | None:
    found = pattern.search(text)
    return found[1] if found else None
