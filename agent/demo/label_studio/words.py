"""What is fetched, how large it is, and what is said of it: before it begins, and where it cannot be. Pure."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

VERSION: Final = "1.23.2"
"""The one that the target is written for and tested with."""
PIP: Final = (
    "-I", "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off",
    "--retries", "2", f"label-studio=={VERSION}",
)  # fmt: skip
PACKAGES: Final = 116
PLACED: Final = 327
"""What pip collects, and puts into site-packages; they belong to no pin of ours, and only make the bar."""
DATABASE_BYTES: Final = 1_392_640
"""Of its database when it is new, for the bar alone, too."""
FETCHED_MB: Final = 230
ON_DISK_MB: Final = 1000
NEEDED_MB: Final = 1300
"""While pip is at work, what it fetches lies there, too."""

_GOOD_PYTHONS: Final = "start the demo with Python 3.11, 3.12 or 3.13"


class _Why(NamedTuple):
    """What venv, pip or Label Studio itself said, as a pattern, and the sentence for it."""

    pattern: str
    sentence: str


_WHY: Final = (
    _Why(
        r"No space left on device|Errno (?:28|122)\b|Disk quota exceeded|disk is full",
        "The disk is full, so Label Studio could not be installed: make room, and start the demo again.",
    ),
    _Why(
        r"ensurepip is not|No module named (?:venv|ensurepip|pip)\b",
        "This Python {python} cannot make an environment, since venv or pip is missing: install them (on Debian: "
        "apt install python3-venv), and start the demo again.",
    ),
    _Why(
        # pip names every version that it passed over for its Python: that ours is among them is what counts.
        rf"\b{re.escape(VERSION)} Requires-Python|requires a different Python",
        f"Label Studio {VERSION} does not run with Python {{python}}: {_GOOD_PYTHONS}.",
    ),
    _Why(
        r"NewConnectionError|ConnectTimeoutError|ReadTimeoutError|NameResolutionError|ProxyError|SSLError|ProtocolError"
        r"|Max retries exceeded|Connection (?:broken|aborted)|ConnectionResetError|Network is unreachable",
        "pip could not reach the place that it fetches packages from: connect this machine, or tell pip of a proxy or "
        "another index (PIP_PROXY, PIP_INDEX_URL), and start the demo again (what pip said: {log}).",
    ),
    _Why(
        r"No matching distribution found for (?P<found>\S+)",
        "Where pip is set to look there is no {found} for Python {python} on this machine: set it to another index "
        f"(PIP_INDEX_URL), or {_GOOD_PYTHONS} (what pip said: {{log}}).",
    ),
    _Why(
        r"Failed to build|Failed building wheel|metadata-generation-failed|did not run successfully",
        "Some of what Label Studio needs is not ready-made for Python {python} on this machine, and pip could not "
        f"build it: {_GOOD_PYTHONS} (what pip said: {{log}}).",
    ),
    _Why(
        r"(?:^|\n)(?:ERROR: |[A-Za-z_.]*Error: )(?P<found>[^\n]*[^\n.])\.?\s*$",
        f"Label Studio {VERSION} could not be installed: {{found}} (all that was said: {{log}}).",
    ),
    _Why(r"", f"Label Studio {VERSION} could not be installed (all that was said: {{log}})."),
)
"""The first that fits what was said holds."""


def announced(folder: str) -> str:
    """Return what is said before anything is fetched: what it is, how large, where it goes, how to get rid of it."""
    return (
        f"Label Studio {VERSION} is not here yet. pip fetches it now (from PyPI, unless it is set to another index): "
        f"some {FETCHED_MB} MB, which become {ON_DISK_MB / 1000:.0f} GB on the disk, in 3 to 6 minutes. It goes into "
        "an environment of its own, changes no other, and is there for the next demo. To get rid of it (pip keeps what "
        f"it fetched for itself: 'pip cache purge'):\n rm -r {folder}"
    )


def no_room(folder: str, free_mb: int) -> str:
    """Return the sentence for a disk without room."""
    return (
        f"Label Studio needs {NEEDED_MB:,} MB below {folder}, and {free_mb:,} MB are free there: make room, or set "
        "XDG_CACHE_HOME to a folder on another disk."
    )


def why_not(output: str, python: str, log: str) -> str:
    """Return why Label Studio could not be made, as one sentence, from what was said."""
    said = output[-50_000:].rstrip()
    for why in _WHY:
        if matched := re.search(why.pattern, said):
            return why.sentence.format(python=python, log=log, found=matched.groupdict().get("found"))
    raise AssertionError  # the last one fits everything
