"""The pure parts of the Label Studio target, and how it is let in."""

from __future__ import annotations

import contextlib
import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import AccessRefused, Refused, RemoteError, TryLater
from agent.targets.label_studio import answers, queries
from agent.targets.label_studio.body import body, frame_count, resolved, shown
from agent.targets.label_studio.error_table import classify, is_outage
from agent.targets.label_studio.labelling import IMAGE_CONFIG, SEQUENCE_CONFIG, Keys, UnfitError, keys_of
from agent.targets.label_studio.login import Login
from agent.targets.label_studio.pages import pages
from tests.targets import job_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.targets.label_studio.answers import Task

# ---------------------------------------------------------------- labelling configurations


def view(inside: str) -> str:
    return f"<View>{inside}</View>"


@pytest.mark.parametrize(
    ("config", "keys"),
    [
        (IMAGE_CONFIG, Keys("image", is_list=False)),
        (SEQUENCE_CONFIG, Keys("frames", is_list=True)),
        (view('<Image name="i" value="$photo"/>'), Keys("photo", is_list=False)),
        (view('<View><Image name="i" valueList=" $pages "/></View>'), Keys("pages", is_list=True)),
        (view('<Header value="Draw"/><Image name="i" value="$x"/><Label value="a $b"/>'), Keys("x", is_list=False)),
        (view('<Text name="t" value="$reference_id"/><Image name="i" value="$x"/>'), Keys("x", is_list=False)),
        (view('<Text name="t" value="$frame_ids"/><Image name="i" valueList="$x"/>'), Keys("x", is_list=True)),
    ],
)
def test_where_a_configuration_wants_the_picture(config: str, keys: Keys) -> None:
    assert keys_of(config) == keys


@pytest.mark.parametrize(
    ("config", "word"),
    [
        (view(""), "no <Image>"),
        (view('<Image name="i"/>'), "no <Image>"),
        (view('<Video name="v" value="$video"/>'), "no <Image>"),
        (view('<Image name="i" value="$a"/><Image name="j" valueList="$b"/>'), "2 <Image>"),
        (view('<Image name="i" value="$a" valueList="$b"/>'), "2 <Image>"),
        (view('<Image name="i" value="$a"/><Text name="t" value="$text"/>'), "'$text' in a <Text>"),
        (view('<Image name="i" value="$a"/><Choices name="c" value="$choices"/>'), "'$choices' in a <Choices>"),
        (view('<Image name="i" value="$reference_id"/>'), "no key that can be given"),
        (view('<Image name="i" value="$a"/><Text name="t" value="$frame_ids"/>'), "there is $reference_id alone"),
        (
            view('<Image name="i" valueList="$a"/><Text name="t" value="$x"/>'),
            "is $frame_ids and $reference_id alone",
        ),
        (view('<Image name="i" value="$a"/><!-- <Image name="j" value="$b"/> --><Table value="$t"/>'), "in a <Table>"),
        ('<View xmlns:a="urn:a"><a:Image name="i" value="$x"/></View>', "no <Image>"),
        (view('<Image name="i" value="$a.b"/>'), "no key that can be given"),
        (view('<Repeater on="$l" indexFlag="{{i}}"><Image name="i" value="$l[{{i}}].x"/></Repeater>'), "no key"),
        (view('<Image name="i" valueList="a,b"/>'), "no key that can be given"),
        ("", "no XML"),
        ("<View>", "no XML"),
        ("<View></Other>", "no XML"),
        ("\ud800", "no XML"),
        ('<!DOCTYPE v [<!ENTITY a "b">]><View><Image name="i" value="$x"/></View>', "document type"),
        ("<View>" * 200 + "</View>" * 200, "too many"),
        (view("<a/>" * 20_000), "too many"),
        (view("x" * 2**20), "too long"),
    ],
)
def test_a_configuration_that_does_not_fit(config: str, word: str) -> None:
    with pytest.raises(UnfitError) as raised:
        keys_of(config)
    assert word in str(raised.value)


