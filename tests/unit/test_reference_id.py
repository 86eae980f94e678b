from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.reference_id import FIELDS, IdReader, IdRules, Named, reference_id

DIGEST = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("template", "path", "expected"),
    [
        ("{path}~{digest}", "a/b/IMG_1.jpg", "a/b/IMG_1.jpg~0123456789ab"),
        ("{name}|{stem}|{folder}|{host}", "a/b/IMG_1.jpg", "IMG_1.jpg|IMG_1|a/b|host-1"),
        ("{name}|{stem}|{folder}|{host}", "IMG_1.jpg", "IMG_1.jpg|IMG_1||host-1"),
        ("{name}|{stem}|{folder}", "drive", "drive|drive|"),
        ("{stem}", "a/2026.11.01", "2026.11"),
        ("{path}", "a/{digest}{host}.jpg", "a/{digest}{host}.jpg"),
        ("{path}", r"a\1\g<0>.jpg", r"a\1\g<0>.jpg"),
        ("{path!r}{path.__class__}{0}{{x}}", "a", "{path!r}{path.__class__}{0}{{x}}"),
        ("fixed", "a", "fixed"),
    ],
)
def test_templates(template: str, path: str, expected: str) -> None:
    assert reference_id(template, path=path, digest=DIGEST, host="host-1") == expected


@given(st.text(), st.sampled_from(FIELDS))
def test_a_path_is_never_read_as_a_template(path: str, field: str) -> None:
    found = reference_id("{path}", path=path + "{" + field + "}", digest=DIGEST, host="host-1")
    assert found == path + "{" + field + "}"


PATHS = st.lists(st.text(st.characters(exclude_characters="/", codec="utf-8"), min_size=1), min_size=1).map("/".join)
HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
READABLE = (
    "{path}~{digest}",
    "{digest}",
    "{host}/{path}#{digest}",
    "{digest}{path}",
    "{path}+{path}+{digest}",
    "({folder}/{name}) [{stem}] {digest}.*",
)


@given(st.sampled_from(READABLE), PATHS, HEX, st.text(min_size=1))
def test_what_a_template_has_made_is_read_again(template: str, path: str, digest: str, host: str) -> None:
    text = reference_id(template, path=path, digest=digest, host=host)
    (named,) = IdReader(template, host).read(text)
    assert named.digest == digest[:12]
    wanted = path if "{path}" in template else None
    if "{folder}/{name}" in template:
        wanted = path
    assert named.path == wanted


@given(PATHS, HEX)
def test_without_a_digest_the_second_id_is_read_too(path: str, digest: str) -> None:
    first, second = IdRules("{path}", "h").reference_ids(path, digest)
    reader = IdReader("{path}", "h")
    assert Named(path, None) in reader.read(first)
    assert reader.read(second) == [Named(path, digest[:12]), Named(second, None)]


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{path}~{digest}", "a.jpg"),
        ("{path}~{digest}", "a.jpg~341a6fb5467"),
        ("{path}~{digest}", "a.jpg~341A6FB5467B"),
        ("{path}~{digest}", "~341a6fb5467b"),
        ("{path}~{digest}", ""),
        ("x-{path}", "y-a.jpg"),
        ("{host}-{path}", "other-a.jpg"),
        ("{path}.{path}", "a.b"),
        ("{name}", "cam/a.jpg"),
    ],
)
def test_what_it_cannot_have_made_says_nothing(template: str, text: str) -> None:
    assert IdReader(template, "host1").read(text) == []


def test_ids_that_are_not_ours_take_no_time() -> None:
    assert IdReader("{path}~{digest}", "h").read("~" * 100_000) == []
