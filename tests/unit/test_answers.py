from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import TryLater
from agent.model import Edition
from agent.targets.playment import answers

JOB = "0b0dc8a4-53b5-4a0e-8b8e-0d6b8e5a6b11"
OTHER = "9f6a3c1e-22aa-4c55-9c0a-30f0b9f5d002"

LISTED: dict[str, object] = {
    "id": JOB,
    "reference_id": "cam/1~abc",
    "status": "created",
    "frames": 12,
    "annotations": 3,
    "priority_weight": 5,
    "tag": "boxes",
}
DETAILS: dict[str, object] = {
    "project_id": "p",
    "reference_id": "cam/1~abc",
    "job_id": JOB,
    "batch_id": OTHER,
    "status": "completed",
    "tag": "boxes",
    "priority_weight": 5,
    "result": "https://results.example/1.json",
}
BATCH: dict[str, object] = {"id": OTHER, "name": "2024-05-01", "is_default": True, "total_jobs": 7}

WRONG: list[Any] = [True, 7.5, [], {}, "text", 5, float("nan"), 2**63, "\ud800"]


def test_a_created_job() -> None:
    assert answers.created_job({"job_id": JOB, "reference_id": "r", "tag": "t"}, "r") == JOB
    assert answers.created_job({"job_id": JOB}, "r") == JOB


@pytest.mark.parametrize("given", [JOB, JOB.upper(), "5f2b9c0d1e", "batch:default", "a_b~c.d=e+f@g|h", "..a", 7, 0])
def test_an_id_of_any_kind_is_taken_that_is_safe_in_a_path(given: object) -> None:
    """The pages say UUIDs; nothing here depends on it, and one batch of another kind made every list unreadable."""
    assert answers.created_job({"job_id": given}, "r") == str(given)
    assert answers.created_batch({"batch_id": given}) == str(given)
    assert answers.jobs_page({"jobs": [{**LISTED, "id": given}]}, Edition.V0).jobs[0].id == str(given)
    batches = [{**BATCH, "id": given}]
    assert answers.project_details({"name": "p", "batches": batches}).batches[0].id == str(given)
    details = answers.job_details({**DETAILS, "job_id": given, "batch_id": given}, str(given), Edition.V0)
    assert (details.job_id, details.batch_id) == (str(given), str(given))


UNSAFE = [
    "",
    ".",
    "..",
    "a/b",
    "../a",
    "a?b",
    "a#b",
    "a%2fb",
    "a\\b",
    "a b",
    "a\n",
    "a;b",
    "ä",
    "a" * 129,
    -7,
    True,
    1.0,
]


@pytest.mark.parametrize("given", UNSAFE)
def test_an_id_that_is_not_safe_in_a_path_is_refused(given: object) -> None:
    """It becomes a part of an address that is asked with the key, and of a temporary file's name."""
    for read in (
        lambda: answers.created_job({"job_id": given}, "r"),
        lambda: answers.created_batch({"batch_id": given}),
        lambda: answers.jobs_page({"jobs": [{**LISTED, "id": given}]}, Edition.V0),
        lambda: answers.job_details({**DETAILS, "batch_id": given}, JOB, Edition.V0),
        lambda: answers.project_details({"name": "p", "batches": [{**BATCH, "id": given}]}),
    ):
        with pytest.raises(TryLater, match="id'") as caught:
            read()
        assert caught.value.code == "bad-reply"


@pytest.mark.parametrize(
    "data", [{}, {"job_id": ""}, {"job_id": None}, {"job_id": 7.5}, {"job_id": "no/id"}, {"job_id": [JOB]}]
)
def test_a_job_id_that_is_none(data: dict[str, object]) -> None:
    with pytest.raises(TryLater, match="job_id") as caught:
        answers.created_job(data, "r")
    assert caught.value.code == "bad-reply"
    assert not caught.value.refused


