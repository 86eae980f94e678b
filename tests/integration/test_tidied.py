"""People tidy up after submission: nothing is paid twice by itself, nothing that is new is lost, and all is told."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING

import pytest

from agent.core.reference_id import IdRules
from tests.tidying import Inbox, picture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


CHOICE = "'retry' sends it as well, 'dismiss' leaves it"


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    with Inbox(tmp_path) as opened:
        yield opened


def sent(inbox: Inbox) -> list[str]:
    """Look, and return the paths of what is sent by that."""
    return [row["path"] for row in inbox.look()]


# Frames of sent sequences, elsewhere


def test_a_sequence_that_is_split_is_held_in_its_parts(inbox: Inbox) -> None:
    inbox.write("drive", *range(10))
    assert sent(inbox) == ["drive"]
    for number in range(10):
        inbox.move(f"drive/f{number}.jpg", f"drive/{'train' if number < 8 else 'val'}/f{number}.jpg")
    assert sent(inbox) == []
    assert inbox.held("drive/train") == (
        "sent-before",
        f"8 of 8 frames were sent before in drive (submitted, job J1), and are gone from there: {CHOICE}",
    )
    assert inbox.held("drive/val")[1].startswith("2 of 2 frames were sent before in drive")
    assert inbox.states("drive") == ["submitted"]


def test_a_sequence_that_is_culled_and_renamed_is_held(inbox: Inbox) -> None:
    inbox.write("drive", *range(10))
    assert sent(inbox) == ["drive"]
    (inbox.root / "drive/f4.jpg").unlink()
    inbox.move("drive", "drive done")
    assert sent(inbox) == []
    assert inbox.held("drive done")[1].startswith("9 of 9 frames were sent before in drive (submitted, job J1)")


def test_sequences_that_are_merged_are_held_with_all_their_jobs(inbox: Inbox) -> None:
    for place, name in enumerate("abcd"):
        inbox.write(name, *range(10 * place, 10 * place + 2 + place))
    assert sent(inbox) == ["a", "b", "c", "d"]
    for name in "abcd":
        for file in sorted((inbox.root / name).iterdir()):
            inbox.move(f"{name}/{file.name}", f"all/{file.name}")
    inbox.write("all", 99)
    assert sent(inbox) == []
    assert inbox.held("all") == (
        "sent-before",
        (
            "14 of 15 frames were sent before in d (5 of them, submitted, job J4) and c (4 of them, submitted, job J3) "
            f"and b (3 of them, submitted, job J2) and 1 more, and are gone from there: {CHOICE}"
        ),
    )


def test_frames_that_are_copied_and_then_deleted_are_held(inbox: Inbox) -> None:
    """As `mv` does over two file systems, where no inode is kept."""
    inbox.write("drive", *range(10))
    assert sent(inbox) == ["drive"]
    for number in (0, 7):
        inbox.copy(f"drive/f{number}.jpg", f"part {number}/other name.jpg")
        (inbox.root / f"drive/f{number}.jpg").unlink()
    assert sent(inbox) == []
    assert inbox.held("part 0")[1].startswith("1 of 1 frames were sent before in drive")
    assert inbox.held("part 7")[0] == "sent-before"
    assert inbox.held("drive") == ("changed", "2 frames removed after submission: f0.jpg, f7.jpg")


def test_copies_and_clips_that_overlap_are_jobs_of_their_own(inbox: Inbox) -> None:
    inbox.write("drive", *range(10))
    assert sent(inbox) == ["drive"]
    shutil.copytree(inbox.root / "drive", inbox.root / "copy")
    inbox.write("clip", *range(5, 15))
    assert sent(inbox) == ["clip", "copy"]
    # One of two copies goes, and is copied anew: what is there is the original of it.
    shutil.rmtree(inbox.root / "copy")
    assert sent(inbox) == []
    shutil.copytree(inbox.root / "drive", inbox.root / "copy 2")
    inbox.write("clip 2", 1, 2, 3)
    assert sent(inbox) == ["clip 2", "copy 2"]
    # Only what goes from the last place where it was is held.
    inbox.move("drive/f5.jpg", "one/f5.jpg")  # there are copies; but this file was in `drive`, and is not
    inbox.copy("drive/f6.jpg", "other/f6.jpg")
    (inbox.root / "drive/f6.jpg").unlink()
    assert sent(inbox) == ["other"]
    assert inbox.held("one")[1].startswith("1 of 1 frames were sent before in drive")


def test_what_was_sent_by_a_person_is_not_told_of_again(inbox: Inbox) -> None:
    """It has its own job then, which moves with it."""
    inbox.write("drive", *range(4))
    assert sent(inbox) == ["drive"]
    inbox.move("drive/f0.jpg", "part/f0.jpg")
    assert sent(inbox) == []
    inbox.ledger.call(lambda ledger: ledger.sql.execute("update jobs set state = 'submitted' where path = 'part'"))
    inbox.move("part", "part 2")
    assert sent(inbox) == []
    assert (inbox.states("part"), inbox.states("part 2")) == ([], ["submitted"])


def test_what_was_left_alone_stays_so_in_parts(inbox: Inbox) -> None:
    inbox.write("archive", *range(4))
    inbox.look(send=False)
    inbox.ledger.call(lambda ledger: ledger.sql.execute("update jobs set state = 'ignored'"))
    inbox.move("archive/f0.jpg", "part/f0.jpg")
    assert sent(inbox) == []
    assert inbox.held("part")[1].startswith("1 of 1 frames were dismissed before in archive (ignored), and are gone")


@pytest.mark.parametrize("how", ["moved", "copied"])
def test_a_few_frames_of_a_long_sequence_are_found(inbox: Inbox, how: str) -> None:
    inbox.write("long", *range(300))
    assert sent(inbox) == ["long"]
    for number in (200, 201):
        if how == "copied":
            inbox.copy(f"long/f{number}.jpg", f"part/f{number}.jpg")
            (inbox.root / f"long/f{number}.jpg").unlink()
        else:
            inbox.move(f"long/f{number}.jpg", f"part/f{number}.jpg")
    assert sent(inbox) == []
    assert inbox.held("part")[1].startswith("2 of 2 frames were sent before in long")


def test_bytes_that_were_overwritten_are_gone_too(inbox: Inbox) -> None:
    inbox.write("a.jpg", 1)
    inbox.write("drive", 2, 3)
    assert {*sent(inbox)} == {"a.jpg", "drive"}
    inbox.copy("a.jpg", "copy.jpg")
    shutil.copytree(inbox.root / "drive", inbox.root / "copy")
    (inbox.root / "a.jpg").write_bytes(picture(4))
    (inbox.root / "drive/f3.jpg").write_bytes(picture(5))
    assert sent(inbox) == []
    assert inbox.held("copy.jpg")[1].startswith("the same image was sent before as a.jpg")
    assert inbox.held("copy")[1].startswith("1 of 2 frames were sent before in drive")
    assert inbox.held("a.jpg")[0] == inbox.held("drive")[0] == "changed"


# Images and frames


def test_frames_become_images_and_images_frames(inbox: Inbox) -> None:
    inbox.write("drive", 1, 2, 3)
    for number in (4, 5, 6):
        inbox.write(f"{number}.jpg", number)
    assert sorted(sent(inbox)) == ["4.jpg", "5.jpg", "6.jpg", "drive"]
    inbox.move("drive/f1.jpg", "moved.jpg")
    inbox.copy("drive/f2.jpg", "copied.jpg")
    inbox.copy("drive/f3.jpg", "replaced.jpg")
    (inbox.root / "drive/f3.jpg").unlink()
    inbox.move("4.jpg", "moved/4.jpg")
    inbox.copy("5.jpg", "copied/5.jpg")
    inbox.copy("6.jpg", "replaced/6.jpg")
    (inbox.root / "6.jpg").unlink()
    assert sent(inbox) == ["copied.jpg", "copied"]
    for path in ("moved.jpg", "replaced.jpg"):
        assert inbox.held(path)[0] == "kind-changed"
        assert "taken as a sequence before (drive, submitted)" in inbox.held(path)[1]
    for path, image in (("moved", "4.jpg"), ("replaced", "6.jpg")):
        assert inbox.held(path)[0] == "kind-changed"
        assert f"taken as a single image before ({image}, submitted)" in inbox.held(path)[1]


# Names used again


def test_a_name_that_was_seen_deleted_is_a_new_drop(inbox: Inbox) -> None:
    inbox.write("a.jpg", 1)
    inbox.write("stills/a.jpg", 2)
    inbox.write("cam1", 3, 4)
    inbox.write("top/cam2", 5, 6)
    paths = {"a.jpg", "stills/a.jpg", "cam1", "top/cam2"}
    assert {*sent(inbox)} == paths
    for day in (10, 20, 30):
        (inbox.root / "a.jpg").unlink()
        (inbox.root / "stills/a.jpg").unlink()
        for file in (inbox.root / "cam1").iterdir():
            file.unlink()
        shutil.rmtree(inbox.root / "top")
        assert sent(inbox) == []
        inbox.write("a.jpg", day)
        inbox.write("stills/a.jpg", day + 1)
        inbox.write("cam1", day + 2, day + 3)
        inbox.write("top/cam2", day + 4, day + 5)
        assert {*sent(inbox)} == paths
    assert inbox.states("cam1") == ["submitted"] * 4
    # What is there is one drop, and other content of it is a change.
    (inbox.root / "a.jpg").write_bytes(picture(50))
    (inbox.root / "cam1/f32.jpg").write_bytes(picture(51))
    assert sent(inbox) == []
    assert inbox.held("a.jpg") == ("changed", "the file's content changed after submission")
    assert inbox.held("cam1") == ("changed", "1 frame changed after submission: f32.jpg")


@pytest.mark.parametrize("outcome", ["made", "not made", "not ours"])
@pytest.mark.parametrize("state", ["pending", "submitting"])
def test_a_name_that_was_seen_deleted_before_the_answer_came_is_a_new_drop(
    inbox: Inbox, state: str, outcome: str
) -> None:
    """An answer may be missing for days, and no look shows afterwards that the files were away meanwhile."""
    paths = ["a.jpg", "cam1"]
    inbox.write("stays.jpg", 9)
    assert sent(inbox) == ["stays.jpg"]
    inbox.write("a.jpg", 1)
    inbox.write("cam1", 2, 3)
    inbox.look(send=False)
    inbox.try_all(state)
    (inbox.root / "a.jpg").unlink()
    shutil.rmtree(inbox.root / "cam1")
    inbox.look(send=False)
    inbox.write("a.jpg", 4)
    inbox.write("cam1", 5, 6)
    inbox.clock.advance(10.0)
    inbox.glance()
    assert [inbox.states(path) for path in paths] == [[state, "settling"]] * 2, "it waits for what became of the first"
    inbox.answer_all(outcome)
    assert sent(inbox) == paths
    first = {"made": "submitted", "not made": "gone", "not ours": "duplicate"}[outcome]
    assert [inbox.states(path) for path in paths] == [[first, "submitted"]] * 2
    assert inbox.rows("stays.jpg")[0]["deleted_at"] is None


@pytest.mark.parametrize("state", ["pending", "submitting"])
def test_what_is_put_back_before_the_answer_came_is_no_new_drop(inbox: Inbox, state: str) -> None:
    inbox.write("a.jpg", 1)
    inbox.look(send=False)
    inbox.try_all(state)
    (inbox.root / "a.jpg").unlink()
    inbox.look(send=False)
    assert inbox.rows("a.jpg")[0]["deleted_at"]
    inbox.write("a.jpg", 1)
    inbox.look(send=False)
    (row,) = inbox.rows("a.jpg")
    assert (row["state"], row["unanswered"], row["deleted_at"]) == (state, 1, None)


def test_a_file_in_the_place_of_another_is_a_change(inbox: Inbox) -> None:
    """Tools that unlink before they write leave a moment without the file: it is the same change."""
    inbox.write("a.jpg", 1)
    inbox.write("cam1", 2, 3)
    assert {*sent(inbox)} == {"a.jpg", "cam1"}
    (inbox.root / "a.jpg").unlink()
    shutil.rmtree(inbox.root / "cam1")
    inbox.glance()
    assert all(row["deleted_at"] for path in ("a.jpg", "cam1") for row in inbox.rows(path))
    inbox.clock.advance(0.9)
    inbox.write("a.jpg", 4)
    inbox.write("cam1", 5, 6)
    inbox.glance()
    assert sent(inbox) == []
    assert inbox.held("a.jpg")[0] == inbox.held("cam1")[0] == "changed"


def test_what_is_put_back_is_known_again(inbox: Inbox) -> None:
    inbox.write("a.jpg", 1)
    inbox.write("cam1", 2, 3)
    assert {*sent(inbox)} == {"a.jpg", "cam1"}
    before = {path: inbox.rows(path) for path in ("a.jpg", "cam1")}
    (inbox.root / "a.jpg").unlink()
    inbox.move("cam1", "../away")
    assert sent(inbox) == []
    inbox.write("a.jpg", 1)
    inbox.move("../away", "cam1")
    assert sent(inbox) == []
    assert {path: inbox.rows(path) for path in before} == before
    # And of two drops of one name, the older one.
    (inbox.root / "a.jpg").unlink()
    assert sent(inbox) == []
    inbox.write("a.jpg", 4)
    assert sent(inbox) == ["a.jpg"]
    inbox.write("a.jpg", 1)
    assert sent(inbox) == []
    assert inbox.states("a.jpg") == ["submitted", "submitted"]
    at_rest = inbox.rows("a.jpg")
    assert [bool(row["deleted_at"]) for row in at_rest] == [False, True]
    assert sent(inbox) == []
    assert inbox.rows("a.jpg") == at_rest


def test_what_was_dismissed_and_deleted_is_over_too(inbox: Inbox) -> None:
    inbox.write("cam1", 1, 2)
    inbox.look(send=False)
    inbox.ledger.call(lambda ledger: ledger.sql.execute("update jobs set state = 'ignored'"))
    shutil.rmtree(inbox.root / "cam1")
    assert sent(inbox) == []
    inbox.write("cam1", 3, 4)
    assert sent(inbox) == ["cam1"]


def test_a_new_drop_that_cannot_be_sent_is_invalid_and_not_a_change(inbox: Inbox) -> None:
    inbox.write("a.jpg", 1)
    assert sent(inbox) == ["a.jpg"]
    (inbox.root / "a.jpg").unlink()
    assert sent(inbox) == []
    (inbox.root / "a.jpg").write_bytes(picture(2)[:-30])
    assert sent(inbox) == []
    assert inbox.states("a.jpg") == ["submitted", "invalid"]
    inbox.write("a.jpg", 2)
    assert sent(inbox) == ["a.jpg"]


def test_a_folder_that_goes_while_nobody_looks_is_seen_to_be_gone(inbox: Inbox) -> None:
    """By the first look of the next process: nothing else tells of a folder that is not there."""
    inbox.write("top/cam1", 1, 2)
    inbox.write("stills/x/a.jpg", 3)
    inbox.write("other", 4, 5)
    assert {*sent(inbox)} == {"top/cam1", "stills/x/a.jpg", "other"}
    shutil.rmtree(inbox.root / "top")
    shutil.rmtree(inbox.root / "stills")
    inbox.start()
    assert sent(inbox) == []
    inbox.write("top/cam1", 6, 7)
    inbox.write("stills/x/a.jpg", 8)
    assert {*sent(inbox)} == {"top/cam1", "stills/x/a.jpg"}
    # What an earlier run has seen is no one change with what this one sees, however soon.
    shutil.rmtree(inbox.root / "top")
    inbox.look()
    inbox.write("top/cam1", 10)
    inbox.clock.advance(0.1)
    inbox.start()
    assert [row["path"] for row in inbox.look(after=0.1)] == ["top/cam1"]
    # Gone and there again between two looks, of which none showed the folder without it: a change.
    shutil.rmtree(inbox.root / "other")
    inbox.write("other", 9)
    inbox.start()
    assert sent(inbox) == []
    assert inbox.held("other")[0] == "changed"


def test_a_watch_folder_that_is_away_deletes_nothing(inbox: Inbox) -> None:
    inbox.write("a.jpg", 1)
    inbox.write("cam1", 2, 3)
    assert {*sent(inbox)} == {"a.jpg", "cam1"}
    inbox.is_there = False
    (inbox.root / "a.jpg").unlink()
    shutil.rmtree(inbox.root / "cam1")
    assert sent(inbox) == []
    inbox.is_there = True
    inbox.write("a.jpg", 4)
    inbox.write("cam1", 5)
    assert sent(inbox) == []
    assert inbox.held("a.jpg")[0] == inbox.held("cam1")[0] == "changed"


@pytest.mark.parametrize("template", ["{path}~{digest}", "{path}"])
def test_each_drop_of_a_name_has_an_id_of_its_own(tmp_path: Path, template: str) -> None:
    with Inbox(tmp_path, IdRules(template, "host1")) as inbox:
        ids = []
        for day in range(3):
            inbox.write("a.jpg", day)
            (row,) = inbox.look()
            ids.append(row["reference_id"])
            (inbox.root / "a.jpg").unlink()
            assert sent(inbox) == []
    assert len({*ids}) == 3
    assert ids[0] == ("a.jpg" if template == "{path}" else f"a.jpg~{row_digest(0)}")
    assert ids[2] == f"a.jpg~{row_digest(2)}"


def row_digest(number: int) -> str:
    return hashlib.sha256(picture(number)).hexdigest()[:12]


# The same bytes, later


def test_equal_bytes_under_a_new_name_long_after_are_held_and_told(inbox: Inbox) -> None:
    inbox.write("cam1.jpg", 1)
    inbox.write("monday", 2, 3)
    assert {*sent(inbox)} == {"cam1.jpg", "monday"}
    (inbox.root / "cam1.jpg").unlink()
    shutil.rmtree(inbox.root / "monday")
    assert sent(inbox) == []
    inbox.write("cam2.jpg", 1)
    inbox.write("tuesday", 2, 3)
    assert sent(inbox) == []
    assert inbox.held("cam2.jpg") == (
        "sent-before",
        f"the same image was sent before as cam1.jpg (submitted, job J1), and is gone from there: {CHOICE}",
    )
    assert inbox.held("tuesday")[1].startswith("2 of 2 frames were sent before in monday")
    assert (inbox.states("cam1.jpg"), inbox.states("monday")) == (["submitted"], ["submitted"])


def test_a_move_is_seen_as_one_by_the_file_or_by_both_ends_in_one_look(inbox: Inbox) -> None:
    for number, name in enumerate(("kept", "copied", "late")):
        inbox.write(f"{name}.jpg", number)
        inbox.write(name, 10 * number + 10, 10 * number + 11)
    assert len(sent(inbox)) == 6
    # Copied and deleted, as between two file systems: both ends are seen at once.
    for name in ("copied.jpg", "copied/f20.jpg", "copied/f21.jpg"):
        inbox.copy(name, f"new {name}")
        (inbox.root / name).unlink()
    inbox.move("kept.jpg", "new kept.jpg")
    inbox.move("kept", "../kept")
    assert sent(inbox) == []
    # The very files, untouched, also where they were away for long.
    inbox.move("../kept", "new kept")
    # Or the copy is seen first, and the deletion later.
    inbox.copy("late.jpg", "new late.jpg")
    for number in (30, 31):
        inbox.copy(f"late/f{number}.jpg", f"new late/f{number}.jpg")
    inbox.glance()
    (inbox.root / "late.jpg").unlink()
    shutil.rmtree(inbox.root / "late")
    assert sent(inbox) == []
    for name in ("kept", "copied", "late"):
        assert (inbox.states(f"{name}.jpg"), inbox.states(name)) == ([], [])
        assert (inbox.states(f"new {name}.jpg"), inbox.states(f"new {name}")) == (["submitted"], ["submitted"])
        assert not any(row["deleted_at"] for row in inbox.rows(f"new {name}"))


def test_an_inode_number_that_is_used_again_is_no_move(inbox: Inbox) -> None:
    """A copy that keeps its times may get the number of the file that was deleted before it (ext4 and XFS do so)."""
    inbox.write("../card.jpg", 1)
    shutil.copy2(inbox.root / "../card.jpg", inbox.root / "cam1.jpg")
    assert sent(inbox) == ["cam1.jpg"]
    old = (inbox.root / "cam1.jpg").stat()
    (inbox.root / "cam1.jpg").unlink()
    assert sent(inbox) == []
    shutil.copy2(inbox.root / "../card.jpg", inbox.root / "cam2.jpg")
    new = (inbox.root / "cam2.jpg").stat()
    inbox.ledger.call(lambda ledger: ledger.sql.execute("update frame_rows set inode = ?", (new.st_ino,)))
    assert (old.st_size, old.st_mtime_ns) == (new.st_size, new.st_mtime_ns)
    assert sent(inbox) == []
    assert inbox.held("cam2.jpg")[0] == "sent-before"
