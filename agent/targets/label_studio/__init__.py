"""Label Studio: all that is Label Studio's is said in this package. Pure."""

from __future__ import annotations

from typing import Final

NAME: Final = "Label Studio"
