"""What the page is told at its start, what a view is asked with, and how views and plain answers are named."""

from __future__ import annotations

from dataclasses import dataclass, field
from hmac import compare_digest
from typing import TYPE_CHECKING, Any

from agent.host.clock import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import Response

    from agent.ledger.looks import Looks


COOKIE = "playment_agent_orders"
LONGEST = 4096
"""No path is longer (PATH_MAX of Linux)."""


@dataclass(frozen=True, slots=True)
class Page:
    """What the page is told: where things are, what jobs cost, and what may be done.

    `watch_dir` and `results_dir` are None where they are not set. A price is None where none is set. `names` are those
    under which a reader's own proxy serves the page, beside this host's. `command` is how a person begins a command on
    this host. `token` lets who knows it give orders; '' where nobody may.
    """

    ledger: Path
    watch_dir: Path | None = None
    results_dir: Path | None = None
    price_per_image: float | None = None
    price_per_frame: float | None = None
    names: frozenset[str] = frozenset()
    command: str = "playment-agent"
    token: str = field(default="", repr=False)
    now: Callable[[], datetime] = utc_now


@dataclass(frozen=True, slots=True)
class Asked:
    """What a view answers: a request with what follows the `?`, the form that came, and a ledger, closed afterwards."""

    page: Page
    reads: Looks
    request: Request
    form: Mapping[str, str] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        """The time in UTC."""
        return self.page.now()

    def query(self, name: str) -> str:
        """Return what the address says of a name, '' where nothing: a browser's user writes there what they like."""
        return self.request.query_params.get(name, "")[:LONGEST]

    @property
    def may_order(self) -> bool:
        """Whether who asks has shown the token."""
        known = self.request.cookies.get(COOKIE, "")
        return bool(self.page.token) and compare_digest(known.encode(), self.page.token.encode())


class NotHereError(Exception):
    """What was asked for is not there: the text is a sentence for the reader."""


@dataclass(frozen=True, slots=True)
class View:
    """What is seen at a path (such as `/jobs/{job:number}`): a template with the blocks `still` and `live`.

    `read` returns what it shows; it may raise NotHereError, and what a ledger raises. `live` is asked for again each
    second and taken over where it has changed; `still` stays as it was loaded (a form). A view with a `label` is
    linked from the top of each; one that is not `is_fresh` is shown once.
    """

    path: str
    template: str
    read: Callable[[Asked], Mapping[str, Any]]
    label: str = ""
    is_fresh: bool = True
    methods: tuple[str, ...] = ("GET",)


@dataclass(frozen=True, slots=True)
class Plain:
    """What is answered at a path without a template, such as a picture.

    `unreadable` answers where the ledger cannot be read, by a sentence that says why; without it the sentence does.
    """

    path: str
    answer: Callable[[Asked], Response]
    methods: tuple[str, ...] = ("GET",)
    unreadable: Callable[[str], Response] | None = None
