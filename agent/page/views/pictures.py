"""The files of a job, by its number and a frame's position alone: pictures, small ones, and its result."""

from __future__ import annotations

import os
from concurrent.futures import TimeoutError as LateError
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse

from agent.errors import FileChanged, FolderUnavailable
from agent.page.decoding import LARGE, SMALL, NotShownError, shown_as
from agent.page.files import NotThereError, head, named, opened
from agent.page.page import NotHereError
from agent.page.thumbnails import Busy
from agent.page.views.job import address, job_of, scanner_of, thumbnails_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.ledger.one_job import JobFrame
    from agent.page.page import Asked

SECONDS: Final = 30.0
_BLOCK: Final = 256 * 1024
_KEPT: Final = "private, max-age=31536000, immutable"
"""For what is named by its digest: under this address there is never anything else."""


class Body:
    """The bytes of an open file, as many as it had; whoever has it closes the file, or lets go of it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = os.dup(descriptor)
        self.length = os.fstat(descriptor).st_size

    def __iter__(self) -> Iterator[bytes]:
        at = 0
        while at < self.length:
            block = os.pread(self._descriptor, min(_BLOCK, self.length - at), at)
            if not block:  # the answer's length is told already: the connection has to end
                raise OSError("a file became shorter while it was sent")
            at += len(block)
            yield block

    def __del__(self) -> None:
        os.close(self._descriptor)


def picture(asked: Asked) -> Response:
    """Answer with a frame's own file, where browsers show it; else it is to be asked for as `large`."""
    frame = _frame(asked)
    assert asked.page.watch_dir is not None
    try:
        with opened(scanner_of(asked.page.watch_dir), frame) as descriptor:
            kind = shown_as(head(descriptor))
            if kind is None:
                return RedirectResponse(address(_job(asked), frame, "large"), HTTPStatus.SEE_OTHER)
            body = Body(descriptor)
    except NotThereError as error:
        return PlainTextResponse(f"{error}\n", HTTPStatus.GONE)
    return StreamingResponse(
        body, media_type=kind, headers={**_caching(asked, frame), "Content-Length": str(body.length)}
    )


def small(asked: Asked) -> Response:
    """Answer with a small picture of a frame."""
    return _made(asked, SMALL)


def large(asked: Asked) -> Response:
    """Answer with what stands for a picture that browsers do not show, or that is cut."""
    return _made(asked, LARGE)


def result(asked: Asked) -> Response:
    """Answer with a job's result, to be kept."""
    row = job_of(asked)
    if not row["result_path"] or asked.page.results_dir is None:
        raise NotHereError(f"job {row['id']} has no result here")
    try:
        descriptor = named(scanner_of(asked.page.results_dir).descriptor, row["result_path"])
    except (FileChanged, FolderUnavailable, OSError):
        raise NotHereError(f"the result of job {row['id']} cannot be read") from None
    try:
        body = Body(descriptor)
    finally:
        os.close(descriptor)
    headers = {
        "Content-Length": str(body.length),
        "Content-Disposition": f'attachment; filename="job-{row["id"]}.json"',
    }
    return StreamingResponse(body, media_type="application/json", headers=headers)


def _made(asked: Asked, side: int) -> Response:
    frame = _frame(asked)
    assert asked.page.watch_dir is not None
    try:
        found = thumbnails_of(asked.page.watch_dir).of(frame, side).result(SECONDS)
    except (Busy, LateError):
        retry = {"Retry-After": "2"}
        return PlainTextResponse("too many pictures are asked for\n", HTTPStatus.SERVICE_UNAVAILABLE, retry)
    except NotThereError as error:
        return PlainTextResponse(f"{error}\n", HTTPStatus.GONE)
    except NotShownError as error:
        return PlainTextResponse(f"{error}\n", HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    return Response(found.content, media_type=found.kind, headers=_caching(asked, frame))


def _job(asked: Asked) -> int:
    number: int = asked.request.path_params["job"]
    return number


def _frame(asked: Asked) -> JobFrame:
    """Return the frame that the address names. Raises NotHereError."""
    position = asked.request.path_params["position"]
    if asked.page.watch_dir is None:
        raise NotHereError("the page was not told where the watch folder is")
    frames = asked.reads.job_frames(_job(asked), position, 1)
    if not frames or frames[0].position != position:
        raise NotHereError(f"job {_job(asked)} has no frame at {position}")
    return frames[0]


def _caching(asked: Asked, frame: JobFrame) -> dict[str, str]:
    is_named = bool(frame.digest) and asked.query("v") == frame.digest[:16]
    return {"Cache-Control": _KEPT} if is_named else {}
