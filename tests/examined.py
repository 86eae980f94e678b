"""What the agent says of files that a test writes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agent.core.image_rules import USUAL_RULES
from agent.model import Stamp
from agent.reading.check import examine

if TYPE_CHECKING:
    from pathlib import Path

    from agent.core.image_rules import ImageRules
    from agent.model import Image


def look(folder: Path, content: bytes, name: str = "a.bin", rules: ImageRules = USUAL_RULES) -> Image:
    """Return what the agent says of a file with this content."""
    path = folder / name
    path.write_bytes(content)
    return look_at(path, rules)


def look_at(path: Path, rules: ImageRules = USUAL_RULES) -> Image:
    """Return what the agent says of a file that is there."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        return examine(fd, path.name, Stamp.of(os.fstat(fd)), rules=rules)
    finally:
        os.close(fd)
