"""All jobs, to be found by a path, an id, a state or a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent.core.states import State
from agent.ledger.walks import MOST, Wanted
from agent.page.views.lists import LIMIT, address, key_of, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.page.page import Asked

PATH = "/jobs"


def read(asked: Asked) -> Mapping[str, Any]:
    """Return a page of jobs; those that are named exactly stand before all others."""
    state = asked.query("state")
    wanted = Wanted(
        state=state if state in [*State] else "", folder=asked.query("folder").strip("/"), text=asked.query("q").strip()
    )
    after = key_of(asked.query("after"), *_shape(wanted))
    part = asked.reads.found(wanted, after, LIMIT)
    named = asked.reads.named(wanted.text) if wanted.text and after is None else []
    known = {row["id"] for row in named}
    chosen = {"q": wanted.text, "state": wanted.state, "folder": wanted.folder}
    rows = [*named, *(row for row in part.rows if row["id"] not in known)]
    return {
        "chosen": chosen,
        "states": [*State],
        "rows": rows,
        "next": part.after and address(PATH, after=text_of(part.after), **chosen),
        "first": after and address(PATH, **chosen),
        "looked": part.looked,
        "goes_on": not rows and part.after is not None,
        "most": MOST,
    }


def _shape(wanted: Wanted) -> tuple[type, ...]:
    """Return of what the keys of a list are."""
    if wanted.folder:
        return str, str, int
    return (str, int) if wanted.state else (int,)
