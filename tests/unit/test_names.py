from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.names import SYSTEM_FOLDERS, Filters, Name, temporary
from agent.model import Kind

EXTENSIONS = ("jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff")
FILTERS = Filters.of(EXTENSIONS, marker="_READY")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("frame_1.jpg", Name.IMAGE),
        ("FRAME_1.JPG", Name.IMAGE),
        ("a.b.TiFf", Name.IMAGE),
        ("..jpg", Name.HIDDEN),
        (".jpg", Name.HIDDEN),
        ("jpg", Name.OTHER),
        ("frame_1.jpg ", Name.OTHER),
        ("frame_1.jpg.", Name.OTHER),
        ("frame_1.jpg.txt", Name.OTHER),
        ("Thumbs.db", Name.OTHER),
        ("_READY", Name.MARKER),
        ("_ready", Name.OTHER),
        ("x_READY", Name.OTHER),
        (".playment.toml", Name.HIDDEN),
        (".DS_Store", Name.HIDDEN),
        ("._frame_1.jpg", Name.HIDDEN),
        ("frame_1.jpg.part", Name.TEMPORARY),
        ("frame_1.jpg.PART", Name.TEMPORARY),
        ("frame_1.tmp", Name.TEMPORARY),
        ("frame_1.jpg.crdownload", Name.TEMPORARY),
        ("frame_1.jpg.filepart", Name.TEMPORARY),
        ("frame_1.jpg~", Name.TEMPORARY),
        ("~", Name.TEMPORARY),
        ("~syncthing~frame_1.jpg", Name.TEMPORARY),
        (".syncthing.frame_1.jpg.tmp", Name.TEMPORARY),
        (".frame_1.jpg.Ab3xY9", Name.TEMPORARY),
        (".line\nbreak.jpg.abcdef", Name.TEMPORARY),
        (".frame_1.jpg.Ab3xY", Name.HIDDEN),
        (".frame_1.jpg.Ab3xY99", Name.HIDDEN),
        (".frame_1.jpg.Ab3x-9", Name.HIDDEN),
        ("..Ab3xY9", Name.HIDDEN),
        ("frame_1.Ab3xY9", Name.OTHER),
        ("part", Name.OTHER),
        ("~frame_1.jpg", Name.IMAGE),
        ("l\udce9.jpg", Name.IMAGE),
    ],
)
def test_what_a_name_is(name: str, expected: Name) -> None:
    assert FILTERS.classify(name) is expected


def test_a_marker_is_a_marker_whatever_else_its_name_matches() -> None:
    for marker in (".ready", "done.tmp", "done.jpg"):
        assert Filters.of(EXTENSIONS, marker=marker).classify(marker) is Name.MARKER
    assert Filters.of(EXTENSIONS).classify("_READY") is Name.OTHER


@given(st.text(st.characters(exclude_characters="/\0"), min_size=1))
def test_the_quick_way_and_the_explained_way_agree(name: str) -> None:
    found = FILTERS.classify(name)
    assert (found is Name.TEMPORARY) == (temporary(name) is not None)
    assert (found is Name.IMAGE) == (FILTERS.explain(name) is None)
    closed = found in {Name.TEMPORARY, Name.HIDDEN} or name.lower() in SYSTEM_FOLDERS
    assert FILTERS.enters(name) == (not closed)


@pytest.mark.parametrize(
    ("name", "entered"),
    [("drive", True), ("drive.1", True), (".git", False), (".~tmp~", False), ("drive.part", False), ("drive~", False)],
)
def test_which_folders_are_walked(name: str, *, entered: bool) -> None:
    assert FILTERS.enters(name) is entered