@given(st.text())
def test_any_text_is_read_or_unfit(config: str) -> None:
    with contextlib.suppress(UnfitError):
        assert keys_of(config).key


# ---------------------------------------------------------------- tasks


def test_an_images_task() -> None:
    sent = body(job_of("a~1"), 7, Keys("photo", is_list=False))
    assert sent == {"project": 7, "data": {"photo": "http://h/d/frame_1.jpg", "reference_id": "a~1"}}
    assert frame_count(sent) == 1


def test_a_sequences_task_keeps_the_order() -> None:
    sent = body(job_of("a~1", 12), 7, Keys("frames", is_list=True))
    data = sent["data"]
    assert isinstance(data, dict)
    assert data["frame_ids"] == [f"frame_{n}.jpg" for n in range(1, 13)]
    assert data["frames"] == [f"http://h/d/frame_{n}.jpg" for n in range(1, 13)]
    assert frame_count(sent) == 12


def test_an_image_where_a_list_is_shown_is_a_list_of_one() -> None:
    sent = body(job_of("a~1"), 7, Keys("frames", is_list=True))
    data = sent["data"]
    assert data == {"frames": ["http://h/d/frame_1.jpg"], "frame_ids": ["frame_1.jpg"], "reference_id": "a~1"}


def test_what_a_page_shows_is_what_was_sent() -> None:
    image, frames = Keys("photo", is_list=False), Keys("pages", is_list=True)
    assert shown(body(job_of("a"), 1, image), image) == [("", "http://h/d/frame_1.jpg")]
    assert shown(body(job_of("a"), 1, frames), frames) == [("frame_1.jpg", "http://h/d/frame_1.jpg")]
    sequence = body(job_of("s", 12), 1, frames)
    assert shown(sequence, frames) == [(f"frame_{n}.jpg", f"http://h/d/frame_{n}.jpg") for n in range(1, 13)]
    data: Any = sequence["data"]
    data["pages"].reverse()
    assert shown(sequence, frames)[0] == ("frame_1.jpg", "http://h/d/frame_12.jpg")
    del data["pages"][2:], data["frame_ids"][1:]
    assert shown(sequence, frames) == [("frame_1.jpg", "http://h/d/frame_12.jpg"), ("", "http://h/d/frame_11.jpg")]
    assert shown({}, frames) == [("", "")]


def test_pages_are_resolved_to_frames() -> None:
    regions = [{"item_index": 1}, {"item_index": 2}, {"item_index": -1}, {"item_index": True}, {"other": 1}, "odd"]
    task: dict[str, object] = {
        "data": {"frame_ids": ["f1", "f2"]},
        "annotations": [{"result": regions}, {"result": None}, 3],
    }
    assert resolved(task)["annotations"] == [
        {"result": [{"item_index": 1, "frame_id": "f2"}, *regions[1:]]},
        {"result": None},
        3,
    ]
    assert resolved({"data": {"image": "x"}, "annotations": [1]}) == {"data": {"image": "x"}, "annotations": [1]}


# ---------------------------------------------------------------- answers

KEYS = ("id", "project", "data", "tasks", "reference_id", "frame_ids", "annotations", "result", "item_index", "detail",
        "validation_errors", "title", "label_config", "access", "results")  # fmt: skip


def row(**changed: object) -> dict[str, object]:
    return {"id": 1, "project": 2, "data": {"reference_id": "a~1", "image": "x"}, **changed}


def test_what_was_created_is_told_by_a_number_alone() -> None:
    assert answers.created(row(), 2, "a~1") == 1
    wrongs: tuple[object, ...] = (
        row(id="47f6ac64-c0b2-4557-94c5-ff8f6fbf8195"),
        row(id=True),
        row(id=0),
        row(id=2**63),
        row(project=3),
        row(data={}),
        row(data={"reference_id": "a~2"}),
        row(data=None),
        [],
        None,
    )
    for wrong in wrongs:
        with pytest.raises(TryLater) as raised:
            answers.created(wrong, 2, "a~1")
        assert (raised.value.code, raised.value.refused) == ("bad-reply", False)


