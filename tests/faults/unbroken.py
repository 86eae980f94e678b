"""The agent, but that no remote ever counts as away, or as one to spare: what each of many bad answers does is seen."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from agent.__main__ import main
from agent.core import breaker
from agent.core.flow import Flow

if TYPE_CHECKING:
    from typing import Any


def ignore(*_: Any, **__: Any) -> None:
    """Take no note of a failure."""


if __name__ == "__main__":
    breaker.IN_A_ROW = 1_000_000_000
    breaker.OUTAGE_SECONDS = math.inf  # type: ignore[attr-defined]
    Flow.pushed_back = ignore  # type: ignore[method-assign]
    main()
