from __future__ import annotations

import hashlib
import http.client
import itertools
import json
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import pytest
import requests

from agent.model import Edition
from agent.sandbox import Faults, Sandbox
from agent.sandbox.server import BODY_BYTES
from tests.fakes import Scripted, sends
from tests.fakes import http as answer_of

if TYPE_CHECKING:
    from collections.abc import Iterator

FLOW = "9f6a3c1e-22aa-4c55-9c0a-30f0b9f5d002"
JOB: dict[str, Any] = {"reference_id": "r1", "tag": "boxes", "data": {"image_url": "https://h/a.jpg"}}
JOB_V1: dict[str, Any] = {"reference_id": "r1", "work_flow_id": FLOW, "data": {"image_url": "https://h/a.jpg"}}
BATCH = {"project_id": "p", "name": "n", "label": "n", "description": "d"}
FRAMES = [{"frame_id": "f1.jpg", "src": "https://h/f1.jpg"}, {"frame_id": "f2.jpg", "src": "s3://b/f2.jpg"}]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(rng=random.Random(7)) as running:
        yield running


def post(sandbox: Sandbox, path: str, body: object, key: str = "sandbox-key") -> requests.Response:
    return requests.post(sandbox.url + path, json=body, headers={"x-api-key": key}, timeout=10)


def get(sandbox: Sandbox, path: str, key: str = "sandbox-key") -> requests.Response:
    return requests.get(sandbox.url + path, headers={"x-api-key": key}, timeout=10, allow_redirects=False)


def create(sandbox: Sandbox, body: dict[str, Any] | None = None, **changes: Any) -> requests.Response:
    return post(sandbox, "/v0/projects/p/jobs", {**(JOB if body is None else body), **changes})


def refused(response: requests.Response) -> str:
    """Return the code of a documented failure, which comes with HTTP 400 always."""
    body = response.json()
    assert response.status_code == 400
    assert body["success"] is False
    assert set(body["error"]) == {"code", "message"}
    code: str = body["error"]["code"]
    return code


def made(response: requests.Response) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    assert response.status_code == 200
    assert body["success"] is True
    data: dict[str, Any] = body["data"]
    return data


def video(frames: object) -> dict[str, object]:
    return {"video_data": {"frames": frames}}


# ---------------------------------------------------------------- creating jobs


@pytest.mark.parametrize("path", ["/v0/projects/p/jobs", "/projectsvc/projects/p/jobs"])
def test_a_job_of_the_older_edition(sandbox: Sandbox, path: str) -> None:
    data = made(post(sandbox, path, {**JOB, "data": video(FRAMES), "id": None, "batch_id": None}))
    [job] = sandbox.jobs
    assert data == {"job_id": job.job_id, "reference_id": "r1", "tag": "boxes"}
    assert (job.edition, job.frames, job.tag, job.priority_weight) == (Edition.V0, 2, "boxes", 5)
    assert job.body["data"] == video(FRAMES)


