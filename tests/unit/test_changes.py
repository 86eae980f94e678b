from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from agent.core.folder_rules import NAME
from agent.folder.changes import MANY_NAMES, Changes

SETTINGS = os.fsencode(NAME)
TOLD = st.tuples(
    st.sampled_from(["", "a", "a/b"]),
    st.one_of(st.integers(0, 2 * MANY_NAMES).map(lambda number: b"%d.jpg" % number), st.just(SETTINGS)),
    st.booleans(),
)


def test_what_comes_is_kept_by_its_folder() -> None:
    changes = Changes()
    assert changes.add("", b"a.jpg", is_folder=False)
    assert changes.add("s/t", b"b.jpg", is_folder=False)
    assert changes.add("s/t", b"caf\xe9.jpg", is_folder=False)
    assert changes.add("s/t", b"b.jpg", is_folder=False)
    assert changes.add("s", b"t", is_folder=True)
    assert changes.add("", b"s", is_folder=True)
    assert changes.take() == ({"s", "s/t"}, {"": {"a.jpg"}, "s/t": {"b.jpg", "caf\udce9.jpg"}})


def test_nothing_is_added_to_what_was_taken_or_closed() -> None:
    taken, closed = Changes(), Changes()
    taken.take()
    closed.add("", b"a.jpg", is_folder=False)
    closed.close()
    assert not taken.add("", b"b.jpg", is_folder=False)
    assert not closed.add("", b"b", is_folder=True)
    assert taken.take() == (set(), {})
    assert closed.take() == (set(), {"": {"a.jpg"}})


@given(st.lists(TOLD, max_size=400))
def test_it_grows_with_the_folders_and_leaves_out_no_file_of_settings(
    told: list[tuple[str, bytes, bool]],
) -> None:
    changes = Changes()
    for folder, name, is_folder in told:
        assert changes.add(folder, name, is_folder=is_folder)
    folders, files = changes.take()
    for folder in ("", "a", "a/b"):
        all_of_it = {os.fsdecode(name) for where, name, is_folder in told if where == folder and not is_folder}
        kept = files.get(folder, set())
        assert kept <= all_of_it
        assert len(kept) <= MANY_NAMES + 2
        assert kept == all_of_it or len(kept) > MANY_NAMES
        assert (NAME in kept) == (NAME in all_of_it)
    assert len(folders) == len({(folder, name) for folder, name, is_folder in told if is_folder})