def test_a_task_without_an_id_of_ours_is_none_of_ours() -> None:
    for data in ({}, {"reference_id": 5}, {"reference_id": None}, {"reference_id": "\ud800"}):
        assert answers.task(row(data=data)) is None
    assert answers.tasks({"tasks": [row(), row(id=9, data={})]})[1:] == (2, 9)
    assert answers.tasks({"tasks": []}) == ([], 0, 0)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner),
    max_leaves=20,
)


@given(JSON)
def test_any_answer_is_read_or_a_bad_one(body: Any) -> None:
    readers: tuple[Callable[[object], object], ...] = (
        lambda body: answers.created(body, 2, "a~1"),
        answers.tasks,
        answers.task,
        lambda body: answers.project_details(body, 1),
        answers.projects,
        lambda body: answers.text(body, "access"),
        lambda body: answers.number(body, "id"),
    )
    for reader in readers:
        try:
            reader(body)
        except TryLater as error:
            assert (error.code, error.refused) == ("bad-reply", False)  # noqa: PT017 (most are read)
    if isinstance(body, dict):
        resolved(body)
    for status in (200, 400, 401, 404, 500, 502):
        assert str(classify(status, body, "", None))


@pytest.mark.parametrize("key", ["annotations", "drafts", "reviews", "reviewers", "comment_count"])
def test_what_somebody_made_is_seen(key: str) -> None:
    task = answers.task(row(annotations=[], drafts=[], comment_count=0))
    assert task is not None
    assert not task.is_worked_on
    task = answers.task(row(**{key: [1]}))
    assert task is not None
    assert task.is_worked_on


# ---------------------------------------------------------------- questions


def question(address: str) -> dict[str, Any]:
    parts = parse_qs(urlsplit(address).query)
    decoded: dict[str, Any] = json.loads(parts["query"][0])
    return decoded


def test_a_question_names_what_it_asks_for() -> None:
    address = queries.address(3, [queries.by_reference(["a~1", "ü&b"]), queries.after(9)], 100)
    assert address.startswith("/api/tasks?project=3&page_size=100&resolve_uri=false&query=")
    assert question(address) == {
        "filters": {
            "conjunction": "and",
            "items": [
                {
                    "filter": "filter:tasks:data.reference_id",
                    "operator": "in_list",
                    "type": "String",
                    "value": ["a~1", "ü&b"],
                },
                {"filter": "filter:tasks:id", "operator": "greater", "type": "Number", "value": 9},
            ],
        },
        "ordering": ["tasks:id"],
    }


def test_moments_are_written_as_the_server_reads_them() -> None:
    assert queries.completed_after(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))["value"] == "2026-01-02T03:04:05.000000Z"


@given(st.lists(st.text(max_size=300)), st.integers(1, 100))
def test_portions_hold_everything_once_and_fit_an_address(ids: list[str], most: int) -> None:
    portions = list(queries.portions(ids, most))
    assert [each for portion in portions for each in portion] == ids
    for portion in portions:
        assert 0 < len(portion) <= most
        assert len(portion) == 1 or len(queries.address(1, [queries.by_reference(portion)], 100)) < 8_000


def test_pages_go_on_after_the_last_one_and_become_smaller() -> None:
    asked: list[tuple[int, int]] = []

    def ask(address: str) -> tuple[list[Task], int, int] | None:
        size = int(parse_qs(urlsplit(address).query)["page_size"][0])
        last = int(question(address)["filters"]["items"][-1]["value"])
        asked.append((last, size))
        if size > 6:
            return None
        ids = [each for each in range(1, 9) if each > last][:size]
        return [], len(ids), ids[-1] if ids else 0

    assert list(pages(ask, 1)) == [[], []]
    assert asked == [(0, 100), (0, 25), (0, 6), (6, 6)]
    with pytest.raises(TryLater, match="too large"):
        list(pages(lambda _address: None, 1))
    with pytest.raises(TryLater, match="circle"):
        list(pages(lambda _address: ([], 100, 5), 1))


