"""The API client: every call of Label Studio's that there is.

Every call raises the errors of `error_table.classify`, and `TryLater` with code `connection`, `timeout` or `bad-reply`
where there was no answer that can be read. Each is one request, and one more where an access token was refused, which
is before anything is done. The token goes to the base URL only: no redirect is followed. The vendor's SDK is not used:
it sends a POST three times by itself.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from agent import __version__
from agent.core.retry import ASKED
from agent.errors import Refused
from agent.http.bodies import is_too_large, json_of, secret_forms, without_secret
from agent.http.transport import Reply, Transport, http_date
from agent.targets.label_studio import NAME, answers
from agent.targets.label_studio.body import frame_count
from agent.targets.label_studio.error_table import (
    NOT_THERE,
    TOO_LARGE,
    classify,
    no_project,
    no_task,
    too_large,
    unreadable,
)
from agent.targets.label_studio.login import Login

if TYPE_CHECKING:
    from agent.targets.label_studio.answers import ProjectDetails, Task

_SMALL_BYTES: Final = 2**20
_LIST_BYTES: Final = 19 * 2**20  # below the raw limit of http/sessions; 60,000 boxes in one task
_MOST_SENT: Final = 16 * 2**20  # what is larger could not be read back, and never be found again; 120,000 frames are 12
_MOST_PARTS: Final = 1_000_000  # of JSON: a sequence has two for each frame
_TASK_PARTS: Final = 5_000_000  # a box has 18, and a mask one for each number


class LabelStudio:
    """A Label Studio at `base_url`. Safe to share between threads; each keeps its own connections alive.

    `token` is a personal access token or a legacy one. `connect_seconds` is for making a connection, `post_seconds` for
    the whole answer to a task's POST, `read_seconds` for any other answer. Raises `SettingsError` for a token that
    cannot be sent as a header, or a CA bundle that is not there.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        connect_seconds: float = 10.0,
        post_seconds: float = 120.0,
        read_seconds: float = 60.0,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self.post_seconds = post_seconds
        self._read_seconds = read_seconds
        self._connect_seconds = connect_seconds
        # It sends no token: to renew one, where an expired one is sent along, a server may look at that first.
        self._bare = self._new_transport()
        self._tokens: frozenset[bytes] = frozenset()
        self._access: tuple[frozenset[bytes], ...] = ()
        self._entries = [self._entry_with(token)]

    def use_token(self, token: str) -> None:
        """Ask with another token from now on; what comes back may still repeat the one before.

        Raises `SettingsError`.
        """
        self._entries.append(self._entry_with(token))

    def create_task(self, body: dict[str, object]) -> int:
        """Create a task and return its id; nothing but 201 and a whole number of this very task tells that it is made.

        Raises AccessRefused where the project is not there, and Refused for one that could not be read back.
        """
        project, data = body["project"], body["data"]
        assert isinstance(project, int)
        assert isinstance(data, dict)
        encoded = json.dumps(body, allow_nan=False).encode()
        if len(encoded) > _MOST_SENT:
            raise too_large(frame_count(body), len(encoded), f"the most is {_MOST_SENT:,}")
        reply = self._exchange("POST", "/api/tasks", encoded, self.post_seconds, _LIST_BYTES)
        if reply.status == TOO_LARGE:
            raise too_large(frame_count(body), len(encoded), f"HTTP {TOO_LARGE}")
        if reply.status == NOT_THERE:
            self.project(project)
        return answers.created(_body(reply, 201), project, data["reference_id"])

    def create_project(self, title: str, config: str) -> int:
        """Create a project and return its id."""
        body = json.dumps({"title": title, "label_config": config}).encode()
        reply = self._exchange("POST", "/api/projects", body, self._read_seconds, _SMALL_BYTES)
        return answers.number(_body(reply, 201), "id")

    def projects(self, title: str) -> list[ProjectDetails]:
        """Return the first hundred projects whose title contains this one, the oldest first."""
        wanted = f"title={quote(title, safe='')}&ordering=id&page_size=100&include=id,title,label_config"
        return answers.projects(_body(self._get(f"/api/projects?{wanted}", _LIST_BYTES), 200))

    def project(self, project: int) -> ProjectDetails:
        """Return a project's details. Raises AccessRefused where it is not there."""
        reply = self._get(f"/api/projects/{project}", 4 * _SMALL_BYTES)
        if reply.status == NOT_THERE:
            raise no_project(project)
        return answers.project_details(_body(reply, 200), project)

    def tasks(self, address: str, project: int) -> tuple[list[Task], int, int] | None:
        """Return a page of tasks as `answers.tasks` does, or None where it is too large; `queries` makes addresses.

        Raises AccessRefused where the project is not there.
        """
        reply = self._get(address, _LIST_BYTES)
        if reply.status == NOT_THERE:
            raise no_project(project)
        if reply.cut and reply.status == 200:
            return None
        return answers.tasks(_body(reply, 200, asked=True))

    def task(self, task_id: int) -> Task:
        """Return one whole task, with what people have made of it. Raises Refused where there is none."""
        reply = self._get(f"/api/tasks/{task_id}?resolve_uri=false", _LIST_BYTES)
        if reply.status == NOT_THERE:
            raise no_task(task_id)
        if reply.status == 200 and is_too_large(reply, _TASK_PARTS):
            raise unreadable(task_id, _LIST_BYTES)
        found = answers.task(_body(reply, 200, _TASK_PARTS))
        if found is None:
            raise Refused(f"{NAME}'s task {task_id} has no reference_id, and is none of this agent's", code="not-ours")
        return found

    def remove(self, task_id: int) -> None:
        """Remove a task; one that is gone already is no error."""
        reply = self._exchange("DELETE", f"/api/tasks/{task_id}", None, self._read_seconds, _SMALL_BYTES)
        if reply.status not in {204, NOT_THERE}:
            raise classify(reply.status, *json_of(reply, _MOST_PARTS), reply.retry_after)

    def server_time(self, project: int) -> float | None:
        """Return the time by the server's clock in seconds since 1970, or None where its answer tells none.

        Any answer tells it, a refusal too, so that no token is sent. Raises `TryLater` where there is no answer.
        """
        url = f"{self._base_url}/api/projects/{project}"
        reply = self._bare.exchange("GET", url, None, seconds=self._read_seconds, limit=_SMALL_BYTES)
        return http_date(reply.date)

    def close(self) -> None:
        """Close all connections."""
        for _, transport in self._entries:
            transport.close()
        self._bare.close()

    def _get(self, path: str, limit: int) -> Reply:
        return self._exchange("GET", path, None, self._read_seconds, limit)

    def _exchange(self, method: str, path: str, body: bytes | None, seconds: float, limit: int) -> Reply:
        """Make a request, and once more where the access token had ended: a refusal does nothing."""
        login, transport = self._entries[-1]
        url = self._base_url + path
        header = login.header()
        reply = transport.exchange(method, url, body, seconds=seconds, limit=limit)
        if reply.status == 401 and login.is_renewed(header):
            reply = transport.exchange(method, url, body, seconds=seconds, limit=limit)
        return self._without_secrets(reply)

    def _renew(self, body: bytes) -> object:
        url = f"{self._base_url}/api/token/refresh"
        reply = self._bare.exchange("POST", url, body, seconds=self._read_seconds, limit=_SMALL_BYTES)
        if reply.status in {200, 201}:
            return json_of(reply, _MOST_PARTS)[0]
        reply = self._without_secrets(reply)
        decoded, problem = json_of(reply, _MOST_PARTS)
        raise classify(reply.status, decoded, problem, reply.retry_after)

    def _new_transport(self) -> Transport:
        return Transport(
            NAME, self._base_url, _headers(), connect_seconds=self._connect_seconds, longest_wait=ASKED.longest
        )

    def _entry_with(self, token: str) -> tuple[Login, Transport]:
        """Return how a token is let in: by connections of its own, so that one token's renewal changes no other's."""
        self._tokens |= secret_forms(token)
        transport = self._new_transport()
        return Login(token, self._renew, partial(self._carry, transport)), transport

    def _carry(self, transport: Transport, header: str) -> None:
        self._access = (*self._access[-7:], secret_forms(header.partition(" ")[2]))
        transport.carry({**_headers(), "Authorization": header})

    def _without_secrets(self, reply: Reply) -> Reply:
        return without_secret(reply, self._tokens.union(*self._access))


def _headers() -> dict[str, str]:
    return {"User-Agent": f"playment-agent/{__version__}"}


def _body(reply: Reply, status: int, most_parts: int = _MOST_PARTS, *, asked: bool = False) -> object:
    """Return the JSON of an answer with this status; else raise the table's error, as of a question where `asked`."""
    body, problem = json_of(reply, most_parts)
    if reply.status == status and body is not None:
        return body
    raise classify(reply.status, body, problem, reply.retry_after, asked=asked)
