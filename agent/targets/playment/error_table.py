"""The one table that turns Playment's failures into ours. Pure.

Source: the error codes of the vendor's reference pages (`playment.readme.io`, TELUS GT Studio) and of the open SDK's
`playment/exception.py`. HTTP 408, 429, 5xx and broken connections are not documented and carry no promise; 443 and 444
are among those that the SDK posts again.
"""

from __future__ import annotations

import re
from typing import Final

from agent.core.retry import UNREACHABLE_FILE
from agent.errors import (
    NO_ANSWER,
    AccessRefused,
    BatchExists,
    DuplicateReference,
    OutOfCredit,
    Refused,
    RemoteError,
    TryLater,
)
from agent.model.text import bounded
from agent.targets.playment import NAME

_CODE_CHARACTERS: Final = 80

_FAILED_LATER: Final = "job-failed"
_DUPLICATE: Final = "FS_0001"
_NOT_FETCHED: Final = "FS_0007"
_BATCH_EXISTS: Final = "BATCH_CREATION"

_PERMANENT: Final = {
    "FS_0002": "Playment says that the reference_id is missing",
    "FS_0003": "Playment says that the data is not valid (a bad URL, a frame_id used twice or not a proper string)",
    "FS_0004": "Playment says that the data is missing",
    "FS_0005": "Playment says that the tag is missing: set PLAYMENT_TAG or PLAYMENT_WORK_FLOW_ID",
    "FS_0006": "Playment knows no such job",
    "FS_00011": "Playment says that the job type is not one of the project's",
    "FS_00012": "Playment says that the priority weight is out of range: v0 takes 1 to 10, v1 takes 1 to 9",
    "GE_0001": "Playment says that the JSON is malformed or that an id is not a UUID",
    "GE_0002": "Playment says that a parameter is missing",
    "invalid_request_error": "Playment does not know this page token",
    _DUPLICATE: "Playment already has a job with this reference_id",
    _BATCH_EXISTS: "Playment already has a batch of this name in the project",
}
_PASSING: Final = {
    "FS_0000": "Playment says that something is wrong at its end",
    "FS_0008": "Playment says that something is wrong at its end",
    "api_error": "Playment says that something is wrong at its end",
    _NOT_FETCHED: "Playment could not read a file of this job from its URL",
}
_OUTAGES: Final = NO_ANSWER | _PASSING.keys() - {_NOT_FETCHED}
_ACCESS: Final = frozenset(
    {
        "auth-failure",
        "unauthorized",
        "unauthorized_request",
        "core.webutil.auther",
        "core.webutil.token_auth",
        "resource_error",
    }
)
_PASSING_STATUS: Final = frozenset({408, 429, 443, 444})
"""HTTP statuses below 500 that are passing, whatever code they come with."""
TOO_LARGE: Final = 413
_NO_CREDIT: Final = 402
_OF_CREDIT: Final = re.compile(r"credit|balance|billing|payment_required|insufficient_funds", re.IGNORECASE)
"""How a code may say it: the vendor's pages name none, and say that every failure of theirs has HTTP 400."""


def classify(status: int, code: str | None, message: str, retry_after: float | None) -> RemoteError:
    """Return the error for an answer that is no success.

    `status` is the HTTP status, `code` and `message` the vendor's where the body had them, `retry_after` in seconds.
    The result's class says what to do: `TryLater`, `DuplicateReference`, `BatchExists`, another `Refused`, or
    `AccessRefused`, also `OutOfCredit`. Its code is the vendor's, or `http-<status>`, or `bad-reply` for a 2xx that is
    not as documented.
    Only the vendor's word `FS_0007` proves that nothing was made; every other `TryLater` leaves that open. It alone is
    given up in time: the bucket's rights and a fresh upload have a day to come through.
    """
    code = _bounded_code(code)
    words = _words(status, code, message)
    if status in _PASSING_STATUS or status >= 500:
        sentence = "Playment asks for fewer requests" if status == 429 else "Playment has a passing failure"
        code = f"http-{status}"
        return TryLater(
            f"{sentence} ({words})",
            code=code,
            retry_after=retry_after,
            is_outage=is_outage(code),
            is_too_often=status == 429,
        )
    if 300 <= status < 400 or status in {401, 403} or code in _ACCESS:
        return _access_refused(status, code, words)
    if code in _PASSING:
        return TryLater(
            f"{_PASSING[code]} ({words})",
            code=code,
            retry_after=retry_after,
            refused=code == _NOT_FETCHED,
            is_outage=is_outage(code),
            patience=UNREACHABLE_FILE.patience if code == _NOT_FETCHED else None,
        )
    if code in _PERMANENT:
        kind = {_DUPLICATE: DuplicateReference, _BATCH_EXISTS: BatchExists}.get(code, Refused)
        return kind(f"{_PERMANENT[code]} ({words})", code=code)
    return _unknown(status, code, words)


