"""What Playment refuses in a request's body, with the documented codes.

Source: the vendor's reference pages (`playment.readme.io`, TELUS GT Studio). They say nothing of the order of the
checks: here a missing part is told before a wrong one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from uuid import UUID

from agent.model import Edition, is_utf8

if TYPE_CHECKING:
    from collections.abc import Mapping

PRIORITIES: Final = {Edition.V0: range(1, 11), Edition.V1: range(1, 10)}
DEFAULT_PRIORITY: Final = 5
INVALID: Final = "FS_0003"
TRY_LATER: Final = "FS_0000"
NOT_FETCHED: Final = "FS_0007"

_SCHEMES: Final = frozenset({"http", "https", "s3", "gs"})


class Refusal(Exception):
    """A failure as the API tells it: `{"error": {"code", "message"}, "success": false}` with `status`."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        self.code = code
        self.status = status
        super().__init__(message)


def decoded(body: bytes) -> dict[str, object]:
    """Return the JSON object in `body`, or raise `Refusal` (GE_0001)."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise Refusal("GE_0001", "Malformed JSON") from None
    if not isinstance(value, dict):
        raise Refusal("GE_0001", "Malformed JSON: not an object")
    return value


def check_batch(body: Mapping[str, object]) -> None:
    """Raise `Refusal` unless `body` creates a batch. The vendor's SDK leaves out `project_id`."""
    for key in ("name", "label", "description"):
        if body.get(key) is None or (key != "description" and body[key] == ""):
            raise Refusal("GE_0002", f"Parameter missing: {key}")
        if not isinstance(body[key], str):
            raise Refusal("GE_0001", f"Malformed JSON: {key} is not a string")


def check_job(body: Mapping[str, object], edition: Edition) -> list[str]:
    """Return the URLs of the job's files in order, or raise `Refusal` with the documented code."""
    _check_text(body, "reference_id", "FS_0002")
    if body.get("data") is None:
        raise Refusal("FS_0004", "Data missing")
    _check_text(body, "tag" if edition is Edition.V0 else "work_flow_id", "FS_0005")
    if edition is Edition.V1:
        check_uuid(body["work_flow_id"])
    priority = body.get("priority_weight")
    if priority is not None and (type(priority) is not int or priority not in PRIORITIES[edition]):
        raise Refusal("FS_00012", "Priority weight out of range")
    return _sources(body["data"])


def check_uuid(value: object) -> None:
    """Raise `Refusal` (GE_0001) unless `value` is a UUID's text."""
    try:
        UUID(value if isinstance(value, str) else "")
    except ValueError:
        raise Refusal("GE_0001", "Invalid UUID passed") from None


def _check_text(body: Mapping[str, object], key: str, missing: str) -> None:
    value = body.get(key)
    if value is None or value == "":
        raise Refusal(missing, f"{key} is missing")
    if not isinstance(value, str):
        raise Refusal("GE_0001", f"Malformed JSON: {key} is not a string")


def _sources(data: object) -> list[str]:
    """Return the URLs in a job's `data`: an image's one, or a sequence's in order."""
    if not isinstance(data, dict) or ("image_url" in data) is ("video_data" in data):
        raise Refusal(INVALID, "Data is neither an image_url nor video_data")
    if "image_url" in data:
        return [_url(data["image_url"])]
    video = data["video_data"]
    frames = video.get("frames") if isinstance(video, dict) else None
    if not isinstance(frames, list) or not frames or not all(isinstance(frame, dict) for frame in frames):
        raise Refusal(INVALID, "video_data.frames is not a list of frames")
    ids = [frame.get("frame_id") for frame in frames]
    if not all(isinstance(name, str) and name.strip() and is_utf8(name) for name in ids):
        raise Refusal(INVALID, "Invalid string for frame_id detected in sequential data")
    if len(set(ids)) < len(ids):
        raise Refusal(INVALID, "Duplicate frame_id detected in sequential data")
    return [_url(frame.get("src")) for frame in frames]


def _url(value: object) -> str:
    """Return a URL that can be fetched as it stands: printable ASCII, one of the documented schemes, a host."""
    if isinstance(value, str) and value.isascii() and value.isprintable() and " " not in value:
        try:
            parts = urlsplit(value)
            host = parts.hostname
        except ValueError:
            host = None
        if host and parts.scheme in _SCHEMES:
            return value
    raise Refusal(INVALID, "Data URL invalid")
