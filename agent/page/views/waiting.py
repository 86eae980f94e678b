"""What waits for a person: a picture, the sentence, and what can be done about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent.ledger.walks import Wanted
from agent.page import advice
from agent.page.views.lists import LIMIT, address, key_of, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.page.page import Asked

PATH = "/waiting"
TOGETHER = 1000
"""Jobs that one order is about: the agent must not wait for long while it is written."""


def read(asked: Asked) -> Mapping[str, Any]:
    """Return a page of what waits, and how much there is of each kind."""
    wanted = filter_of(asked)
    after = key_of(asked.query("after"), str, int)
    part = asked.reads.troubled(wanted, after, LIMIT)
    same = {"folder": wanted.folder, "day": wanted.day}
    kinds = [
        {
            "word": advice.word(row["state"], row["error_code"]),
            "jobs": row["jobs"],
            "address": address(PATH, state=row["state"], code=row["error_code"] or "-", **same),
            "is_chosen": (wanted.state, wanted.code) == (row["state"], row["error_code"]),
        }
        for row in asked.reads.troubles()
    ]
    chosen = {"state": wanted.state, "code": asked.query("code"), **same}
    return {
        "wanted": wanted,
        "chosen": chosen,
        "kinds": kinds,
        "all": address(PATH, **same),
        "rows": [_shown(asked, row) for row in part.rows],
        "next": part.after and address(PATH, after=text_of(part.after), **chosen),
        "looked": part.looked,
        "goes_on": not part.rows and part.after is not None,
        "together": TOGETHER,
        "first": after and address(PATH, **chosen),
    }


def filter_of(asked: Asked) -> Wanted:
    """Return what is asked for; `-` stands for no code at all."""
    code = asked.query("code")
    return Wanted(
        state=asked.query("state"),
        code="" if code == "-" else code or None,
        folder=asked.query("folder").strip("/"),
        day=asked.query("day"),
    )


def _shown(asked: Asked, row: Mapping[str, Any]) -> dict[str, Any]:
    target = advice.target(row)
    orders = advice.possible(target)
    command = advice.command(asked.page.command, orders[0], target.path) if orders else ""
    return {
        **row,
        "word": advice.word(target.state, target.error_code),
        "hint": advice.hint(target),
        "orders": orders,
        "command": command,
    }
