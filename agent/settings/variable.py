"""One variable of the table of settings. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable: its name, its default as text, a line of explanation, and the reader of its text.

    A `required` one whose default is another's to say (a target's address) is not set where it was not handed one.
    A `live` one is taken up by a reload, every other one by a restart.
    `show` gives what an error may repeat of the text. `unset` is the value where neither the variable nor a default is
    there; `shown_default` describes a default that depends on other variables. Where one `may_be_empty`, an empty text
    does not stand for the default but for `unset`.
    """

    name: str
    default: str
    explanation: str
    read: Callable[[str], object]
    required: bool = False
    show: Callable[[str], str] = str
    unset: object = None
    shown_default: str = ""
    live: bool = False
    may_be_empty: bool = False

    @property
    def field(self) -> str:
        """The name of the field of `Settings`."""
        return self.name.lower()

    def text(self, given: Mapping[str, str], defaults: Mapping[str, str]) -> str:
        """Return what is given of it, else its default."""
        if given.get(self.name) or (self.may_be_empty and self.name in given):
            return given[self.name]
        return defaults.get(self.name, self.default)
