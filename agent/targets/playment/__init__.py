"""The Playment job API: all that is Playment's is said in this package. Pure."""

from __future__ import annotations

from typing import Final

from agent.targets import Facts

NAME: Final = "Playment"
BASE_URL: Final = "https://api.playment.io"
FACTS: Final = Facts(NAME, refuses_duplicates=True, copies_files=True)
