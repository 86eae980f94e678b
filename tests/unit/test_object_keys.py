from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import Refused
from agent.publishing.object_keys import KEY_BYTES, folder_of, key_of, place_of

DIGEST = "0123456789abcdef" * 4
NAMES = st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("a.jpg", "in/0123456789ab/a.jpg"),
        ("drive/cam 1/frame_1.jpg", "in/drive/cam_1/0123456789ab/frame_1.jpg"),
        ("stra\u00dfe/\u65e5\u672c.jpg", "in/stra_e/0123456789ab/__.jpg"),
        ("a%2fb/..x/#?.jpg", "in/a_2fb/..x/0123456789ab/__.jpg"),
    ],
)
def test_a_key_is_readable(path: str, key: str) -> None:
    assert key_of("in/", path, DIGEST) == key
    assert folder_of(key) == key.partition("/0123456789ab")[0]


@given(st.lists(NAMES.filter(lambda name: name not in (".", "..")), min_size=1, max_size=5))
def test_a_key_is_plain_ascii_without_empty_or_dotted_parts_and_ends_where_its_file_does(parts: list[str]) -> None:
    key = key_of("", "/".join(parts), DIGEST)
    assert all(char.isascii() and (char.isalnum() or char in "._-/") for char in key)
    assert not {"", ".", ".."} & set(key.split("/"))
    assert key.count("/") == len(parts)


def test_other_content_never_has_the_same_key() -> None:
    assert key_of("", "a.jpg", DIGEST) != key_of("", "a.jpg", "1" + DIGEST)


def test_a_key_that_no_store_takes_is_refused() -> None:
    longest = "a" * (KEY_BYTES - 13)
    assert len(key_of("", longest, DIGEST)) == KEY_BYTES
    with pytest.raises(Refused, match="use shorter folder and file names"):
        key_of("", longest + "a", DIGEST)


def test_a_source_is_taken_apart_as_it_was_made() -> None:
    assert place_of("s3://bucket/") == ("bucket", "")
    assert place_of("s3://bucket/a/b/") == ("bucket", "a/b/")
    assert place_of("s3://bucket/a/b.jpg") == ("bucket", "a/b.jpg")
