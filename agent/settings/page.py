"""The texts of the page's settings → values, as in `parsers`. Pure."""

from __future__ import annotations

import re

from agent.model.hosts import address_of
from agent.settings.parsers import HOST_NAME


def price(text: str) -> str:
    """Return a price as it is written: no number in the machine's own form holds 0.1."""
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        raise ValueError("it must be a price in any currency, such as 0.035")
    return text


def host_names(text: str) -> frozenset[str]:
    """Return names of hosts, without ports, in lower case."""
    found = frozenset(part.strip().lower() for part in text.split(","))
    if not all(address_of(part) or HOST_NAME.fullmatch(part) for part in found):
        raise ValueError("it must be names of hosts without ports, with commas between them, such as agent.example.com")
    return found
