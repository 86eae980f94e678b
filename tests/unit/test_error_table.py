from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import (
    AccessRefused,
    BatchExists,
    DuplicateReference,
    OutOfCredit,
    Refused,
    RemoteError,
    TryLater,
)
from agent.model.text import MESSAGE_CHARACTERS, bounded
from agent.targets.playment.error_table import classify, is_outage, vendor_error

PERMANENT = ("FS_0002", "FS_0003", "FS_0004", "FS_0005", "FS_0006", "FS_00011", "FS_00012", "GE_0001", "GE_0002")
ACCESS = (
    "auth-failure",
    "unauthorized",
    "unauthorized_request",
    "core.webutil.auther",
    "core.webutil.token_auth",
    "resource_error",
)


@pytest.mark.parametrize(
    ("status", "code", "kind", "kept"),
    [
        (400, "FS_0001", DuplicateReference, "FS_0001"),
        *((400, code, Refused, code) for code in (*PERMANENT, "invalid_request_error")),
        *((400, code, TryLater, code) for code in ("FS_0000", "FS_0007", "FS_0008", "api_error")),
        *((400, code, AccessRefused, code) for code in ACCESS),
        (400, "BATCH_CREATION", BatchExists, "BATCH_CREATION"),
        (400, "NEW_0001", Refused, "NEW_0001"),
        (400, None, Refused, "http-400"),
        (400, "  ", Refused, "http-400"),
        (401, None, AccessRefused, "http-401"),
        (403, "NEW_0001", AccessRefused, "NEW_0001"),
        *((status, None, AccessRefused, f"http-{status}") for status in (300, 301, 302, 303, 304, 307, 308)),
        *((status, None, Refused, f"http-{status}") for status in (404, 405, 411, 413, 418, 422)),
        (402, None, OutOfCredit, "http-402"),
        (402, "NEW_0001", OutOfCredit, "NEW_0001"),
        *((400, code, OutOfCredit, code) for code in ("credit_exhausted", "Insufficient_Balance", "billing.blocked")),
        (402, "FS_0003", Refused, "FS_0003"),
        (404, "FS_0006", Refused, "FS_0006"),
        (422, "FS_0001", DuplicateReference, "FS_0001"),
        *((status, None, TryLater, f"http-{status}") for status in (408, 429, 443, 444, 500, 502, 503, 504, 599)),
        (500, "FS_0003", TryLater, "http-500"),
        (444, "FS_0003", TryLater, "http-444"),
        (503, "FS_0001", TryLater, "http-503"),
        (200, None, TryLater, "bad-reply"),
        (200, "NEW_0001", TryLater, "bad-reply"),
        (200, "FS_0003", Refused, "FS_0003"),
        (204, None, TryLater, "bad-reply"),
    ],
)
def test_every_row_of_the_table(status: int, code: str | None, kind: type[RemoteError], kept: str) -> None:
    error = classify(status, code, "words", None)
    assert type(error) is kind
    assert error.code == kept
    assert "words" in str(error)
    assert f"HTTP {status}" in str(error)


@pytest.mark.parametrize(("code", "refused"), [("FS_0007", True), ("FS_0000", False), ("api_error", False)])
def test_only_fs_0007_proves_that_nothing_was_made(code: str, *, refused: bool) -> None:
    error = classify(400, code, "", None)
    assert isinstance(error, TryLater)
    assert error.refused is refused


@pytest.mark.parametrize(("code", "patience"), [("FS_0007", 24 * 3600.0), ("FS_0000", None), ("api_error", None)])
def test_only_fs_0007_is_given_up_in_time(code: str, patience: float | None) -> None:
    error = classify(400, code, "", None)
    assert isinstance(error, TryLater)
    assert error.patience == patience


