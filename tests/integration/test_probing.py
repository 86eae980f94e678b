"""The job that is sent while a remote is away: what goes through beside it, in another thread, comes at any moment."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from agent.errors import OutOfCredit, Unpublished
from agent.model import Edition
from agent.sending.probing import MISSING_FILES, Probing
from agent.targets.gate import Gate
from agent.targets.playment.client import Playment
from tests.sending import target_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.ledger.store import Ledger


class _Blocked:
    """Sending that a remote's word is about to block; what `meanwhile` does comes as soon as anybody can know of it."""

    def __init__(self, meanwhile: Callable[[Probing], None]) -> None:
        self.gate = Gate(time.monotonic)
        self._meanwhile = meanwhile
        self._is_done = False
        self.probing = Probing(
            target_of(Playment("http://127.0.0.1:1", "p1", "key", Edition.V1)),
            self.gate,
            time.monotonic,
            write=self._write,
            tell=lambda _reason: None,
            wake=self._wake,
        )

    def _write(self, work: Callable[[Ledger], object], then: Callable[[], None]) -> None:
        del work  # there is no ledger to write it into
        then()

    def _wake(self) -> None:
        if not self._is_done:
            self._is_done = True
            self._meanwhile(self.probing)


def _no_credit(probing: Probing) -> None:
    probing.out_of_credit(1, OutOfCredit("no credit", code="http-402"))


def _no_files(probing: Probing) -> None:
    for job in range(MISSING_FILES):
        probing.not_published(1, f"{job}.jpg", Unpublished("404", code="probe", is_missing=True))


@pytest.mark.parametrize(
    ("blocks", "meanwhile"),
    [(_no_credit, lambda probing: probing.target.worked()), (_no_files, lambda probing: probing.published())],
)
def test_what_goes_through_while_sending_is_being_blocked_opens_it_again(
    blocks: Callable[[Probing], None], meanwhile: Callable[[Probing], None]
) -> None:
    sending = _Blocked(meanwhile)
    blocks(sending.probing)
    assert (sending.gate.blocked, sending.probing.is_on) == ("", False)
