from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.core.open_writers import MOST_FOLDERS, MOST_NAMES, OpenWriters


def test_a_file_is_open_from_its_making_to_its_end() -> None:
    writers = OpenWriters()
    writers.opened("s", "f1.jpg", written=False)
    assert writers.in_folder("s") == {"f1.jpg": False}
    writers.opened("s", "f1.jpg", written=True)
    writers.opened("s", "f1.jpg", written=False)  # a name that is made anew while it is written to
    assert writers.in_folder("s")["f1.jpg"] in (True, False)
    writers.opened("s", "f2.jpg", written=True)
    writers.ended("s", "f1.jpg")
    assert writers.in_folder("s") == {"f2.jpg": True}
    writers.ended("s", "f2.jpg")
    writers.ended("s", "never")
    assert writers.in_folder("s") == {}


def test_a_folder_that_is_gone_takes_those_below_along() -> None:
    writers = OpenWriters()
    for folder in ("s", "s/deep", "st"):
        writers.opened(folder, "f", written=True)
    writers.gone("s")
    assert [writers.in_folder(folder) for folder in ("s", "s/deep", "st")] == [{}, {}, {"f": True}]
    writers.doubt()
    assert writers.in_folder("st") == {}


def test_what_is_written_in_a_hidden_folder_bears_on_those_beside_it_and_below() -> None:
    writers = OpenWriters()
    writers.opened("a/.spool/deep", "f.jpg", written=True)
    assert writers.beside("a") == writers.beside("a/drive") == "a/.spool/deep/f.jpg"
    assert writers.beside("") == writers.beside("b") == writers.beside("ab") == ""
    writers.opened(".cache", "x", written=True)
    assert writers.beside("b") == ".cache/x"
    writers.opened("b", "f.jpg", written=True)
    writers.gone(".cache")
    assert writers.beside("b") == ""


def test_it_is_bounded() -> None:
    writers = OpenWriters()
    for number in range(MOST_NAMES + 10):
        writers.opened("s", str(number), written=True)
    assert len(writers.in_folder("s")) == MOST_NAMES
    for number in range(MOST_FOLDERS):
        writers.opened(f"t{number}", "f", written=True)
    assert writers.in_folder("s") == {}
    assert writers.in_folder(f"t{MOST_FOLDERS - 1}") == {"f": True}


@given(st.lists(st.tuples(st.sampled_from(("made", "written", "ended")), st.integers(0, 3), st.integers(0, 3))))
def test_it_is_as_a_set_would_be(steps: list[tuple[str, int, int]]) -> None:
    writers = OpenWriters()
    there: set[tuple[str, str]] = set()
    for what, folder, name in steps:
        if what == "ended":
            writers.ended(f"d{folder}", f"f{name}")
            there.discard((f"d{folder}", f"f{name}"))
        else:
            writers.opened(f"d{folder}", f"f{name}", written=what == "written")
            there.add((f"d{folder}", f"f{name}"))
    for folder in range(4):
        assert set(writers.in_folder(f"d{folder}")) == {name for known, name in there if known == f"d{folder}"}
