"""May a job that the target has be ours? The one rule, by which adoption and `reconcile` both decide. Pure.

What it says yes to is never sent again and never paid for twice; what it says no to is for a person.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from agent.core.reference_id import DIGEST_DIGITS
from agent.model import Kind

if TYPE_CHECKING:
    from agent.model.jobs import Found


class Claim(Protocol):
    """What is known here of a job that may be there. What no intent has frozen yet is None."""

    @property
    def reference_id(self) -> str:
        """The id under which it is, or would be, sent."""

    @property
    def kind(self) -> Kind:
        """Image or sequence."""

    @property
    def frame_count(self) -> int:
        """How many frames it has; an image is one."""

    @property
    def tag(self) -> str | None:
        """What the work is named by."""

    @property
    def digest(self) -> str | None:
        """The content's digest."""

    @property
    def attempted(self) -> bool:
        """Whether a try of ours was never answered."""


class Contradiction(NamedTuple):
    """In `what` (`frames` or `tag`) the job there cannot be the one here."""

    what: str
    here: object
    there: object


def is_proven(claim: Claim) -> bool:
    """Tell whether a job of this reference_id must hold this very content.

    A try of ours that was never answered may have made it. Without one (another host sent it, or the ledger was lost)
    the id must hold the content's digest: else it may be other content's.
    """
    return claim.attempted or bool(claim.digest and claim.digest[:DIGEST_DIGITS] in claim.reference_id)


def contradictions(found: Found, claim: Claim) -> list[Contradiction]:
    """Return in what the job there is another than the one here; what either does not tell contradicts nothing."""
    told = []
    # A target may give no frame count of an image job: none, 0 and 1 all mean the one image.
    frames = found.frame_count or (1 if claim.kind is Kind.IMAGE else 0)
    if frames != claim.frame_count:
        told.append(Contradiction("frames", claim.frame_count, frames))
    if found.tag is not None and claim.tag is not None and found.tag != claim.tag:
        told.append(Contradiction("tag", claim.tag, found.tag))
    return told


def may_be_ours(found: Found, claim: Claim) -> bool:
    """Tell whether the job there may be taken for the one here."""
    return is_proven(claim) and not contradictions(found, claim)


def why_not_ours(found: Found, claim: Claim, target: str) -> str | None:
    """Say why the job there cannot be taken for the one here, or return None where it may; `target` has it."""
    if not is_proven(claim):
        return f"{target} has a job of this reference_id that this agent did not send (REFERENCE_ID has no {{digest}})"
    told = {each.what: each for each in contradictions(found, claim)}
    if "tag" in told:
        return f"{target}'s job of this reference_id has the tag {told['tag'].there!r}, not {told['tag'].here!r}"
    if "frames" in told:
        frames = told["frames"]
        return f"{target}'s job of this reference_id has {frames.there} frames, not {frames.here}"
    return None
