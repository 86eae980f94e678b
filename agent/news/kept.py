"""What is remembered of the news that were told, over restarts: how it is written, and read again. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Kept:
    """Up to which `event` of the ledger all is told, and which troubles were, each with the time since when it is told.

    `number` is that of the last message; `telling` is True from before the next one leaves until it is known what
    became of it. At `last_at` (UTC) a message left last, or `failures` in a row have ended. `before` is whether
    something waited when news began, and was not told. The last summary was told on the day `summed_on` (local), at
    `summed_at` (UTC).
    """

    event: int
    number: int = 0
    telling: bool = False
    before: bool = False
    standing: Mapping[str, str] = field(default_factory=dict)
    last_at: str = ""
    failures: int = 0
    summed_on: str = ""
    summed_at: str = ""

    def text(self) -> str:
        """Return it as the ledger keeps it."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, text: str) -> Self:
        """Return what `text` has made a text of, be it that of a newer version, which knew more."""
        known = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in json.loads(text).items() if name in known})
