from __future__ import annotations

from agent.folder.covered import CoveredFolders


def covered(**descriptors: int) -> CoveredFolders:
    folders = CoveredFolders()
    for path, descriptor in descriptors.items():
        folders.add(path.replace("_", "/"), descriptor)
    return folders


def test_a_descriptor_stands_for_a_folder_until_it_is_gone() -> None:
    folders = covered(a=1, a_b=2)
    assert (folders.path(1), folders.path(2), folders.path(3)) == ("a", "a/b", None)
    folders.forget(1)
    folders.forget(3)
    assert folders.path(1) is None
    assert "a" not in folders
    assert "a/b" in folders


def test_a_folder_that_moves_takes_all_below_it_along_and_nothing_else() -> None:
    folders = covered(a=1, a_b=2, a_b_c=3, ab=4)
    assert sorted(folders.move_away("a")) == [1, 2, 3]
    assert [folders.path(descriptor) for descriptor in (1, 2, 3, 4)] == [None, None, None, "ab"]
    assert not any(path in folders for path in ("a", "a/b", "a/b/c"))
    assert folders.move_away("a") == []


def test_a_folder_that_was_covered_under_its_new_path_before_its_move_was_told_of_stays_covered() -> None:
    folders = covered(a=1, a_b=2)
    folders.add("c", 1)
    assert folders.move_away("a") == [2]
    assert folders.path(1) == "c"
    assert "c" in folders
    assert "a" not in folders


def test_the_end_of_an_old_folder_is_not_that_of_the_new_one_of_its_name() -> None:
    folders = covered(a=1)
    folders.add("a", 2)
    folders.forget(1)
    assert "a" in folders
    assert (folders.path(1), folders.path(2)) == (None, "a")


def test_in_doubt_all_is_added_again_and_told_of_meanwhile() -> None:
    folders = covered(a=1, b=2)
    folders.doubt()
    assert "a" not in folders
    assert folders.path(1) == "a"
    folders.add("c", 1)
    assert folders.path(1) == "c"