def test_a_job_of_the_newer_edition(sandbox: Sandbox) -> None:
    data = made(post(sandbox, "/v1/projects/p/jobs", JOB_V1))
    assert data == {"job_id": sandbox.jobs[0].job_id, "reference_id": "r1", "work_flow_id": FLOW}
    assert sandbox.jobs[0].edition is Edition.V1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"reference_id": None}, "FS_0002"),
        ({"reference_id": ""}, "FS_0002"),
        ({"reference_id": 7}, "GE_0001"),
        ({"data": None}, "FS_0004"),
        ({"tag": None}, "FS_0005"),
        ({"tag": []}, "GE_0001"),
        ({"data": {}}, "FS_0003"),
        ({"data": []}, "FS_0003"),
        ({"data": {"image_url": "https://h/a.jpg", "video_data": {}}}, "FS_0003"),
        *(
            ({"data": {"image_url": url}}, "FS_0003")
            for url in ("", "a.jpg", "ftp://h/a.jpg", "https:///a.jpg", 7, None)
        ),
        *(
            ({"data": {"image_url": url}}, "FS_0003")
            for url in ("https://h/a b.jpg", "https://h/ä.jpg", "https://[h/a")
        ),
        ({"data": video(None)}, "FS_0003"),
        ({"data": video([])}, "FS_0003"),
        ({"data": video(["a"])}, "FS_0003"),
        ({"data": video([FRAMES[0], FRAMES[0]])}, "FS_0003"),
        *(({"data": video([{**FRAMES[0], "frame_id": name}])}, "FS_0003") for name in (None, 7, "", " ", "\ud800")),
        ({"data": video([{"frame_id": "f1.jpg"}])}, "FS_0003"),
        *(({"priority_weight": weight}, "FS_00012") for weight in (0, 11, -1, "5", 5.0, True)),
        *(({"batch_id": batch}, "GE_0001") for batch in ("", "b", 7)),
        ({"batch_id": FLOW}, "resource_error"),
    ],
)
def test_a_job_that_is_refused(sandbox: Sandbox, changes: dict[str, Any], code: str) -> None:
    assert refused(create(sandbox, **changes)) == code
    assert sandbox.jobs == []
    assert made(create(sandbox))  # and its reference_id is still free


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"work_flow_id": None}, "FS_0005"),
        ({"work_flow_id": "boxes"}, "GE_0001"),
        ({"priority_weight": 10}, "FS_00012"),
        ({"priority_weight": 0}, "FS_00012"),
    ],
)
def test_what_only_the_newer_edition_refuses(sandbox: Sandbox, changes: dict[str, Any], code: str) -> None:
    assert refused(post(sandbox, "/v1/projects/p/jobs", {**JOB_V1, **changes})) == code


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"[" * 100_000, b"\xff"])
def test_a_body_that_is_no_json_object(sandbox: Sandbox, body: bytes) -> None:
    headers = {"x-api-key": "sandbox-key"}
    for path in ("/v0/projects/p/jobs", "/v1/project/p/batch"):
        assert refused(requests.post(sandbox.url + path, data=body, headers=headers, timeout=10)) == "GE_0001"


@pytest.mark.parametrize("weight", [1, 10])
def test_the_ends_of_the_priorities(sandbox: Sandbox, weight: int) -> None:
    made(create(sandbox, priority_weight=weight))
    assert sandbox.jobs[0].priority_weight == weight


def test_a_reference_id_is_taken_for_ever_in_its_project(sandbox: Sandbox) -> None:
    made(create(sandbox))
    batch_id = made(post(sandbox, "/v1/project/p/batch", BATCH))["batch_id"]
    assert refused(create(sandbox, tag="other", batch_id=batch_id)) == "FS_0001"
    assert refused(post(sandbox, "/v1/projects/p/jobs", JOB_V1)) == "FS_0001"
    assert made(post(sandbox, "/v0/projects/q/jobs", JOB))
    assert len(sandbox.jobs) == 2


def test_one_of_many_at_once_gets_the_reference_id(sandbox: Sandbox) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: create(sandbox), range(64)))
    assert [answer.status_code for answer in answers].count(200) == 1
    assert len(sandbox.jobs) == 1
    assert sandbox.requests["create_job"] == 64


# ---------------------------------------------------------------- batches, lists, results


