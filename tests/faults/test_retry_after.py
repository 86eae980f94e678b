"""A server that answers 429 is never asked sooner than it said, not even by an agent that was started anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.sandbox import Faults
from tests.support import Agent, Playment, eventually, image, settings, write

if TYPE_CHECKING:
    from pathlib import Path

ASKED_SECONDS = 4


def test_it_holds_over_a_restart(tmp_path: Path) -> None:
    with Playment(faults=Faults(rate_limit=1.0, retry_after=ASKED_SECONDS)) as server:
        chosen = settings(tmp_path, server.url)
        with Agent(chosen) as agent:
            write(agent.inbox / "a.jpg", image(1))
            eventually(lambda: agent.value("held_until"))
        (first,) = server.receipts
        server.faults = Faults()
        with Agent(chosen) as agent:
            write(agent.inbox / "b.jpg", image(2))
            agent.becomes("a.jpg", "submitted")
            agent.becomes("b.jpg", "submitted")
        assert len(server.receipts) == 3
        assert min(receipt.at for receipt in server.receipts[1:]) >= first.at + ASKED_SECONDS
