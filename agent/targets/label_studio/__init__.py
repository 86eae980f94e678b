"""Label Studio: all that is Label Studio's is said in this package. Pure."""

from __future__ import annotations

from typing import Final

from agent.targets import Facts

NAME: Final = "Label Studio"
FACTS: Final = Facts(NAME, refuses_duplicates=False, copies_files=False)