@pytest.mark.parametrize(
    ("status", "code", "outage"),
    [
        *((status, None, True) for status in (500, 502, 503, 504, 599, 200, 204)),
        *((400, code, True) for code in ("FS_0000", "FS_0008", "api_error")),
        *((status, None, False) for status in (408, 429, 443, 444)),
        (400, "FS_0007", False),
    ],
)
def test_only_playments_own_trouble_is_an_outage(status: int, code: str | None, *, outage: bool) -> None:
    error = classify(status, code, "", None)
    assert isinstance(error, TryLater)
    assert error.is_outage is outage


def test_a_kept_code_tells_of_an_outage_as_the_error_did() -> None:
    assert all(map(is_outage, ("connection", "timeout", "bad-reply", "FS_0000", "FS_0008", "api_error", "http-503")))
    others = ("", "FS_0001", "FS_0007", "http-429", "http-408", "http-404", "probe", "store-503", "folder", "defect")
    assert not any(map(is_outage, others))


@pytest.mark.parametrize(("status", "too_often"), [(429, True), (503, False), (408, False), (200, False)])
def test_only_429_asks_for_fewer(status: int, *, too_often: bool) -> None:
    error = classify(status, None, "", None)
    assert isinstance(error, TryLater)
    assert error.is_too_often is too_often


@pytest.mark.parametrize("status", [408, 429, 443, 444, 500, 503, 200])
def test_a_passing_status_leaves_the_outcome_open(status: int) -> None:
    error = classify(status, None, "", None)
    assert isinstance(error, TryLater)
    assert not error.refused


@pytest.mark.parametrize(("status", "code"), [(429, None), (503, None), (400, "FS_0000"), (400, "FS_0007")])
def test_retry_after_is_handed_on(status: int, code: str | None) -> None:
    error = classify(status, code, "", 17.5)
    assert isinstance(error, TryLater)
    assert error.retry_after == 17.5


def test_a_signature_is_cut_out_of_the_vendors_words() -> None:
    told = "cannot read https://b.s3.amazonaws.com/a.jpg?X-Amz-Signature=5ec2e7&x=1, nor b.host/c?sig=5ec2e7 at all"
    words = str(classify(400, "FS_0007", told, None))
    assert "5ec2e7" not in words
    assert "https://b.s3.amazonaws.com/a.jpg" in words
    assert words.endswith("at all)")


def test_a_question_is_no_query() -> None:
    assert bounded("is it there? or not?") == "is it there? or not?"


def test_a_signature_is_cut_out_of_a_code_too() -> None:
    error = classify(400, "https://h/a?sig=5ec2e7", "", None)
    assert "5ec2e7" not in error.code + str(error)


def test_half_a_surrogate_pair_can_be_kept_by_the_ledger() -> None:
    error = classify(400, "X\ud800", "\udfff", None)
    assert (error.code + str(error)).encode()


@given(st.text(st.characters(), max_size=5000))
def test_words_are_bounded_and_can_be_encoded(text: str) -> None:
    kept = bounded(text)
    assert len(kept) <= MESSAGE_CHARACTERS
    assert kept.encode().decode() == kept


@given(st.integers(100, 999), st.none() | st.text(max_size=300), st.text(max_size=3000))
def test_whatever_comes_has_a_class_a_code_and_a_sentence(status: int, code: str | None, message: str) -> None:
    error = classify(status, code, message, None)
    assert isinstance(error, (TryLater, Refused, AccessRefused))
    assert 0 < len(error.code) <= 80
    assert not isinstance(error, TryLater) or error.is_outage is is_outage(error.code)
    assert len(str(error)) < 800


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["error", "code", "message", "x"]), inner),
    max_leaves=10,
)


@given(JSON)
def test_any_json_can_be_asked_for_its_error(body: object) -> None:
    code, message = vendor_error(body)
    assert code is None or isinstance(code, str)
    assert isinstance(message, str)


def test_the_documented_body() -> None:
    assert vendor_error({"error": {"code": "FS_0001", "message": "used"}, "success": False}) == ("FS_0001", "used")
    assert vendor_error({"error": {"code": 7, "message": None}}) == (None, "")
    assert vendor_error([1]) == (None, "")
