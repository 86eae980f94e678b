"""Foreign text, fit to be kept, shown or logged. Pure."""

from __future__ import annotations

import re
from typing import Final

MESSAGE_CHARACTERS: Final = 500
"""How much of a server's message is kept."""

CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters, the separators that end a line for some readers, and lone surrogates."""

_READ_CHARACTERS: Final = 4000
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_QUERY: Final = re.compile(r"\?[^\s\"'<>]+")


def bounded(text: str) -> str:
    """Return foreign text fit to be kept: no URL queries (they hold signatures), at most 500 characters.

    Lone surrogates and control characters (a terminal's escapes; people read the ledger there) are written as escapes.
    """
    text = _QUERY.sub("", text[:_READ_CHARACTERS]).encode(errors="backslashreplace").decode().strip()
    text = _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
    return text if len(text) <= MESSAGE_CHARACTERS else text[: MESSAGE_CHARACTERS - 1] + "…"


def printable(text: str) -> str:
    r"""Return `text` with control characters (a terminal's escapes among them) and lone surrogates as `\xNN`."""
    return CONTROL.sub(lambda match: _escaped(ord(match[0])), text)


def _escaped(code: int) -> str:
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8, as os.fsdecode left it
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def without_secrets(text: str) -> str:
    """Return a URL as it may be shown: its user part, query and fragment replaced by `***`."""
    head, at, tail = text.rpartition("@")
    if at:
        scheme, slashes, _ = head.partition("//")
        text = f"{scheme}//***@{tail}" if slashes else f"***@{tail}"
    return re.sub(r"(?s)(?<=[?#]).+", "***", text)
