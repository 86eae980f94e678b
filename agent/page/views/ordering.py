"""Orders: first what one would do, then, of who has shown the token, that it is done, as the commands do it."""

from __future__ import annotations

from dataclasses import dataclass
from hmac import compare_digest
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.responses import PlainTextResponse, RedirectResponse

from agent.ledger import orders
from agent.page import advice
from agent.page.page import COOKIE, NotHereError
from agent.page.views.lists import address
from agent.page.views.waiting import TOGETHER, filter_of
from agent.reporting import ordering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from starlette.responses import Response

    from agent.ledger.orders import Target
    from agent.ledger.store import Ledger
    from agent.page.page import Asked
    from agent.reporting.ordering import Done

PATH = "/order"
YEAR = 365 * 86400
FIELDS = ("do", "job", "state", "code", "folder", "day")
"""What an order is told by in an address."""
PAUSING = {"pause": True, "resume": False}


@dataclass(frozen=True, slots=True)
class Order:
    """An order about jobs: what it asks, which jobs are sent by it, and what carries it out."""

    question: str
    sends: Callable[[Target], bool]
    do: Callable[[Ledger, Iterable[Target]], list[Done]]


def _sends_none(_row: Target) -> bool:
    return False


JOBS = {
    "retry": Order("Give them another try?", orders.is_sent_by_retry, ordering.retry),
    "resubmit": Order("Send them as new jobs?", orders.is_sent_by_resubmit, ordering.resubmit),
    "dismiss": Order("Say that they need no job?", _sends_none, ordering.dismiss),
}


def read(asked: Asked) -> Mapping[str, Any]:
    """Return what an order would do; where it is given, what it has done. Raises NotHereError for none of ours."""
    name = asked.form.get("do") or asked.query("do")
    if not asked.page.token or name not in JOBS.keys() | PAUSING.keys():
        raise NotHereError("there is no such order here: PAGE_ORDERS=true lets the page take orders")
    is_given = asked.request.method == "POST"
    found: dict[str, Any] = {
        "do": name,
        "may_order": asked.may_order,
        "done": None,
        "asked": {field: asked.query(field) for field in FIELDS},
    }
    if name in PAUSING:
        question = "Stop sending? Noticing goes on." if PAUSING[name] else "Start sending again?"
        found |= {"question": question, "rows": [], "more": False, "ids": "", "sent": 0, "frames": 0}
        if is_given:
            found["done"] = [_pause(asked, paused=PAUSING[name])]
        return found
    order = JOBS[name]
    rows, more = _rows(asked, name)
    sent = [row for row in rows if order.sends(row)]
    found |= {
        "question": order.question,
        "rows": rows,
        "more": more,
        "ids": " ".join(str(row.id) for row in rows),
        "sent": len(sent),
        "frames": sum(row.frame_count for row in sent),
    }
    if is_given:
        found["done"] = _carry_out(asked, order, rows)
    return found


def enter(asked: Asked) -> Response:
    """Take the token of who wants to give orders, and go back to the order."""
    given = asked.form.get("token", "").strip()
    if not asked.page.token or not compare_digest(given.encode(), asked.page.token.encode()):
        return PlainTextResponse("refused: that is not the token\n", HTTPStatus.FORBIDDEN)
    back = address(PATH, **{name: asked.form.get(name, "") for name in FIELDS})
    answer = RedirectResponse(back if asked.form.get("do") else "/", HTTPStatus.SEE_OTHER)
    is_secret = asked.request.headers.get("origin", "").startswith("https:")
    answer.set_cookie(COOKIE, given, max_age=YEAR, httponly=True, samesite="strict", secure=is_secret)
    return answer


def _needs_token(asked: Asked) -> None:
    if not asked.may_order:
        raise NotHereError("an order needs the token: go back, and show it")


def _rows(asked: Asked, name: str) -> tuple[list[Target], bool]:
    """Return the jobs that an order is about, as they are now, and whether there are more than it may be about.

    One that is given is about those alone that its form names: nobody has seen any others.
    """
    is_given = asked.request.method == "POST"
    ids = asked.form.get("ids", "") if is_given else asked.query("job")
    if ids or is_given:
        numbers = [int(text) for text in ids.split() if text.isascii() and text.isdigit() and len(text) < 19]
        found, more = asked.reads.targets(numbers[:TOGETHER]), False
    else:
        part = asked.reads.troubled(filter_of(asked), None, TOGETHER)
        found, more = [advice.target(row) for row in part.rows], part.after is not None
    rows = [row for row in found if name in advice.possible(row)]
    return rows, more


def _carry_out(asked: Asked, order: Order, rows: list[Target]) -> list[str]:
    _needs_token(asked)
    with ordering.open_ledger(asked.page.ledger) as ledger, ledger.transaction():
        return [done.line for done in order.do(ledger, rows)]


def _pause(asked: Asked, *, paused: bool) -> str:
    _needs_token(asked)
    with ordering.open_ledger(asked.page.ledger) as ledger, ledger.transaction():
        return ordering.pause(ledger, paused=paused)
