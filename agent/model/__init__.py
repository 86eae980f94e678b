"""The frozen records that travel between the stages, and how a path is written. Pure."""

from __future__ import annotations

from agent.model.actions import Action, Adopt, Hold, Keep, LookUp, Move, Queue, Refuse, Wait
from agent.model.jobs import Edition, Job, Lookup, Namer, Terms
from agent.model.paths import basename, is_utf8, join, parent, shown
from agent.model.units import (
    TOP_BIT,
    Entry,
    File,
    Frame,
    Image,
    Kind,
    Listing,
    Sequence,
    Stamp,
    Taken,
    Times,
    Unit,
    UnitKey,
    folder_of,
    quick_fingerprint,
    signed,
)

__all__ = [
    "TOP_BIT",
    "Action",
    "Adopt",
    "Edition",
    "Entry",
    "File",
    "Frame",
    "Hold",
    "Image",
    "Job",
    "Keep",
    "Kind",
    "Listing",
    "LookUp",
    "Lookup",
    "Move",
    "Namer",
    "Queue",
    "Refuse",
    "Sequence",
    "Stamp",
    "Taken",
    "Terms",
    "Times",
    "Unit",
    "UnitKey",
    "Wait",
    "basename",
    "folder_of",
    "is_utf8",
    "join",
    "parent",
    "quick_fingerprint",
    "shown",
    "signed",
]
