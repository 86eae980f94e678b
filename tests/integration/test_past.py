"""Which jobs of before the ledger are taken for whose, by real files and a real ledger; lists come first, or late."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING

import pytest

from agent.core import past as core_past
from agent.core.reference_id import IdRules
from agent.ledger import orders, past
from agent.ledger.reads import Reads
from agent.model.jobs import Found
from tests.sending import RULES
from tests.support import query
from tests.tidying import Inbox, picture

if TYPE_CHECKING:
    from pathlib import Path

    from agent.ledger.store import Ledger

TAGGED = IdRules(RULES.template, RULES.host, "boxes")
WHEN = pytest.mark.parametrize("late", [False, True], ids=["early", "late"])


def digest(number: int) -> str:
    return hashlib.sha256(picture(number)).hexdigest()


def job(path: str, number: int, *, frames: int | None = None, tag: str | None = "boxes", of: str = "") -> Found:
    """Return a job of a picture as the lists have it, under the id of a path."""
    return Found(f"job of {path}", of or f"{path}~{digest(number)[:12]}", frames, tag, "batch-1")


def read_lists(inbox: Inbox, *listed: Found, rules: IdRules = TAGGED) -> list[str]:
    """Read the lists as the start of a new ledger does; return the paths that are to be looked at again."""

    def read(ledger: Ledger) -> list[str]:
        ledger.put(past=core_past.UNKNOWN)
        ids = past.learn(ledger, listed, rules.reader)
        return [unit.path for unit in past.finish(ledger, rules, found=bool(ids), whole=True)]

    return inbox.ledger.call(read)


def found(inbox: Inbox, *listed: Found, late: bool, rules: IdRules = TAGGED) -> dict[str, str | None]:
    """Return the job_id of every path, after the lists were read before, or after, all files were."""
    if not late:
        read_lists(inbox, *listed, rules=rules)
    inbox.look(send=False)
    if late:
        read_lists(inbox, *listed, rules=rules)
        inbox.look(send=False)
    rows = query(inbox.path, "select path, job_id, state from jobs where state <> 'gone'")
    assert {row["state"] for row in rows} <= {"submitted", "pending"}
    assert all((row["state"] == "submitted") is (row["job_id"] is not None) for row in rows)
    return {row["path"]: row["job_id"] for row in rows}


@WHEN
def test_what_is_where_it_was_or_was_moved_keeps_its_job(tmp_path: Path, late: bool) -> None:
    with Inbox(tmp_path, TAGGED) as inbox:
        for number, path in enumerate(("a.jpg", "new name.jpg", "c.jpg", "stills/d.jpg")):
            inbox.write(path, number)
        listed = [job("a.jpg", 0), job("b.jpg", 1), job("d.jpg", 3)]
        assert found(inbox, *listed, late=late) == {
            "a.jpg": "job of a.jpg",
            "new name.jpg": "job of b.jpg",
            "c.jpg": None,
            "stills/d.jpg": "job of d.jpg",
        }
        assert not query(inbox.path, "select 1 from listed")


@WHEN
def test_a_copy_of_what_is_there_is_its_own(tmp_path: Path, late: bool) -> None:
    with Inbox(tmp_path, TAGGED) as inbox:
        inbox.write("a.jpg", 1)
        inbox.copy("a.jpg", "copy.jpg")
        inbox.copy("a.jpg", "and another.jpg")
        assert found(inbox, job("a.jpg", 1), late=late) == {
            "a.jpg": "job of a.jpg",
            "copy.jpg": None,
            "and another.jpg": None,
        }


@WHEN
def test_of_copies_of_what_is_gone_one_is_it(tmp_path: Path, late: bool) -> None:
    with Inbox(tmp_path, TAGGED) as inbox:
        inbox.write("b.jpg", 1)
        inbox.copy("b.jpg", "c.jpg")
        jobs = found(inbox, job("a.jpg", 1), late=late)
        assert sorted(map(str, jobs.values())) == ["None", "job of a.jpg"]


@WHEN
def test_the_same_name_is_the_likelier_one(tmp_path: Path, late: bool) -> None:
    with Inbox(tmp_path, TAGGED) as inbox:
        inbox.write("stills/b.jpg", 1)
        assert found(inbox, job("a.jpg", 1), job("old/b.jpg", 1), late=late) == {"stills/b.jpg": "job of old/b.jpg"}


@WHEN
@pytest.mark.parametrize(
    "listed",
    [
        job("a.jpg", 2),  # other content
        job("a.jpg", 1, frames=7),
        job("a.jpg", 1, tag="cats"),
        job("gone.jpg", 1, frames=7),
        job("x", 1, of="a.jpg"),
    ],
)
def test_what_cannot_be_shown_to_be_ours_is_not_taken(tmp_path: Path, listed: Found, late: bool) -> None:
    with Inbox(tmp_path, TAGGED) as inbox:
        inbox.write("a.jpg", 1)
        assert found(inbox, listed, late=late) == {"a.jpg": None}


@WHEN
def test_an_id_without_the_digest_proves_nothing_but_the_second_one_does(tmp_path: Path, late: bool) -> None:
    rules = IdRules("{path}", "host1", "boxes")
    with Inbox(tmp_path, rules) as inbox:
        inbox.write("a.jpg", 1)
        inbox.write("c.jpg", 2)
        listed = [job("a.jpg", 1, of="a.jpg"), job("b.jpg", 2)]  # the latter as of `b.jpg` with other content before
        assert found(inbox, *listed, late=late, rules=rules) == {"a.jpg": None, "c.jpg": "job of b.jpg"}


@WHEN
def test_a_folder_of_frames_that_was_moved_keeps_its_job_and_one_that_is_there_its_own(
    tmp_path: Path, late: bool
) -> None:
    with Inbox(tmp_path, TAGGED) as inbox:
        inbox.write("drive", 1, 2, 3)
        inbox.write("other", 4, 5)
        inbox.look(send=False)
        ids = {row["path"]: row["reference_id"] for row in query(inbox.path, "select path, reference_id from jobs")}
    (tmp_path / "ledger.db").unlink()
    with Inbox(tmp_path, TAGGED) as inbox:
        inbox.move("drive", "done/drive")
        (inbox.root / "copy of other").mkdir()
        for number in (4, 5):
            inbox.copy(f"other/f{number}.jpg", f"copy of other/f{number}.jpg")
        listed = [Found(f"J {path}", ids[path], frames, "boxes", "b") for path, frames in (("drive", 3), ("other", 2))]
        assert found(inbox, *listed, late=late) == {
            "done/drive": "J drive",
            "other": "J other",
            "copy of other": None,
        }


def test_what_a_person_wants_sent_is_left_to_be_sent(tmp_path: Path) -> None:
    with Inbox(tmp_path, TAGGED) as inbox:
        inbox.write("a.jpg", 1)
        inbox.write("b.jpg", 2)
        inbox.look(send=False)
        inbox.ledger.call(_hold_and_retry)
        assert read_lists(inbox, job("gone.jpg", 1), job("b.jpg", 2)) == []
        assert {row["path"]: row["job_id"] for row in query(inbox.path, "select path, job_id from jobs")} == {
            "a.jpg": None,
            "b.jpg": "job of b.jpg",
        }


def _hold_and_retry(ledger: Ledger) -> None:
    ledger.sql.execute("update jobs set state = 'held', error_code = 'order' where path = 'a.jpg'")
    (target,) = orders.named(ledger, "a.jpg")
    assert orders.retry(ledger, target)


def test_what_was_tried_is_left_to_its_look_up(tmp_path: Path) -> None:
    with Inbox(tmp_path, TAGGED) as inbox:
        inbox.write("a.jpg", 1)
        inbox.look(send=False)
        inbox.ledger.call(lambda ledger: ledger.sql.execute("update jobs set unanswered = 1, edition = 'v0'"))
        assert read_lists(inbox, job("a.jpg", 1), job("gone.jpg", 1)) == []
        assert inbox.states("a.jpg") == ["pending"]


def test_ids_of_other_templates_are_not_kept_and_those_of_known_jobs_neither(tmp_path: Path) -> None:
    with Inbox(tmp_path, TAGGED) as inbox:
        inbox.write("a.jpg", 1)
        inbox.look()
        others = [Found("j", "made by hand", 1, None, "b"), job("a.jpg", 1)]
        ids = inbox.ledger.call(partial(past.learn, found=others, reader=TAGGED.reader))
        assert ids == [job("a.jpg", 1).reference_id]
        assert not query(inbox.path, "select 1 from listed")


def test_it_is_new_until_an_agent_or_a_person_has_used_it() -> None:
    with Reads.of_nothing() as nothing:
        assert core_past.is_new(nothing.agent(), 0)
    assert not core_past.is_new({}, 1)
    assert not core_past.is_new({"started_at": "2026"}, 0)
    assert not core_past.is_new({"past": core_past.KNOWN}, 0)
    assert core_past.is_new({"paused": "1", "started_at": ""}, 0)


@pytest.mark.parametrize(
    ("kept", "told"),
    [
        ({}, ""),
        ({"past": "known", "paused_why": ""}, ""),
        ({"paused": "1"}, "a person has paused it; 'resume' has it go on"),
        ({"past": "unknown", "paused_why": "because"}, "because"),
        ({"past": "known", "paused": "1", "paused_why": "because"}, "because"),
    ],
)
def test_why_nothing_is_sent(kept: dict[str, str], told: str) -> None:
    assert core_past.why_paused(kept) == told
