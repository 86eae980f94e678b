"""What a request for a job came to, in the few words that are counted. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from agent.errors import AccessRefused, DuplicateReference, OutOfCredit, Refused, TryLater

if TYPE_CHECKING:
    from collections.abc import Mapping


class PostOutcome(StrEnum):
    """What one POST came to. `LATER` is any passing failure that is neither of those above it."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REFUSED = "refused"
    ACCESS = "access"
    CREDIT = "credit"
    TOO_OFTEN = "too-often"
    AWAY = "away"
    LATER = "later"
    DEFECT = "defect"


_OF_ERROR: Mapping[type[Exception], PostOutcome] = {
    DuplicateReference: PostOutcome.DUPLICATE,
    Refused: PostOutcome.REFUSED,
    OutOfCredit: PostOutcome.CREDIT,
    AccessRefused: PostOutcome.ACCESS,
    TryLater: PostOutcome.LATER,
}
"""The first class that an error is of counts."""


def outcome_of(error: Exception) -> PostOutcome:
    """Return what a POST came to that has raised this."""
    if isinstance(error, TryLater) and error.is_too_often:
        return PostOutcome.TOO_OFTEN
    if isinstance(error, TryLater) and error.is_outage:
        return PostOutcome.AWAY
    return next((outcome for kind, outcome in _OF_ERROR.items() if isinstance(error, kind)), PostOutcome.DEFECT)
