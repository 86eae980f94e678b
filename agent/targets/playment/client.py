"""The API client: every call of Playment's job API, in both editions.

Every call raises the errors of `error_table.classify`, and `TryLater` with code `connection`, `timeout` or
`bad-reply` where there was no answer that can be read. The key is in no error, and goes to the base URL only: no
redirect is followed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urljoin

from agent import __version__
from agent.core.retry import ASKED
from agent.http.bodies import json_of, secret_forms, without_secret
from agent.http.transport import Reply, Transport, http_date
from agent.model import Edition
from agent.targets.playment import NAME, answers
from agent.targets.playment.answers import JobDetails, JobsPage, ListedBatch, ListedJob, ProjectDetails
from agent.targets.playment.body import frame_count
from agent.targets.playment.error_table import TOO_LARGE, classify, too_large, vendor_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agent.errors import RemoteError

__all__ = ["JobDetails", "JobsPage", "ListedBatch", "ListedJob", "Playment", "ProjectDetails"]

_POST_BYTES: Final = 2**20
_LIST_BYTES: Final = 16 * 2**20
_MOST_PARTS: Final = 400_000  # of JSON, some 33,000 batches: 16 MiB of `{},` are 400 MiB once they are read (measured)
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class Playment:
    """One project at Playment. Safe to share between threads; each keeps its own connections alive.

    `connect_seconds` is for making a connection, `post_seconds`
    for the whole answer to a job's POST (the vendor copies the job's files first), `read_seconds` for any other answer.
    Raises `SettingsError` for a key that cannot be sent as a header, or a CA bundle that is not there.
    """

    def __init__(
        self,
        base_url: str,
        project_id: str,
        api_key: str,
        edition: Edition,
        *,
        connect_seconds: float = 10.0,
        post_seconds: float = 120.0,
        read_seconds: float = 30.0,
    ) -> None:
        self.project_id = project_id
        self.edition = edition
        self._base_url = base_url.rstrip("/")
        self.post_seconds = post_seconds
        self._read_seconds = read_seconds
        self._transport = Transport(
            NAME, self._base_url, _headers(api_key), connect_seconds=connect_seconds, longest_wait=ASKED.longest
        )
        self._key_forms = secret_forms(api_key)

    def use_key(self, api_key: str) -> None:
        """Send another key from now on; what comes back may still repeat the one before. Raises `SettingsError`."""
        self._key_forms |= secret_forms(api_key)
        self._transport.carry(_headers(api_key))

    def create_job(self, body: Mapping[str, object]) -> str:
        """Create a job and return Playment's `job_id`.

        The body's own key decides the edition, `work_flow_id` or `tag`: a frozen job keeps its edition when the
        settings change. Raises `DuplicateReference` where the reference_id is in use.
        """
        path = f"{self._project(_edition_of(body, self.edition))}/jobs"
        encoded = _encoded(body)
        reply = self._sent(path, encoded, self.post_seconds)
        if reply.status == TOO_LARGE:
            raise too_large(frame_count(body), len(encoded), *vendor_error(json_of(reply, _MOST_PARTS)[0]))
        data = _data(reply)
        return answers.created_job(data, body.get("reference_id"))

    def create_batch(self, name: str, description: str) -> str:
        """Create a batch and return its id. Raises `BatchExists` where the name is taken."""
        # The older edition's page has 'project' in the singular here, and only here.
        noun = "projects" if self.edition is Edition.V1 else "project"
        body = {"project_id": self.project_id, "name": name, "label": name, "description": description}
        path = f"/v1/{noun}/{quote(self.project_id, safe='')}/batch"
        return answers.created_batch(_data(self._sent(path, _encoded(body), self._read_seconds)))

    def job(self, job_id: str) -> JobDetails:
        """Return one job. Raises `Refused` with code `FS_0006` where there is none."""
        return answers.job_details(self._get(f"{self._project()}/jobs/{quote(job_id, safe='')}"), job_id, self.edition)

    def batch_jobs(self, batch_id: str, page_token: str | None = None) -> JobsPage:
        """Return one page of a batch's jobs, the first without a token. The lists may lag behind a creation."""
        path = f"{self._project()}/batch/{quote(batch_id, safe='')}"
        query = f"?page_token={quote(page_token, safe='')}" if page_token else ""
        return answers.jobs_page(self._get(path + query), self.edition)

    def iter_batch_jobs(self, batch_id: str) -> Iterator[ListedJob]:
        """Yield all jobs of a batch, asking for a page when it is reached."""
        token: str | None = None
        seen: set[str] = set()
        while True:
            page = self.batch_jobs(batch_id, token)
            yield from page.jobs
            token = page.next_page_token
            if token is None:
                return
            if token in seen:
                raise answers.bad_reply("its page tokens go round in a circle")
            seen.add(token)

    def details(self) -> ProjectDetails:
        """Return the project's name and batches."""
        return answers.project_details(self._get(f"{self._project()}/details"))

    def server_time(self) -> float | None:
        """Return the time by Playment's clock in seconds since 1970, or None where its answer tells none.

        Any answer tells it, a refusal too. Raises `TryLater` where there is no answer.
        """
        return http_date(self._exchange("GET", f"{self._project()}/details").date)

    def attachment(self, url: str) -> str:
        """Return the signed address of a result file, which must be fetched without the key."""
        reply = self._exchange("GET", f"/v1/attachments?url={quote(url, safe='')}")
        if reply.status in _REDIRECTS and reply.location:
            return urljoin(self._base_url + "/", reply.location)
        body, problem = json_of(reply, _MOST_PARTS)
        raise _error(reply.status, body, problem or "no redirect to a file", reply.retry_after)

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def _project(self, edition: Edition | None = None) -> str:
        return f"/{edition or self.edition}/projects/{quote(self.project_id, safe='')}"

    def _get(self, path: str) -> Mapping[str, object]:
        return _data(self._exchange("GET", path))

    def _sent(self, path: str, body: bytes, seconds: float) -> Reply:
        url = self._base_url + path
        return without_secret(
            self._transport.exchange("POST", url, body, seconds=seconds, limit=_POST_BYTES), self._key_forms
        )

    def _exchange(self, method: str, path: str) -> Reply:
        url = self._base_url + path
        return without_secret(
            self._transport.exchange(method, url, None, seconds=self._read_seconds, limit=_LIST_BYTES), self._key_forms
        )


def _headers(api_key: str) -> dict[str, str]:
    return {"x-api-key": api_key, "User-Agent": f"playment-agent/{__version__}"}


def _encoded(body: Mapping[str, object]) -> bytes:
    return json.dumps(dict(body), allow_nan=False).encode()


def _edition_of(body: Mapping[str, object], otherwise: Edition) -> Edition:
    """Return the edition that a job's body is written in."""
    if ("tag" in body) is ("work_flow_id" in body):
        return otherwise
    return Edition.V0 if "tag" in body else Edition.V1


def _data(reply: Reply) -> Mapping[str, object]:
    """Return the `data` of a success, which is HTTP 200 with `"success": true`; else raise the table's error."""
    body, problem = json_of(reply, _MOST_PARTS)
    if reply.status == 200 and isinstance(body, dict) and body.get("success") is True:
        data = body.get("data")
        if isinstance(data, dict):
            return data
    raise _error(reply.status, body, problem or "no data", reply.retry_after)


def _error(status: int, body: object, problem: str, retry_after: float | None) -> RemoteError:
    code, message = vendor_error(body)
    return classify(status, code, message or ("" if code else problem), retry_after)
