"""The order in which version 0.1.0 sent the frames of a folder: a sequence's digest is taken over it, for ever. Pure.

A changed order must not change a digest. It is part of the reference ids at the target, by which a job is recognised
when the ledger is lost; under another id the target would take the same frames for a second job. So what the frames are
is told in this order, and in which order they are sent is decided by `frame_order`.
"""

from __future__ import annotations

from functools import cache
from os import fsencode
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@cache
def _natural() -> Callable[[str], Any]:
    from natsort import natsort_keygen  # noqa: PLC0415 - 1 MiB, and most names are in the same order in any case

    return natsort_keygen()


def in_order_of_0_1_0(names: Iterable[str]) -> list[str]:
    """Return the names in natsort's order, those that it takes for equal by their bytes. This must never change."""
    return sorted(sorted(names, key=fsencode), key=_natural())  # two sorts, for pairs of keys take more memory
