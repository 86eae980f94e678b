"""The one table that turns Label Studio's failures into ours. Pure.

Source: what a Label Studio 1.23.2 answers, each row tried (`tests/integration/test_label_studio.py`). Every error's
JSON has an `id` of its own, which is the error's: what was made is told by 201 and a whole number, and by nothing else.
"""

from __future__ import annotations

import re
from typing import Final

from agent.errors import NO_ANSWER, AccessRefused, Refused, RemoteError, TryLater
from agent.model.text import bounded
from agent.targets.label_studio import NAME

TOO_LARGE: Final = 413
NOT_THERE: Final = 404
OF_THE_TOKEN: Final = frozenset({"http-401", "http-403"})
QUERY: Final = "query"
UNFIT: Final = "labelling-config"
FILTER: Final = "filter"
IN_USE: Final = "in-use"
_OF_A_QUERY: Final = re.compile(r"cannot resolve keyword|unsupported lookup|expected object", re.IGNORECASE)
"""What it says to a query that makes no sense, and never to one that does: with HTTP 500, whoever asks it again."""


def classify(status: int, body: object, problem: str, retry_after: float | None, *, asked: bool = False) -> RemoteError:
    """Return the error for an answer that is no success.

    `body` is the decoded JSON where there is any, `problem` what was wrong where there is none, `retry_after` in
    seconds; `asked` tells that it answers a question, which makes nothing. The result's class says what to do:
    `TryLater`, `Refused` or `AccessRefused`. Whether something was made is open after every `TryLater`.
    """
    detail = told(body)
    code = f"http-{status}"
    words = f"HTTP {status}, {bounded(detail or problem)}" if detail or problem else f"HTTP {status}"
    if status == 500 and asked and _OF_A_QUERY.search(detail):
        return Refused(f"{NAME} does not understand a question of this agent: a defect ({words})", code=QUERY)
    if status in {408, 429} or status >= 500:
        sentence = f"{NAME} asks for fewer requests" if status == 429 else f"{NAME} has a passing failure"
        return TryLater(
            f"{sentence} ({words})",
            code=code,
            retry_after=retry_after,
            is_outage=is_outage(code),
            is_too_often=status == 429,
        )
    if 300 <= status < 400 or status in {401, 403}:
        redirect = f"{NAME} answered with a redirect, and the token is never sent along: check LABEL_STUDIO_URL"
        sentence = redirect if status < 400 else f"{NAME} refused the token"
        # What is before the server may answer 403 to what it dislikes in one job; the others never look at the job.
        return AccessRefused(f"{sentence} ({words})", code=code, is_of_all=status != 403)
    if status < 300:
        sentence = f"{NAME}'s answer is not the one that was to be expected ({words})"
        return TryLater(sentence, code="bad-reply", is_outage=True)
    sentence = f"{NAME} knows no such thing" if status == NOT_THERE else f"{NAME} refused this"
    return Refused(f"{sentence} ({words})", code=code)


def is_outage(code: str) -> bool:
    """Tell whether a code, which may be one that was kept, is of Label Studio's own trouble and not of a job's."""
    return code in NO_ANSWER or code.startswith("http-5")


def told(body: object) -> str:
    """Return what an error's JSON says: its `detail`, and what it says of each field."""
    if not isinstance(body, dict):
        return ""
    parts = [body["detail"]] if isinstance(body.get("detail"), str) else []
    fields = body.get("validation_errors")
    if isinstance(fields, dict):
        parts += [str(text) for texts in fields.values() for text in (texts if isinstance(texts, list) else [texts])]
    return ": ".join(parts)


def too_large(frames: int, size: int, said: str) -> Refused:
    """Return the error for a job that is too large for us, the server, or what is before it; `size` is in bytes."""
    return Refused(
        f"too large for the server: {frames:,} frames, {size:,} bytes. Ask for a higher limit on the proxy before it "
        "(nginx: client_max_body_size), and retry it; or split the folder, each part a job of its own "
        f"({said})",
        code=f"http-{TOO_LARGE}",
    )


def no_project(project: int) -> AccessRefused:
    """Return the error for a project that is not there, or is not to be seen by us."""
    return AccessRefused(
        f"{NAME} has no project {project}, or does not show it to this token: check LABEL_STUDIO_URL, "
        "LABEL_STUDIO_IMAGE_PROJECT and LABEL_STUDIO_SEQUENCE_PROJECT",
        code=f"http-{NOT_THERE}",
        is_of_all=True,
    )


def no_task(task_id: int) -> Refused:
    """Return the error for a task that was there, and is not, or is not to be seen by us."""
    return Refused(f"{NAME} has no task {task_id} any more: somebody has removed it there", code=f"http-{NOT_THERE}")


def unreadable(task_id: int, most: int) -> Refused:
    """Return the error for a task in which so much was made that it is not read; `most` is in bytes."""
    return Refused(f"{NAME}'s task {task_id} is larger than {most:,} bytes: export it there", code="result")
