from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.adoption import contradictions, is_proven, may_be_ours, why_not_ours
from agent.model import Kind
from agent.model.jobs import Found

DIGEST = "0123456789abcdef" * 4
ID = f"cam/drive~{DIGEST[:12]}"


@dataclass(frozen=True, slots=True)
class Ours:
    """What is known here of a job."""

    reference_id: str = ID
    kind: Kind = Kind.SEQUENCE
    frame_count: int = 3
    tag: str | None = "boxes"
    digest: str | None = DIGEST
    attempted: bool = False


THERE = Found("a-job", ID, 3, "boxes", "a-batch")


def test_the_same_content_under_its_id_is_ours() -> None:
    assert may_be_ours(THERE, Ours())
    assert why_not_ours(THERE, Ours(), "Playment") is None


def test_an_id_without_the_digest_proves_nothing_unless_a_try_was_never_answered() -> None:
    plain = Ours(reference_id="cam/drive")
    there = replace(THERE, reference_id="cam/drive")
    assert not may_be_ours(there, plain)
    assert why_not_ours(there, plain, "Playment") == (
        "Playment has a job of this reference_id that this agent did not send (REFERENCE_ID has no {digest})"
    )
    assert may_be_ours(there, replace(plain, attempted=True))


@pytest.mark.parametrize("digest", [None, "", "f" * 64])
def test_no_digest_or_another_one_proves_nothing(digest: str | None) -> None:
    assert not is_proven(Ours(digest=digest))


def test_another_tag_or_number_of_frames_is_another_job_whatever_was_tried() -> None:
    ours = Ours(attempted=True)
    assert why_not_ours(replace(THERE, tag="lanes"), ours, "Playment") == (
        "Playment's job of this reference_id has the tag 'lanes', not 'boxes'"
    )
    assert why_not_ours(replace(THERE, frame_count=2), ours, "Playment") == (
        "Playment's job of this reference_id has 2 frames, not 3"
    )
    assert [each.what for each in contradictions(replace(THERE, tag="lanes", frame_count=2), ours)] == ["frames", "tag"]


@pytest.mark.parametrize("frames", [None, 0, 1])
def test_an_images_frame_need_not_be_counted(frames: int | None) -> None:
    assert may_be_ours(replace(THERE, frame_count=frames), Ours(kind=Kind.IMAGE, frame_count=1))


@pytest.mark.parametrize("frames", [None, 0])
def test_a_sequences_frames_must_be(frames: int | None) -> None:
    assert not may_be_ours(replace(THERE, frame_count=frames), Ours())


@pytest.mark.parametrize(("there", "here"), [(None, "boxes"), ("boxes", None), (None, None)])
def test_a_tag_that_one_side_does_not_tell_contradicts_nothing(there: str | None, here: str | None) -> None:
    assert may_be_ours(replace(THERE, tag=there), Ours(tag=here))


CLAIMS = st.builds(
    Ours,
    st.sampled_from([ID, "cam/drive", ""]),
    st.sampled_from(Kind),
    st.integers(0, 3),
    st.sampled_from([None, "boxes", "lanes"]),
    st.sampled_from([None, "", DIGEST, "f" * 64]),
    st.booleans(),
)
FOUND = st.builds(
    Found,
    st.just("a-job"),
    st.just(ID),
    st.none() | st.integers(0, 3),
    st.sampled_from([None, "boxes", "lanes"]),
    st.just("a-batch"),
)


@given(FOUND, CLAIMS)
def test_the_sentence_and_the_answer_are_one_rule(found: Found, ours: Ours) -> None:
    assert (why_not_ours(found, ours, "Playment") is None) is may_be_ours(found, ours)
    if may_be_ours(found, ours):
        assert is_proven(ours)
        assert not contradictions(found, ours)