@pytest.mark.parametrize("path", ["/v1/project/p/batch", "/v1/projects/p/batch"])
def test_batches(sandbox: Sandbox, path: str) -> None:
    batch_id = made(post(sandbox, path, BATCH))["batch_id"]
    assert refused(post(sandbox, path, BATCH)) == "BATCH_CREATION"
    for missing in ("name", "label", "description"):
        assert refused(post(sandbox, path, {**BATCH, missing: None})) == "GE_0002"
    assert refused(post(sandbox, path, {**BATCH, "name": 7})) == "GE_0001"
    assert refused(post(sandbox, path, {**BATCH, "name": "Default"})) == "BATCH_CREATION"
    assert made(post(sandbox, path.replace("/p/", "/q/"), BATCH))

    made(create(sandbox, batch_id=batch_id.upper(), data=video(FRAMES)))
    default, batch = made(get(sandbox, "/v0/projects/p/details"))["batches"]
    assert default["is_default"]
    assert not batch["is_default"]
    assert (default["total_jobs"], batch["total_jobs"], batch["total_frames"]) == (0, 1, 2)
    assert (batch["id"], batch["name"], batch["description"]) == (batch_id, "n", "d")


@pytest.mark.parametrize("edition", ["v0", "v1"])
def test_a_list_has_pages(edition: str) -> None:
    named = "tag" if edition == "v0" else "work_flow_id"
    with Sandbox(rng=random.Random(7), page_size=2) as sandbox:
        for number in range(5):
            made(create(sandbox, reference_id=f"r{number}"))
        path = f"/{edition}/projects/p/batch/{sandbox.jobs[0].batch_id}"
        listed, token, sizes = [], "", []
        while True:
            page = made(get(sandbox, f"{path}?page_token={quote(token)}" if token else path))
            listed += [job["id"] for job in page["jobs"]]
            sizes.append(len(page["jobs"]))
            assert all(job[named] == "boxes" and job["frames"] == 1 for job in page["jobs"])
            token = page["next_page_token"]
            if not token:
                break
        assert listed == [job.job_id for job in sandbox.jobs]
        assert sizes == [2, 2, 1]
        for bad in ("x", "%FF", "LTE=", "4"):
            assert refused(get(sandbox, f"{path}?page_token={bad}")) == "invalid_request_error"
        assert refused(get(sandbox, f"/{edition}/projects/p/batch/{FLOW}")) == "resource_error"
        assert refused(get(sandbox, f"/{edition}/projects/p/batch/b")) == "GE_0001"


def test_one_job_and_its_result(sandbox: Sandbox) -> None:
    job_id = made(create(sandbox))["job_id"]
    open_job = made(get(sandbox, f"/v0/projects/p/jobs/{job_id}"))
    assert (open_job["status"], open_job["result"], open_job["tag"]) == ("created", None, "boxes")
    assert refused(get(sandbox, f"/v0/projects/p/jobs/{FLOW}")) == "FS_0006"
    assert refused(get(sandbox, f"/v0/projects/q/jobs/{job_id}")) == "FS_0006"
    assert refused(get(sandbox, "/v0/projects/p/jobs/7")) == "GE_0001"
    assert refused(get(sandbox, f"/v1/attachments?url={sandbox.url}/results/{job_id}.json")) == "FS_0006"

    sandbox.complete(job_id, {"boxes": []})
    done = made(get(sandbox, f"/v1/projects/p/jobs/{job_id}"))
    assert (done["status"], done["work_flow_id"]) == ("completed", "boxes")
    redirect = get(sandbox, f"/v1/attachments?url={quote(done['result'], safe='')}")
    assert redirect.status_code == 302
    signed = redirect.headers["Location"]
    assert requests.get(signed, timeout=10).json() == {"boxes": []}
    assert requests.get(signed, headers={"x-api-key": "sandbox-key"}, timeout=10).status_code == 400
    assert requests.get(signed[:-1] + "x", timeout=10).status_code == 403
    assert requests.get(signed.partition("?")[0], timeout=10).status_code == 403
    assert refused(get(sandbox, "/v1/attachments")) == "GE_0002"
    with pytest.raises(KeyError):
        sandbox.complete(FLOW, {})


