from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.reference_id import FIELDS, reference_id

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
