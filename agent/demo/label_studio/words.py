"""What is fetched, how large it is, and what is said of it: before it begins, and where it cannot be. Pure."""

from __future__ import annotations

import re
from typing import Final

VERSION: Final = "1.23.2"
"""The one that the target is written for and tested with."""
PIP: Final = (
    "-I", "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off",
    "--retries", "2", f"label-studio=={VERSION}",
)  # fmt: skip
PACKAGES: Final = 116
ENTRIES: Final = 327
"""What pip collects, and puts into site-packages; they belong to no pin of ours, and only make the bar."""
FETCHED_MB: Final = 230
ON_DISK_MB: Final = 1000
NEEDED_MB: Final = 1300
"""While pip is at work, what it fetches lies there, too."""

_ROOM: Final = ("No space left on device", "Errno 28", "Disk quota exceeded", "Errno 122", "disk is full")
_NETWORK: Final = (
    "NewConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "NameResolutionError", "ProxyError", "SSLError",
    "Max retries exceeded", "Connection broken", "ConnectionResetError", "Network is unreachable", "IncompleteRead",
    "ProtocolError", "Connection aborted", "timed out",
)  # fmt: skip
_NO_VENV: Final = ("ensurepip is not", "No module named venv", "No module named ensurepip", "No module named pip")
_OTHER_PYTHON: Final = ("equires a different Python", "equire a different python")
_NOT_BUILT: Final = (
    "Failed to build",
    "Failed building wheel",
    "metadata-generation-failed",
    "did not run successfully",
)
_GOOD_PYTHONS: Final = "start the demo with Python 3.11, 3.12 or 3.13"
_ERROR: Final = re.compile(r"^(?:ERROR: |[A-Za-z_.]*Error: )(.+)$", re.MULTILINE)


def announced(folder: str) -> str:
    """Return what is said before anything is fetched."""
    return (
        f"Label Studio {VERSION} is not on this machine yet. pip fetches it now, as it is set up to (from PyPI, if "
        f"nothing else is said): some {FETCHED_MB} MB, which become {ON_DISK_MB / 1000:.0f} GB on the disk, in 2 to 3 "
        f"minutes. It goes into an environment of its own, where the next demo finds it:\n  {folder}\n"
        f"To get rid of it: rm -r {folder}"
    )


def no_room(folder: str, free_mb: int) -> str:
    """Return the sentence for a disk without room."""
    return (
        f"Label Studio needs {NEEDED_MB:,} MB below {folder}, and {free_mb:,} MB are free there: make room, or set "
        "XDG_CACHE_HOME to a folder on another disk."
    )


def why_not(output: str, python: str, log: str) -> str:
    """Return why Label Studio could not be made, as one sentence, from what venv, pip or itself said."""
    said = output[-20_000:]
    if any(word in said for word in _ROOM):
        return "The disk is full, so Label Studio could not be installed: make room, and start the demo again."
    if any(word in said for word in _NO_VENV):
        return (
            f"This Python {python} cannot make an environment, since venv or pip is missing: install them (on Debian: "
            "apt install python3-venv), and start the demo again."
        )
    if any(word in said for word in _OTHER_PYTHON):
        return f"Label Studio {VERSION} does not run with Python {python}: {_GOOD_PYTHONS}."
    if any(word in said for word in _NETWORK):
        return (
            "pip could not reach the place that it fetches packages from: connect this machine, or tell pip of a proxy "
            f"or another index (PIP_PROXY, PIP_INDEX_URL), and start the demo again (what pip said: {log})."
        )
    if any(word in said for word in _NOT_BUILT):
        return (
            f"pip found nothing ready-made for Python {python} on this machine, and could not build it: "
            f"{_GOOD_PYTHONS} (what pip said: {log})."
        )
    errors = _ERROR.findall(said)
    last = f": {errors[-1].strip().rstrip('.')}" if errors else ""
    return f"Label Studio {VERSION} could not be installed{last} (all that was said: {log})."
