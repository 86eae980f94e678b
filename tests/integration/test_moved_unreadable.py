"""What was moved, or put in another file's place, and cannot be read at first is what it was when it came."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from agent.ledger import orders
from tests.integration.test_unreadable import Share, share
from tests.support import query
from tests.tidying import Inbox

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["share"]

ROWS = "select path, state, error_code from jobs where state <> 'gone' order by id"


MEANWHILE = pytest.mark.parametrize("meanwhile", ["nothing", "asked", "started again"])


def _not_readable_for_a_while(inbox: Inbox, share: Share, path: str, meanwhile: str) -> None:
    """Look as long as a file cannot be read, and then once it can; `meanwhile` a person may do something about it."""
    for _ in range(5):
        inbox.clock.advance(60)
        inbox.glance()
    (row,) = (row for row in inbox.ledger.call(lambda ledger: orders.named(ledger, path)) if row.state == "settling")
    assert row.error_code == "unreadable"
    if meanwhile == "started again":
        inbox.start()
    if meanwhile == "asked":
        inbox.ledger.call(lambda ledger: orders.retry(ledger, row))
        for _ in range(3):
            inbox.clock.advance(600)
            inbox.glance()
    share.sick = {}
    inbox.look(after=1200)


@MEANWHILE
def test_what_was_moved_takes_its_job_along(tmp_path: Path, share: Share, meanwhile: str) -> None:
    with Inbox(tmp_path) as inbox:
        inbox.write("a.jpg", 1)
        inbox.look()
        inbox.move("a.jpg", "b.jpg")
        share.sick = {"open b.jpg": errno.EIO}
        inbox.glance()
        _not_readable_for_a_while(inbox, share, "b.jpg", meanwhile)
        assert query(inbox.path, ROWS) == [{"path": "b.jpg", "state": "submitted", "error_code": ""}]


@MEANWHILE
def test_what_came_in_the_place_of_something_sent_is_held(tmp_path: Path, share: Share, meanwhile: str) -> None:
    with Inbox(tmp_path) as inbox:
        inbox.write("a.jpg", 1)
        inbox.look()
        (inbox.root / "a.jpg").unlink()
        inbox.glance()
        inbox.write("a.jpg", 2)
        share.sick = {"open a.jpg": errno.EIO}
        inbox.glance()
        _not_readable_for_a_while(inbox, share, "a.jpg", meanwhile)
        assert query(inbox.path, ROWS) == [
            {"path": "a.jpg", "state": "submitted", "error_code": ""},
            {"path": "a.jpg", "state": "held", "error_code": "changed"},
        ]