def test_jobs_are_annotated_some_time_after_they_are_made(sandbox: Sandbox) -> None:
    first = made(create(sandbox, reference_id="r1"))["job_id"]
    assert made(get(sandbox, f"/v0/projects/p/jobs/{first}"))["status"] == "created"
    sandbox.complete_after = 3600.0
    assert made(get(sandbox, f"/v0/projects/p/jobs/{first}"))["status"] == "created"
    sandbox.complete(first, {"boxes": []})
    second = made(create(sandbox, reference_id="r2"))["job_id"]
    sandbox.complete_after = 0.0
    done = made(get(sandbox, f"/v0/projects/p/jobs/{second}"))
    assert done["status"] == "completed"
    result = {job.job_id: job.result for job in sandbox.jobs}
    assert result[first] == {"boxes": []}, "it was annotated already"
    assert result[second] == {"reference_id": "r2", "job_id": second, "annotations": []}
    signed = get(sandbox, f"/v1/attachments?url={quote(done['result'], safe='')}").headers["Location"]
    assert requests.get(signed, timeout=10).json() == result[second]


# ---------------------------------------------------------------- key and project


def test_a_wrong_key_and_a_wrong_project() -> None:
    with Sandbox(rng=random.Random(7), api_key="k", project_id="p") as sandbox:
        paths = (
            f"/v0/projects/p/jobs/{FLOW}",
            f"/v0/projects/p/batch/{FLOW}",
            "/v1/projects/p/details",
            "/v1/attachments",
        )
        for key in ("", "x", "ü"):
            assert refused(post(sandbox, "/v0/projects/p/jobs", JOB, key)) == "unauthorized_request"
            assert refused(post(sandbox, "/v1/project/p/batch", BATCH, key)) == "unauthorized_request"
            for path in paths:
                assert refused(get(sandbox, path, key)) == "unauthorized_request"
        for path in ("/v0/projects/q/details", f"/v0/projects/q/batch/{FLOW}"):
            assert refused(get(sandbox, path, "k")) == "resource_error"
        assert refused(post(sandbox, "/v0/projects/q/jobs", JOB, "k")) == "resource_error"
        assert made(post(sandbox, "/v0/projects/p/jobs", JOB, "k"))
        assert get(sandbox, "/v0/nothing", "k").status_code == 404


# ---------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("faults", "status", "code", "jobs"),
    [
        (Faults(error_after=1), 500, "internal", 1),
        (Faults(error_before=1), 500, "internal", 0),
        (Faults(rate_limit=1, retry_after=17), 429, "rate_limit", 0),
        (Faults(try_later=1), 400, "FS_0000", 0),
        (Faults(not_fetched=1), 400, "FS_0007", 0),
    ],
)
def test_faults(sandbox: Sandbox, faults: Faults, status: int, code: str, jobs: int) -> None:
    sandbox.faults = faults
    answer = create(sandbox)
    assert (answer.status_code, answer.json()["error"]["code"], len(sandbox.jobs)) == (status, code, jobs)
    assert answer.headers.get("Retry-After") == ("17" if status == 429 else None)
    sandbox.faults = Faults()
    assert create(sandbox).status_code == (400 if jobs else 200)
    assert made(get(sandbox, "/v0/projects/p/details"))


def test_a_lost_reply(sandbox: Sandbox) -> None:
    sandbox.faults = Faults(lose_reply=1)
    with pytest.raises(requests.ConnectionError):
        create(sandbox)
    assert len(sandbox.jobs) == 1
    assert refused(create(sandbox)) == "FS_0001"


def test_a_job_that_fails_later(sandbox: Sandbox) -> None:
    sandbox.faults = Faults(fail_later=1.0)
    job_id = made(create(sandbox))["job_id"]
    job = made(get(sandbox, f"/v0/projects/p/jobs/{job_id}"))
    assert (job["status"], job["result"]) == ("FAILED", None)
    assert job["error"] == {"code": "FS_0003", "message": "INVALID_IMAGE_LINK"}
    (batch,) = made(get(sandbox, "/v0/projects/p/details"))["batches"]
    (listed,) = made(get(sandbox, f"/v0/projects/p/batch/{batch['id']}"))["jobs"]
    assert listed["status"] == "FAILED"
    assert refused(create(sandbox)) == "FS_0001"
    sandbox.complete_after = 0.0
    assert made(get(sandbox, f"/v0/projects/p/jobs/{job_id}"))["status"] == "FAILED"
    sandbox.complete(job_id, {})
    assert "error" not in made(get(sandbox, f"/v0/projects/p/jobs/{job_id}"))


