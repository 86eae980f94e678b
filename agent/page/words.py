"""How numbers, sizes and times are written on the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def count(number: int) -> str:
    """Return a number with its thousands told apart."""
    return f"{number:,}"


def moment(at: str) -> Markup:
    """Return a time of the ledger's as an element that the page's script keeps as `3 min ago`; '' of none."""
    if not at:
        return Markup()
    return Markup('<time datetime="{0}" title="{0}">{1}</time>').format(at, at[:19].replace("T", " ") + " UTC")


def lasting(at: str) -> Markup:
    """Return a time of the ledger's as how long it has lasted since, likewise."""
    return Markup('<time datetime="{0}" title="{0}" data-lasts>since {0}</time>').format(at)


def size(number: int) -> str:
    """Return bytes in the unit that suits them."""
    amount = float(number)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:,.0f} {unit}" if unit == "B" else f"{amount:,.1f} {unit}"
        amount /= 1024
    return f"{amount:,.1f} TiB"


def span(seconds: float | None) -> str:
    """Return how long something took, in the two largest units that it has."""
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    parts = []
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        whole, seconds = divmod(round(seconds), length)
        if whole:
            parts.append(f"{whole} {unit}")
    return " ".join(parts[:2])


FILTERS: Mapping[str, Callable[..., str]] = {
    "count": count,
    "moment": moment,
    "lasting": lasting,
    "size": size,
    "span": span,
}
"""What templates may call by name."""