# ---------------------------------------------------------------- the error table


@pytest.mark.parametrize(
    ("status", "detail", "kind", "code"),
    [
        (400, "Validation error", Refused, "http-400"),
        (401, "Authentication credentials were not provided.", AccessRefused, "http-401"),
        (403, "no", AccessRefused, "http-403"),
        (302, "", AccessRefused, "http-302"),
        (404, "No Task matches the given query.", Refused, "http-404"),
        (429, "", TryLater, "http-429"),
        (408, "", TryLater, "http-408"),
        (500, "Cannot resolve keyword 'meta.reference_id' into field.", Refused, "query"),
        (500, "Expected object or value", Refused, "query"),
        (500, "database is locked", TryLater, "http-500"),
        (500, "", TryLater, "http-500"),
        (503, "", TryLater, "http-503"),
        (200, "", TryLater, "bad-reply"),
    ],
)
def test_the_error_table(status: int, detail: str, kind: type[RemoteError], code: str) -> None:
    error = classify(status, {"id": "47f6ac64", "detail": detail}, "", 7.0, asked=True)
    assert (type(error), error.code) == (kind, code)
    if isinstance(error, TryLater):
        assert error.is_outage is is_outage(code)
        assert not error.refused
        assert error.is_too_often is (status == 429)


def test_only_a_question_makes_nothing_whatever_a_500_says() -> None:
    error = classify(500, {"detail": "Cannot resolve keyword 'x' into field."}, "", None)
    assert (type(error), error.code) == (TryLater, "http-500")


def test_what_is_said_of_each_field_is_told() -> None:
    said = {"detail": "Validation error", "validation_errors": {"data": ["This field is required."], "x": "odd"}}
    assert "Validation error: This field is required.: odd" in str(classify(400, said, "", None))


# ---------------------------------------------------------------- how we are let in


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_a_legacy_token_is_sent_as_it_is() -> None:
    carried: list[str] = []

    def never(_body: bytes) -> object:
        raise AssertionError

    login = Login("0" * 40, never, carried.append)
    assert carried == [login.header()] == [f"Token {'0' * 40}"]
    assert not login.is_renewed(login.header())


def access(number: int, seconds: int) -> str:
    claims = {"exp": 8_000_000_000 + seconds, "iat": 8_000_000_000, "n": number}
    return f"h.{urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.s{number}"


@pytest.fixture
def given_tokens() -> list[object]:
    return [{"access": access(n, 300)} for n in range(1, 9)]


def test_access_is_renewed_before_it_ends_and_once_where_it_was_refused(given_tokens: list[object]) -> None:
    carried: list[str] = []
    clock = Clock()
    login = Login("a.b.c", lambda _body: given_tokens.pop(0), carried.append, clock)
    assert carried == []
    first = login.header()
    clock.seconds += 269
    assert (login.header(), len(carried)) == (first, 1)
    clock.seconds += 1
    second = login.header()
    assert (len(carried), second != first) == (2, True)
    assert login.is_renewed(first)  # somebody else has renewed it meanwhile
    assert len(carried) == 2
    assert login.is_renewed(second)
    assert len(carried) == 3


def test_a_refused_renewal_blocks_and_a_failed_one_does_not() -> None:
    def refuses(_body: bytes) -> object:
        raise AccessRefused("no", code="http-401")

    def fails(_body: bytes) -> object:
        raise TryLater("away", code="http-502", is_outage=True)

    with pytest.raises(AccessRefused, match="personal access token"):
        Login("a.b.c", refuses, lambda _header: None).header()
    for exchange in (fails, lambda _body: {}, lambda _body: {"access": "a\r\nb"}, lambda _body: None):
        with pytest.raises(TryLater) as raised:
            Login("a.b.c", exchange, lambda _header: None).header()
        assert (raised.value.refused, raised.value.is_outage) == (True, True)