def test_an_answer_about_another_job() -> None:
    with pytest.raises(TryLater, match="another reference_id"):
        answers.created_job({"job_id": JOB, "reference_id": "s"}, "r")
    with pytest.raises(TryLater, match="another job"):
        answers.job_details(DETAILS, OTHER, Edition.V0)


def test_job_details() -> None:
    job = answers.job_details(DETAILS, JOB.upper(), Edition.V0)
    assert (job.job_id, job.batch_id, job.tag, job.result) == (JOB, OTHER, "boxes", "https://results.example/1.json")
    assert answers.job_details({**DETAILS, "result": ""}, JOB, Edition.V0).result is None


def test_the_editions_name_the_work_differently() -> None:
    both = {**LISTED, "work_flow_id": OTHER}
    assert answers.jobs_page({"jobs": [both]}, Edition.V0).jobs[0].tag == "boxes"
    assert answers.jobs_page({"jobs": [both]}, Edition.V1).jobs[0].tag == OTHER
    assert answers.jobs_page({"jobs": [LISTED]}, Edition.V1).jobs[0].tag == "boxes"


@pytest.mark.parametrize("token", [None, "", "abc"])
def test_a_page_and_its_token(token: str | None) -> None:
    page = answers.jobs_page({"jobs": [LISTED], "next_page_token": token}, Edition.V0)
    assert page.next_page_token == (token or None)
    assert (page.jobs[0].frames, page.jobs[0].priority_weight) == (12, 5)


def test_a_list_may_be_null_but_not_missing() -> None:
    assert answers.jobs_page({"jobs": None}, Edition.V0).jobs == ()
    with pytest.raises(TryLater, match="'jobs' is no list"):
        answers.jobs_page({}, Edition.V0)


def test_project_details() -> None:
    details = answers.project_details({"name": "p", "batches": [BATCH, {"id": JOB, "name": "b"}]})
    assert [(batch.name, batch.is_default, batch.total_jobs) for batch in details.batches] == [
        ("2024-05-01", True, 7),
        ("b", False, None),
    ]


def _reads(row: dict[str, object], call: str) -> object:
    if call == "jobs":
        return answers.jobs_page({"jobs": [row]}, Edition.V0)
    if call == "job":
        return answers.job_details(row, JOB, Edition.V0)
    return answers.project_details({"name": "p", "batches": [row]})


FIELDS: list[tuple[str, dict[str, object], dict[str, Any]]] = [
    (
        "jobs",
        LISTED,
        {"id": (str, int), "reference_id": str, "status": str, "frames": int, "priority_weight": int, "tag": str},
    ),
    (
        "job",
        DETAILS,
        {"job_id": (str, int), "batch_id": (str, int), "status": str, "priority_weight": int, "result": str},
    ),
    ("batches", BATCH, {"id": (str, int), "name": str, "is_default": bool, "total_jobs": int}),
]


@pytest.mark.parametrize(
    ("call", "row", "key", "value"),
    [
        (call, row, key, value)
        for call, row, fields in FIELDS
        for key, kinds in fields.items()
        for value in WRONG
        if type(value) not in (kinds if isinstance(kinds, tuple) else (kinds,)) or value in {2**63, "\ud800"}
    ],
)
def test_wrong_types_in_every_field(call: str, row: dict[str, object], key: str, value: object) -> None:
    assert _reads(row, call)
    with pytest.raises(TryLater, match=f"'{key}'") as caught:
        _reads({**row, key: value}, call)
    assert caught.value.code == "bad-reply"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*LISTED, *DETAILS, *BATCH]), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["jobs", "batches", "name", "next_page_token", "job_id"]), JSON))
def test_any_json_is_read_or_refused(data: dict[str, object]) -> None:
    for read in (
        lambda: answers.jobs_page(data, Edition.V1),
        lambda: answers.project_details(data),
        lambda: answers.job_details(data, JOB, Edition.V0),
        lambda: answers.created_job(data, "r"),
        lambda: answers.created_batch(data),
    ):
        with contextlib.suppress(TryLater):
            read()
