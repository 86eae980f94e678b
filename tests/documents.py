"""What is written for people: the README of the repository, and those that lie beside what they describe."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
READMES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for pattern in ("README.md", "systemd/README.md", "findings/README.md", "agent/**/README.md")
    for path in sorted(ROOT.glob(pattern))
}
"""Their texts, by their paths."""
FIRST = READMES["README.md"]
OPERATING = READMES["systemd/README.md"]
FOR_USERS = FIRST + OPERATING
