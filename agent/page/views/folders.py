"""How far each top folder is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent.page.views.lists import LIMIT, address, key_of, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.page.page import Asked

PATH = "/folders"
PARTS = ("completed", "submitted", "waiting", "attention")


def read(asked: Asked) -> Mapping[str, Any]:
    """Return a page of folders, each with the parts of its bar."""
    begins, trouble = asked.query("begins"), asked.query("trouble")
    after = key_of(asked.query("after"), str)
    part = asked.reads.folder_sums(str(after[0]) if after else None, LIMIT, begins=begins, in_trouble=bool(trouble))
    chosen = {"begins": begins, "trouble": trouble}
    return {
        "chosen": chosen,
        "rows": [{**row, "bar": bar(row)} for row in part.rows],
        "next": part.after and address(PATH, after=text_of(part.after), **chosen),
        "first": after and address(PATH, **chosen),
    }


def bar(row: Mapping[str, Any]) -> list[tuple[str, float, float]]:
    """Return the parts of a folder's bar: which, where it begins and how long it is, in hundredths."""
    whole = max(sum(row[name] for name in PARTS), 1)
    found, begin = [], 0.0
    for name in PARTS:
        length = round(100 * row[name] / whole, 2)
        if length:
            found.append((name, round(begin, 2), length))
        begin += length
    return found
