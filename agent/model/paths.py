"""Paths relative to the watch folder, and how they are shown. Pure.

They are `/`-separated, '' for the watch folder itself, and decoded as `os.fsdecode` does (bytes that are no UTF-8
become lone surrogates); `shown` gives the text that the ledger and people see.
"""

from __future__ import annotations


def parent(path: str) -> str:
    """Return the folder that holds `path`; '' for what lies directly in the watch folder."""
    return path.rpartition("/")[0]


def basename(path: str) -> str:
    """Return the last part of `path`."""
    return path.rpartition("/")[2]


def join(folder: str, name: str) -> str:
    """Return the path of `name` in `folder`, '' being the watch folder."""
    return f"{folder}/{name}" if folder else name


def is_utf8(text: str) -> bool:
    """Tell whether the name's bytes were UTF-8 (`os.fsdecode` leaves lone surrogates for those that were not)."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def shown(path: str) -> str:
    r"""Return `path` as the ledger holds it: as it is, or with the bytes that are no UTF-8 written as `\xNN`."""
    if is_utf8(path):
        return path
    return "".join(f"\\x{ord(char) - 0xDC00:02x}" if 0xDC80 <= ord(char) <= 0xDCFF else char for char in path)
