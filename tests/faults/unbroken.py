"""The agent, but that no remote ever counts as away: what each of many bad answers does is seen at once."""

from __future__ import annotations

import math

from agent.__main__ import main
from agent.core import breaker

if __name__ == "__main__":
    breaker.IN_A_ROW = 1_000_000_000
    breaker.OUTAGE_SECONDS = math.inf  # type: ignore[attr-defined]
    main()
