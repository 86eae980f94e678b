"""What the body of an answer holds: its JSON, within limits, and never the secret that it was asked with."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.http.transport import Reply

_SECRET_CHARACTERS: Final = 8  # a shorter text is no secret of a vendor's, and may stand anywhere in an answer


def secret_forms(secret: str) -> frozenset[bytes]:
    """Return what a secret may look like in an answer."""
    if len(secret) < _SECRET_CHARACTERS:
        return frozenset()
    in_json = json.dumps(secret)[1:-1]
    return frozenset(form.encode() for form in (secret, in_json, in_json.replace("/", "\\/")))


def without_secret(reply: Reply, forms: Iterable[bytes]) -> Reply:
    """Return the answer without the secret, should it be repeated: what an answer says is logged and kept."""
    body = reply.body
    for form in forms:
        body = body.replace(form, b"[the key]")
    return replace(reply, body=body)


def is_too_large(reply: Reply, most_parts: int) -> bool:
    """Tell whether an answer is past one of the limits."""
    return reply.cut or sum(map(reply.body.count, (b",", b"[", b"{"))) > most_parts


def json_of(reply: Reply, most_parts: int) -> tuple[object, str]:
    """Return the body's JSON, or None and why it cannot be read: small parts take 25 times their size in memory."""
    if reply.cut:
        return None, "the body is too large"
    if is_too_large(reply, most_parts):
        return None, "the body has too many parts"
    try:
        return json.loads(reply.body), ""
    except RecursionError:
        return None, "the body is nested too deeply"
    except ValueError:
        start = reply.body[:60].decode(errors="replace")
        return None, f"the body begins with '{start}'" if start else "the body is empty"
