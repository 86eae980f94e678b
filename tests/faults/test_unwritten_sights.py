"""That a unit was seen again could not be written, as on a full disk: what it settles to is written all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from agent.errors import LedgerUnavailable
from agent.host.workers import DEFECT
from agent.ledger import units
from tests.support import query, write
from tests.tidying import Inbox, picture

if TYPE_CHECKING:
    from pathlib import Path


def _events(inbox: Inbox) -> list[str]:
    return [row["event"] for row in query(inbox.path, "select event from events where job is not null order by id")]


def _full(*_: Any) -> None:
    raise LedgerUnavailable("the ledger cannot be written: database or disk is full")


@pytest.mark.parametrize(("number", "ends"), [(1, "pending"), (2, "invalid")])
def test_what_was_invalid(
    tmp_path: Path, number: int, ends: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with Inbox(tmp_path) as inbox:
        write(inbox.root / "a.jpg", picture(1)[:100])
        inbox.look()
        assert _events(inbox) == ["invalid"]
        monkeypatch.setattr(units, "notice", _full)
        write(inbox.root / "a.jpg", picture(1) if ends == "pending" else picture(number)[:120])
        inbox.look(send=False)
        assert inbox.states("a.jpg") == [ends]
        assert _events(inbox) == ["invalid", "settling", ends]
    assert DEFECT not in caplog.text


def test_what_was_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    with Inbox(tmp_path) as inbox:
        inbox.write("a.jpg", 1)
        inbox.look()
        inbox.write("a.jpg", 2)
        inbox.look()
        assert inbox.states("a.jpg") == ["submitted", "held"]
        monkeypatch.setattr(units, "notice", _full)
        inbox.write("a.jpg", 3)
        inbox.look()
        assert inbox.states("a.jpg") == ["submitted", "held"]
        assert _events(inbox)[-2:] == ["settling", "held"]
    assert DEFECT not in caplog.text
