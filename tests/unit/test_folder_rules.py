from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.folder_rules import NOTHING, FolderRules, SettingsFile, inherit, places
from agent.model import Edition, Kind
from agent.settings.folder_toml import parse

FLOW = "5d1c2bd5-0e0f-4a4c-9a3a-6c5f4a0a8a11"


def read(text: str, edition: Edition = Edition.V0) -> SettingsFile:
    return parse("cam/.playment.toml", text.encode(), edition)


def test_every_key_is_read() -> None:
    file = read(
        'ignore = false\ntag = "cars"\nbatch = "night drives"\nkind = "images"\n'
        'expected_frames = 120\nready_marker = ""\norder = "Time"\n'
    )
    assert file.problem is None
    assert file.given == {
        "ignore": False,
        "tag": "cars",
        "batch": "night drives",
        "kind": Kind.IMAGE,
        "expected_frames": 120,
        "ready_marker": "",
        "order": "time",
    }
    assert read("").given == {}
    assert read(f'tag = "{FLOW.upper()}"', Edition.V1).given == {"tag": FLOW}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('tag = "a"\n\ntga = "b"\n', "line 3: tga: there is no such key; there are ignore, tag, batch, kind,"),
        ("# x\nexpected_frames = 0\n", "line 2: expected_frames: it must be a whole number from 1"),
        ("expected_frames = true\n", "line 1: expected_frames: it must be a whole number from 1"),
        ('ignore = "yes"\n', 'line 1: ignore: it must be true or false, not "yes"'),
        ('kind = "video"\n', 'line 1: kind: it must be "images" or "sequence", not "video"'),
        ("tag = 5\n", "line 1: tag: it must be a text in quotes, not 5"),
        ('tag = ""\n', "line 1: tag: it must be plain text"),
        ('ready_marker = "a/b"\n', "line 1: ready_marker: it must be a plain file name"),
        ('order = "age"\n', "line 1: order: it must be one of natural, time, bytes"),
        ("order = true\n", "line 1: order: it must be a text in quotes, not true"),
        ('batch = "a\\u0000b"\n', "line 1: batch: it must be plain text"),
        ("ignore = true\n[more]\nx = 1\n", "line 2: more: there is no such key"),
        ('tag = "open\n', "line 1: "),
        ("ignore = true\nignore = false\n", "line 2: Cannot overwrite a value"),
        ("ignore", ": "),
    ],
)
def test_a_bad_file_is_told_with_its_line_and_the_reason(text: str, told: str) -> None:
    file = read(text)
    assert file.problem is not None
    assert file.problem.startswith("cam/.playment.toml")
    assert told in file.problem
    assert file.given == {}


def test_what_is_no_text_and_what_is_no_uuid() -> None:
    assert parse("x", b'tag = "a"\n\xff', Edition.V0).problem == "x, line 2: it is not UTF-8 text"
    assert "line 1: tag: it must be a UUID" in (read('tag = "cars"', Edition.V1).problem or "")


def test_keys_that_mean_nothing_where_the_jobs_go_are_told_and_set_nothing() -> None:
    content = b'tag = 5\nbatch = "day"\nexpected_frames = 3\n'
    file = parse("cam/.playment.toml", content, Edition.V1, unheeded={"tag", "batch"})
    assert (file.problem, file.given, file.unheeded) == (None, {"expected_frames": 3}, ("tag", "batch"))
    rules = inherit([file])
    assert (rules.tag, rules.batch, rules.expected_frames) == (None, None, 3)
    assert rules.told() == [
        "expected_frames = 3, says cam/.playment.toml",
        "batch has no effect in cam/.playment.toml",
        "tag has no effect in cam/.playment.toml",
    ]
    assert inherit([parse("f", b"tag = 'x'", Edition.V1, unheeded={"tag"})]).told() == ["tag has no effect in f"]
    assert parse("f", b"other = 5", Edition.V1, unheeded={"tag"}).problem


def test_the_nearest_file_wins_for_each_key() -> None:
    rules = inherit(
        [
            SettingsFile(".playment.toml", {"tag": "cars", "ignore": True}),
            SettingsFile("a/.playment.toml", {"tag": "people", "kind": Kind.IMAGE}),
            SettingsFile("a/b/.playment.toml", {"ignore": False}),
        ]
    )
    assert (rules.tag, rules.kind, rules.ignore, rules.batch) == ("people", Kind.IMAGE, False, None)
    assert rules.told() == [
        "ignore = false, says a/b/.playment.toml",
        'kind = "images", says a/.playment.toml',
        'tag = "people", says a/.playment.toml',
    ]
    assert inherit([]) == inherit([SettingsFile("x")]) == NOTHING


def test_a_bad_file_holds_whatever_others_say() -> None:
    bad = SettingsFile("a/.playment.toml", problem="a/.playment.toml, line 1: no")
    for files in (
        [bad, SettingsFile("a/b/.playment.toml", {"tag": "x"})],
        [SettingsFile(".playment.toml", {"tag": "x"}), bad],
    ):
        rules = inherit(files)
        assert rules.is_stop
        assert rules.tag is None
        assert rules.why_held() == "a/.playment.toml, line 1: no: mend the file, and it goes on"


def test_too_many_frames_are_held_and_too_few_are_not() -> None:
    rules = inherit([SettingsFile("a/.playment.toml", {"expected_frames": 3})])
    assert rules.why_held(2) is rules.why_held(3) is rules.why_held() is None
    assert rules.why_held(4) == "it has 4 frames, and a/.playment.toml expects 3: mend the one or the other"
    assert not rules.is_stop


def test_the_watch_folder_itself_holds_single_images_always() -> None:
    rules = FolderRules(kind=Kind.SEQUENCE)
    assert rules.kind_in("", Kind.IMAGE) is Kind.IMAGE
    assert rules.kind_in("a", Kind.IMAGE) is Kind.SEQUENCE
    assert NOTHING.kind_in("a", Kind.IMAGE) is Kind.IMAGE


def test_the_files_on_the_way_to_a_folder() -> None:
    assert places("") == [""]
    assert places("a/b/c") == ["", "a", "a/b", "a/b/c"]


@given(st.text(alphabet="ignoretagbckdxp_fmsu=\" \n[]{}.,#0123'\\", max_size=60))
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    file = read(text)
    if file.problem is None:
        assert set(file.given) == set(tomllib.loads(text))
    else:
        assert file.problem.startswith("cam/.playment.toml")