def _unknown(status: int, code: str | None, words: str) -> RemoteError:
    """Return the error for a code that the table does not have."""
    if status == _NO_CREDIT or (status >= 400 and _OF_CREDIT.search(code or "")):
        sentence = f"{NAME} takes no job, since the account has no credit left: top it up there"
        return OutOfCredit(f"{sentence} ({words})", code=code or f"http-{status}")
    if status < 300:
        sentence = f"Playment's answer is not the documented JSON ({words})"
        return TryLater(sentence, code="bad-reply", is_outage=is_outage("bad-reply"))
    return Refused(
        f"Playment refused this for a reason that this agent does not know ({words})", code=code or f"http-{status}"
    )


def is_outage(code: str) -> bool:
    """Tell whether a code, which may be one that was kept, is of Playment's own trouble and not of a job's."""
    return code in _OUTAGES or code.startswith("http-5")


def too_large(frames: int, size: int, code: str | None, message: str) -> Refused:
    """Return the error for a job whose request the server finds too large; `size` is the body's, in bytes.

    `code` and `message` are the vendor's, where it says any.
    """
    return Refused(
        f"too large for the server: {frames:,} frames, {size:,} bytes. Ask for a higher limit there, or on the proxy "
        "in between (nginx: client_max_body_size), and retry it; or split the folder, each part a job of its own "
        f"({_words(TOO_LARGE, _bounded_code(code), message)})",
        code=f"http-{TOO_LARGE}",
    )


def failed_later(code: str | None, message: str) -> tuple[str, str]:
    """Return the code and the sentence for a job that was taken, and that has failed since; None and '' tell nothing.

    Source: the vendor's page of callbacks, where files that stay invalid or unavailable end in `FAILED`, `FS_0003`.
    """
    code = _bounded_code(code)
    told = ": ".join(part for part in (code, bounded(message)) if part) or "it does not say why"
    return code or _FAILED_LATER, f"{NAME} took this job and says now that it has failed ({told})"


def _access_refused(status: int, code: str | None, words: str) -> AccessRefused:
    if 300 <= status < 400:
        sentence = "Playment answered with a redirect, and the key is never sent along: check PLAYMENT_BASE_URL"
        return AccessRefused(f"{sentence} ({words})", code=f"http-{status}")
    sentence = "Playment refused the key or the project: check PLAYMENT_API_KEY and PLAYMENT_PROJECT_ID"
    return AccessRefused(f"{sentence} ({words})", code=code or f"http-{status}")


def vendor_error(body: object) -> tuple[str | None, str]:
    """Return (code, message) of a decoded `{"error": {"code", "message"}}`; (None, '') for anything else."""
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return None, ""
    code, message = error.get("code"), error.get("message")
    return (code if isinstance(code, str) else None), (message if isinstance(message, str) else "")


def _bounded_code(code: str | None) -> str | None:
    """Return the code without blanks around it and not too long; None for an empty one."""
    if code is None:
        return None
    return bounded(code)[:_CODE_CHARACTERS] or None


def _words(status: int, code: str | None, message: str) -> str:
    """Return what the vendor said, for the brackets at a sentence's end."""
    told = ": ".join(part for part in (code, bounded(message)) if part)
    return f"HTTP {status}, {told}" if told else f"HTTP {status}"
