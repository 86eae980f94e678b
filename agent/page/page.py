"""What the page is told at its start, what a view is asked with, and how views and plain answers are named."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agent.host.clock import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from decimal import Decimal
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import Response

    from agent.ledger.looks import Looks


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
    price_per_image: Decimal | None = None
    price_per_frame: Decimal | None = None
    names: frozenset[str] = frozenset()
    command: str = "playment-agent"
    token: str = field(default="", repr=False)
    now: Callable[[], datetime] = utc_now


@dataclass(frozen=True, slots=True)
class Asked:
    """What a view answers: the parts of its path, what follows the `?`, and a ledger that is closed afterwards."""

    page: Page
    reads: Looks
    request: Request

    @property
    def now(self) -> datetime:
        """The time in UTC."""
        return self.page.now()

    def query(self, name: str) -> str:
        """Return what the address says of a name, '' where nothing: a browser's user writes there what they like."""
        return self.request.query_params.get(name, "")


class NotHereError(Exception):
    """What was asked for is not there: the text is a sentence for the reader."""


@dataclass(frozen=True, slots=True)
class View:
    """What is seen at a path (Starlette's, such as `/jobs/{job:int}`): a template with the blocks `still` and `live`.

    `read` returns what it shows; it may raise NotHereError, and what a ledger raises. `live` is asked for again each
    second and taken over where it has changed; `still` stays as it was loaded (a form). A view with a `label` is
    linked from the top of each.
    """

    path: str
    template: str
    read: Callable[[Asked], Mapping[str, Any]]
    label: str = ""


@dataclass(frozen=True, slots=True)
class Plain:
    """What is answered at a path without a template, such as a picture."""

    path: str
    answer: Callable[[Asked], Response]
    methods: tuple[str, ...] = ("GET",)