def test_ids_may_be_of_another_kind() -> None:
    numbers = itertools.count(1)
    with Sandbox(rng=random.Random(7)) as sandbox:
        sandbox._state.make_id = lambda _rng: f"No.{next(numbers)}"
        assert made(create(sandbox))["job_id"] == "No.2"
        assert made(get(sandbox, "/v0/projects/p/batch/No.1"))["jobs"][0]["id"] == "No.2"
        assert made(create(sandbox, reference_id="r2", batch_id="No.1"))["job_id"] == "No.3"
        assert made(get(sandbox, "/v0/projects/p/jobs/No.3"))["batch_id"] == "No.1"
        assert refused(get(sandbox, "/v0/projects/p/batch/No.7")) == "GE_0001"


def test_a_seed_repeats_a_run() -> None:
    def run() -> list[object]:
        with Sandbox(rng=random.Random(3), faults=Faults(error_before=0.3, error_after=0.3)) as sandbox:
            statuses = [create(sandbox, reference_id=f"r{number}").status_code for number in range(40)]
            return [statuses, [job.job_id for job in sandbox.jobs]]

    first = run()
    assert first == run()
    statuses = first[0]
    assert isinstance(statuses, list)
    assert 5 < statuses.count(200) < 35


@pytest.mark.parametrize("likely", [-0.1, 1.1])
def test_a_likelihood_is_between_0_and_1(likely: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Faults(lose_reply=likely)


def test_latency() -> None:
    with Sandbox(rng=random.Random(7), latency=0.2) as sandbox:
        started = time.monotonic()
        made(create(sandbox))
        assert time.monotonic() - started >= 0.2


# ---------------------------------------------------------------- fetching


def test_files_are_fetched_at_exactly_their_url() -> None:
    with Scripted(sends(answer_of(200, b"pixels"))) as files, Sandbox(rng=random.Random(7), fetch=True) as sandbox:
        sources = [f"{files.url}/a%20b%2Fc/%C3%BC.jpg?x=%2F+1", f"{files.url}/d//e/../f.jpg#part", files.url]
        frames = [{"frame_id": str(number), "src": source} for number, source in enumerate(sources)]
        made(create(sandbox, data=video(frames)))
        assert sandbox.jobs[0].fetched == dict.fromkeys(sources, hashlib.sha256(b"pixels").hexdigest())
        targets = [head.split()[1] for head in files.heads]
        assert targets == ["/a%20b%2Fc/%C3%BC.jpg?x=%2F+1", "/d//e/../f.jpg", "/"]
        assert not any("x-api-key" in head.lower() for head in files.heads)


def test_a_file_that_cannot_be_fetched_makes_no_job() -> None:
    with Scripted(sends(answer_of(404, b"no"))) as files, Sandbox(rng=random.Random(7), fetch=True) as sandbox:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            nobody = closed.getsockname()[1]
        for url in (f"{files.url}/a.jpg", f"http://127.0.0.1:{nobody}/a.jpg", "s3://b/a.jpg", "http://127.0.0.1:x/a"):
            assert refused(create(sandbox, data={"image_url": url})) == "FS_0007"
        assert sandbox.jobs == []
    with Scripted(sends(answer_of(200, b""))) as files, Sandbox(rng=random.Random(7), fetch=True) as sandbox:
        assert made(create(sandbox, data={"image_url": f"{files.url}/a.jpg"}))


# ---------------------------------------------------------------- the server


def test_keep_alive_and_a_quick_clean_stop() -> None:
    before = set(threading.enumerate())
    connections = []
    with Sandbox(rng=random.Random(7)) as sandbox:
        for _ in range(20):
            connection = http.client.HTTPConnection("127.0.0.1", urlsplit(sandbox.url).port, timeout=10)
            connections.append(connection)
            for _ in range(3):
                connection.request("GET", "/v0/projects/p/details", headers={"x-api-key": "sandbox-key"})
                with connection.getresponse() as answer:
                    assert (answer.status, answer.version) == (200, 11)
                    answer.read()
        assert len(set(threading.enumerate()) - before) == 21
        started = time.monotonic()
    assert time.monotonic() - started < 10
    assert set(threading.enumerate()) <= before
    for connection in connections:
        connection.close()


def test_a_stop_ends_the_wait_of_a_slow_answer() -> None:
    with Sandbox(rng=random.Random(7), latency=60) as sandbox, ThreadPoolExecutor(1) as pool:
        future = pool.submit(create, sandbox)
        while not sandbox.requests["create_job"]:
            time.sleep(0.005)
        sandbox.__exit__()
        assert made(future.result(timeout=5))


def test_a_body_that_is_too_large(sandbox: Sandbox) -> None:
    headers = {"x-api-key": "sandbox-key"}
    with requests.Session() as session:
        answer = session.post(
            sandbox.url + "/v0/projects/p/jobs", data=b" " * (BODY_BYTES + 1), headers=headers, timeout=30
        )
        assert answer.status_code == 413
        assert session.post(sandbox.url + "/v0/projects/p/jobs", json=JOB, headers=headers, timeout=10).ok


@pytest.mark.parametrize("header", ["Content-Length: x", "Content-Length: -5", "Transfer-Encoding: chunked"])
def test_a_body_of_unknown_length(sandbox: Sandbox, header: str) -> None:
    with socket.create_connection(("127.0.0.1", urlsplit(sandbox.url).port or 0), timeout=10) as connection:
        connection.sendall(f"POST /v0/projects/p/jobs HTTP/1.1\r\nHost: h\r\n{header}\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 411 ")


def test_a_client_that_goes_away_harms_nobody(sandbox: Sandbox) -> None:
    for part in (b"POST /v0/projects/p/jobs HTTP/1.1\r\nContent-Length: 99\r\n\r\n{", b"GET", b"\x16\x03\x01"):
        with socket.create_connection(("127.0.0.1", urlsplit(sandbox.url).port or 0), timeout=10) as connection:
            connection.sendall(part)
    assert made(create(sandbox))


def test_a_port_that_is_taken_is_told(sandbox: Sandbox) -> None:
    port = urlsplit(sandbox.url).port or 0
    with pytest.raises(OSError, match="in use"), Sandbox(rng=random.Random(7), port=port):
        pass
    command = [sys.executable, "-c", "from agent.commands.sandbox import sandbox; sandbox()", "--port", str(port)]
    told = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert told.returncode == 1
    assert "Choose another --port" in told.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command(number: signal.Signals) -> None:
    command = [sys.executable, "-u", "-c", "from agent.commands.sandbox import sandbox; sandbox()"]
    options = ["--api-key", "k", "--try-later", "1", "--seed", "4"]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        found = re.fullmatch(r"PLAYMENT_BASE_URL=(http://127\.0\.0\.1:\d+)\n", lines[1])
        assert found
        assert lines[2] == "PLAYMENT_API_KEY=k\n"
        answer = requests.post(
            found[1] + "/v0/projects/p/jobs", data=json.dumps(JOB), headers={"x-api-key": "k"}, timeout=10
        )
        assert refused(answer) == "FS_0000"
        process.send_signal(number)
        rest = process.stdout.read()
        assert process.wait(timeout=10) == 0
    assert "0 jobs with 0 frames." in rest
    assert "create_job: 1" in rest
