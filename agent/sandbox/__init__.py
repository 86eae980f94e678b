"""A Playment on loopback that behaves as the vendor's pages say: for tests, for the demo, and to rehearse trouble.

It is a real HTTP server with both editions, every documented call and code, and faults that can be switched on.
What the pages leave open is decided here: a batch that does not exist is a `resource_error`, and a reference_id is
unique in its project.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import threading
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

from agent.model import Edition
from agent.sandbox.faults import Faults
from agent.sandbox.fetch import digest_of
from agent.sandbox.rules import INVALID, NOT_FETCHED, TRY_LATER, Refusal, check_batch, check_job, decoded
from agent.sandbox.server import Answer, LoseReply, Request, Server
from agent.sandbox.state import COMPLETED, SandboxBatch, SandboxJob, SandboxState

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

__all__ = ["Faults", "Sandbox"]

_PROJECT: Final = r"/(?P<edition>v0|v1)/projects/(?P<project>[^/]+)"
_ROUTES: Final = tuple(
    (method, re.compile(pattern), call)
    for method, pattern, call in (
        # `projectsvc` is where the vendor's SDK 1.0.5 posts its jobs.
        ("POST", r"/(?P<edition>v0|v1|projectsvc)/projects/(?P<project>[^/]+)/jobs", "create_job"),
        ("POST", r"/v1/projects?/(?P<project>[^/]+)/batch", "create_batch"),
        ("GET", _PROJECT + r"/jobs/(?P<id>[^/]+)", "job"),
        ("GET", _PROJECT + r"/batch/(?P<id>[^/]+)", "batch_jobs"),
        ("GET", _PROJECT + r"/details", "details"),
        ("GET", r"/v1/attachments", "attachment"),
    )
)
_RESULT: Final = re.compile(r"/results/(?P<id>[^/]+)\.json")
_SIGNED: Final = re.compile(r"/signed/(?P<id>[^/]+)\.json")
_TROUBLE: Final = "Something went wrong, please try again later"


class Sandbox:
    """The server, as a context manager. All that it holds may be read and changed from any thread.

    `port` 0 takes a free one; `latency` is in seconds, for every call; `project_id` None takes any project;
    with `fetch` the files of a job are read while it is created, as in the vendor's usual set-up; ids and faults come
    from `rng`. A job is annotated `complete_after` so many seconds, None: by `complete` alone.
    """

    complete_after: float | None = None

    def __init__(
        self,
        *,
        rng: random.Random,
        api_key: str = "sandbox-key",
        port: int = 0,
        latency: float = 0.0,
        faults: Faults | None = None,
        project_id: str | None = None,
        page_size: int = 100,
        fetch: bool = False,
    ) -> None:
        self.faults = faults or Faults()
        self._api_key = api_key
        self._port = port
        self._latency = latency
        self._project_id = project_id
        self._fetch = fetch
        self._state = SandboxState(rng, page_size)
        self._requests: Counter[str] = Counter()
        self._requests_lock = threading.Lock()
        self._stopping = threading.Event()
        self._server: Server | None = None
        self._calls: dict[str, Callable[[Request], Answer]] = {
            "create_job": self._create_job,
            "create_batch": self._create_batch,
            "job": self._job,
            "batch_jobs": self._batch_jobs,
            "details": self._details,
            "attachment": self._attachment,
        }

    def __enter__(self) -> Self:
        self._server = Server(self._port, self._answer)
        self._port = self._server.server_port
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        if self._server is not None:
            self._server.stop()

    @property
    def url(self) -> str:
        """The base URL, once it is started."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def jobs(self) -> list[SandboxJob]:
        """All jobs, in order of creation."""
        return self._state.jobs

    @property
    def requests(self) -> Counter[str]:
        """How often each call was made: `create_job`, `create_batch`, `job`, `batch_jobs`, `details`, `attachment`."""
        with self._requests_lock:
            return self._requests.copy()

    def complete(self, job_id: str, result: dict[str, object]) -> None:
        """Mark a job as annotated, with `result` as its result file. Raises `KeyError` where there is no such job."""
        self._state.complete(job_id, result)

    def fail(self, job_id: str, code: str = INVALID, message: str = "INVALID_IMAGE_LINK") -> None:
        """Mark a job as failed after it was taken. Raises `KeyError` where there is no such job."""
        self._state.fail(job_id, code, message)

    def _answer(self, request: Request) -> Answer:
        try:
            return self._routed(request)
        except Refusal as refusal:
            return _failure(refusal.status, refusal.code, str(refusal))

    def _routed(self, request: Request) -> Answer:
        if signed := _SIGNED.fullmatch(request.path):
            return self._signed(request, signed["id"])
        for method, pattern, call in _ROUTES:
            if request.method == method and (match := pattern.fullmatch(request.path)):
                return self._call(call, replace(request, named=match.groupdict()))
        raise Refusal("not_found", "No such address", 404)

    def _call(self, call: str, request: Request) -> Answer:
        with self._requests_lock:
            self._requests[call] += 1
        self._stopping.wait(self._latency)
        if not hmac.compare_digest((request.key or "").encode(), self._api_key.encode()):
            raise Refusal("unauthorized_request", "client-key is invalid. Please contact the administrator")
        if self._project_id is not None and request.named.get("project", self._project_id) != self._project_id:
            raise Refusal("resource_error", "project_id not found")
        if self.complete_after is not None:
            self._state.complete_due(self.complete_after)
        return self._calls[call](request)

    def _create_job(self, request: Request) -> Answer:
        faults = self.faults
        lost, after, before, limited, later, unread = self._state.rolls(6)
        if limited < faults.rate_limit:
            answer = _failure(429, "rate_limit", "Too many requests")
            return Answer(answer.status, answer.body, {"Retry-After": str(faults.retry_after)})
        if before < faults.error_before:
            return _failure(500, "internal", _TROUBLE)
        if later < faults.try_later:
            raise Refusal(TRY_LATER, _TROUBLE)
        edition = Edition.V1 if request.named["edition"] == "v1" else Edition.V0
        body = decoded(request.body)
        sources = check_job(body, edition)
        self._state.reserve(request.named["project"], body)
        try:
            fetched = self._fetched(sources, fail=unread < faults.not_fetched)
        except Refusal:
            self._state.release(request.named["project"], body)
            raise
        job = self._state.create_job(request.named["project"], edition, body, len(sources), fetched)
        if faults.fail_later and self._state.rolls(1)[0] < faults.fail_later:
            self.fail(job.job_id)
        if lost < faults.lose_reply:
            raise LoseReply
        if after < faults.error_after:
            return _failure(500, "internal", _TROUBLE)
        return _success({"job_id": job.job_id, "reference_id": job.reference_id, **_tag(job, edition)})

    def _fetched(self, sources: list[str], *, fail: bool) -> dict[str, str]:
        if fail:
            raise Refusal(NOT_FETCHED, "Image Urls not found")
        return {source: digest_of(source) for source in sources} if self._fetch else {}

    def _create_batch(self, request: Request) -> Answer:
        body = decoded(request.body)
        check_batch(body)
        return _success({"batch_id": self._state.create_batch(request.named["project"], body).batch_id})

    def _job(self, request: Request) -> Answer:
        job = self._state.job(request.named["project"], request.named["id"])
        return _success(
            {
                "project_id": job.project_id,
                "reference_id": job.reference_id,
                "job_id": job.job_id,
                "batch_id": job.batch_id,
                "status": job.status,
                **_tag(job, Edition(request.named["edition"])),
                "priority_weight": job.priority_weight,
                "result": f"{self.url}/results/{job.job_id}.json" if job.status == COMPLETED else None,
                **({} if job.error is None else {"error": dict(zip(("code", "message"), job.error, strict=True))}),
            }
        )

    def _batch_jobs(self, request: Request) -> Answer:
        token = request.query.get("page_token", [""])[0]
        batch, jobs, following = self._state.page(request.named["project"], request.named["id"], token)
        rows = [
            {
                "id": job.job_id,
                "reference_id": job.reference_id,
                "status": job.status,
                "frames": job.frames,
                "annotations": 0,
                "priority_weight": job.priority_weight,
                **_tag(job, Edition(request.named["edition"])),
            }
            for job in jobs
        ]
        data: dict[str, object] = {
            "id": batch.batch_id,
            "project_id": request.named["project"],
            "name": batch.name,
            "jobs": rows,
        }
        return _success({**data, "next_page_token": following})

    def _details(self, request: Request) -> Answer:
        batches = [_listed(batch) for batch in self._state.batches(request.named["project"])]
        return _success({"name": request.named["project"], "base": "image", "batches": batches})

    def _attachment(self, request: Request) -> Answer:
        url = request.query.get("url", [""])[0]
        if not url:
            raise Refusal("GE_0002", "Parameter missing: url")
        match = _RESULT.fullmatch(urlsplit(url).path)
        if match is None or self._state.result(match["id"]) is None:
            raise Refusal("FS_0006", "Job Unit not found")
        location = f"{self.url}/signed/{match['id']}.json?signature={self._signature(match['id'])}"
        return Answer(302, {}, {"Location": location})

    def _signed(self, request: Request, job_id: str) -> Answer:
        """Return a result file, as an object store would: to whoever has the signature, and brings no key."""
        if request.key is not None:
            raise Refusal("InvalidArgument", "Only one authentication mechanism allowed: do not send the key here")
        signature = request.query.get("signature", [""])[0]
        result = self._state.result(job_id)
        if result is None or not hmac.compare_digest(signature.encode(), self._signature(job_id).encode()):
            raise Refusal("AccessDenied", "The signature is wrong", 403)
        return Answer(200, result)

    def _signature(self, job_id: str) -> str:
        return hmac.new(self._api_key.encode(), job_id.encode(), hashlib.sha256).hexdigest()


def _success(data: Mapping[str, object]) -> Answer:
    return Answer(200, {"data": data, "success": True})


def _failure(status: int, code: str, message: str) -> Answer:
    return Answer(status, {"error": {"code": code, "message": message}, "success": False})


def _tag(job: SandboxJob, edition: Edition) -> dict[str, object]:
    """Return the job's tag under the name that the edition asked in has for it."""
    return {"tag" if edition is Edition.V0 else "work_flow_id": job.tag}


def _listed(batch: SandboxBatch) -> dict[str, object]:
    completed = [job for job in batch.jobs if job.status == COMPLETED]
    return {
        "id": batch.batch_id,
        "name": batch.name,
        "description": batch.description,
        "is_default": batch.is_default,
        "total_jobs": len(batch.jobs),
        "completed_jobs": len(completed),
        "total_frames": sum(job.frames for job in batch.jobs),
        "completed_frames": sum(job.frames for job in completed),
        "annotations": 0,
        "created_at": batch.created_at,
        "status": "active",
    }
