"""The real agent, whose news are told within seconds in place of minutes: `python soon.py run`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from agent.core.retry import NEWS
from agent.news import pace, telling

GATHER = 1.0
FIGURES: tuple[tuple[Any, str, object], ...] = (
    (pace, "GATHER_SECONDS", GATHER),
    (pace, "APART_SECONDS", 0.5),
    (pace, "NEWS", replace(NEWS, first=0.5, longest=0.5)),
    (telling, "STEADY", 0.2),
    (telling, "TICK", 0.05),
)

if __name__ == "__main__":
    from agent.__main__ import main

    for module, name, figure in FIGURES:
        setattr(module, name, figure)
    main()