@pytest.mark.parametrize(
    ("glob", "matching", "others"),
    [
        ("stills", ["stills"], ["stills/a", "a/stills", "Stills", "stillsx"]),
        ("stills/", ["stills"], ["stills/a"]),
        (" stills ", ["stills"], [" stills "]),
        ("*", ["stills", "a b", "line\nbreak"], ["stills/a"]),
        ("cam?/stills", ["cam1/stills"], ["cam/stills", "cam10/stills", "cam//stills"]),
        ("cam[0-2]", ["cam0", "cam2"], ["cam3", "cam-"]),
        ("cam[!0-2]", ["cam3"], ["cam0", "cam", "cam/"]),
        ("cam[]x]", ["cam]", "camx"], ["cam"]),
        ("cam[^a]", ["cam^", "cama"], ["camb"]),
        ("cam[a-]", ["cama", "cam-"], ["camb"]),
        (r"cam[\d]", ["camd", "cam\\"], ["cam1"]),
        ("cam[[]1", ["cam[1"], ["cam1"]),
        ("a.b+(c)$", ["a.b+(c)$"], ["axb+(c)$"]),
        ("stills/**", ["stills", "stills/a", "stills/a/b"], ["stillsx", "x/stills"]),
        ("**/stills", ["stills", "a/stills", "a/b/stills"], ["stills/a", "xstills"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["a", "b", "ab", "a/xb"]),
        ("**", ["a", "a/b"], []),
    ],
)
def test_image_folders(glob: str, matching: list[str], others: list[str]) -> None:
    filters = Filters.of(EXTENSIONS, [glob])
    assert [folder for folder in matching if filters.kind(folder) is not Kind.IMAGE] == []
    assert [folder for folder in others if filters.kind(folder) is not Kind.SEQUENCE] == []


def test_the_watch_folder_itself_holds_single_images() -> None:
    assert FILTERS.kind("") is Kind.IMAGE
    assert FILTERS.kind("drive") is Kind.SEQUENCE
    assert Filters.of(EXTENSIONS, ["one", "two"]).kind("two") is Kind.IMAGE


@pytest.mark.parametrize(
    "glob", ["", " ", "/stills", "a//b", "a/../b", "./a", "a**", "**b/c", "a[b", "a[b/c]", "[z-a]"]
)
def test_a_glob_that_can_match_nothing_is_refused_by_name(glob: str) -> None:
    with pytest.raises(ValueError, match="is no folder glob") as caught:
        Filters.of(EXTENSIONS, [glob])
    assert repr(glob.strip()) in str(caught.value)


@pytest.mark.parametrize("extension", ["", ".", "tar.gz", "a/b", "j pg"])
def test_an_extension_that_can_match_nothing_is_refused(extension: str) -> None:
    with pytest.raises(ValueError, match="is no file extension"):
        Filters.of([extension])


@pytest.mark.parametrize("marker", ["a/b", "/", ".", ".."])
def test_a_marker_that_can_be_no_file_is_refused(marker: str) -> None:
    with pytest.raises(ValueError, match="cannot be a ready marker"):
        Filters.of(EXTENSIONS, marker=marker)


def test_extensions_are_taken_as_people_write_them() -> None:
    assert Filters.of([".JPG", " png "]) == Filters(frozenset({"jpg", "png"}), (), "")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("a/b/frame_1.jpg", None),
        ("a/.b/frame_1.jpg", "the folder .b is hidden: names that begin with a dot are never sent"),
        ("a/b~/frame_1.jpg", "the folder b~ is a copy tool's temporary name (*~): "),
        ("a/.frame_1.jpg.Ab3xY9", ".frame_1.jpg.Ab3xY9 is a copy tool's temporary name (.name.XXXXXX (rsync)): "),
        ("a/.frame_1.jpg", ".frame_1.jpg is hidden: "),
        ("a/_READY", "_READY is the ready marker: "),
        ("a/l\udce9.txt", "l\\xe9.txt has no image extension (IMAGE_EXTENSIONS allows bmp, jpeg, jpg, png, tif, "),
    ],
)
def test_the_reason_why_a_file_is_no_unit(path: str, said: str | None) -> None:
    reason = FILTERS.explain(path)
    assert reason is None if said is None else reason is not None and reason.startswith(said)


def test_the_reason_why_a_folder_is_no_unit() -> None:
    assert FILTERS.explain("a/b.txt", is_folder=True) is None
    assert FILTERS.explain("", is_folder=True) is None
    assert FILTERS.explain("a/.b", is_folder=True) == (
        "the folder .b is hidden: names that begin with a dot are never sent"
    )
