from __future__ import annotations

import base64
import hashlib
import os
import random
import re
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import requests

from agent.core.retry import ACCESS
from agent.demo.store import ACCESS_KEY, SECRET_KEY, Store
from agent.errors import FileChanged, Refused, SettingsError, StoreRefused, TryLater
from agent.publishing.object_store import CHUNK_BYTES
from agent.publishing.probe import Probe
from agent.publishing.s3_credentials import find
from agent.reporting.checks import Level
from agent.reporting.checks.remote import check_publishing
from tests.integration.s3 import AWS, frame, keys, publisher, settings_for
from tests.integration.test_base_url import ODD_FOLDERS, ODD_NAMES
from tests.relay import Relay
from tests.support import Agent, Playment, environ, eventually, frames, image, query, run, settings, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.reporting.checks import Check

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store(tmp_path_factory.mktemp("store") / "weed") as store:
        yield store


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    return re.sub(r"[^a-z0-9]+", "-", request.node.name) + "/"


def utf8(names: list[bytes]) -> list[str]:
    return [os.fsdecode(name) for name in names if name.decode(errors="replace").encode() == name]


def test_every_legal_name_gets_a_key_of_plain_ascii_and_its_own_bytes(
    store: Store, tmp_path: Path, prefix: str
) -> None:
    ours = publisher(store.url, tmp_path, prefix)
    probe = Probe("Playment")
    try:
        for number, (folder, name) in enumerate(
            (folder, name) for folder in utf8(ODD_FOLDERS) for name in utf8(ODD_NAMES)
        ):
            path = f"{folder}/{name}" if folder else name
            content = image(number, size=(4, 4))
            write(tmp_path / path, content)
            each = frame(ours, tmp_path, path)
            ours.publish(each, expected=False)
            assert each.src is not None
            assert re.fullmatch(r"s3://inbox/[A-Za-z0-9._/-]+", each.src)
            probe.check(ours.address(each.src), len(content))
            got = requests.get(ours.address(each.src), timeout=10)
            assert (got.content, got.headers["Content-Type"]) == (content, "image/jpeg")
    finally:
        probe.close()
    assert len(keys(store.url, prefix)) == number + 1


def test_what_is_there_is_neither_sent_nor_overwritten(store: Store, tmp_path: Path, prefix: str) -> None:
    paths = [f"drive/{path.name}" for path in frames(tmp_path / "drive", 20, seed=1)]
    with Relay(store.port) as relay:
        first = publisher(relay.url, tmp_path, prefix)
        for path in paths[:10]:
            first.publish(frame(first, tmp_path, path), expected=False)
        assert len(relay.paths("PUT")) == 10
        assert relay.paths("HEAD") == []
        relay.requests.clear()
        second = publisher(relay.url, tmp_path, prefix)
        for path in paths:
            second.publish(frame(second, tmp_path, path), expected=False)
        # The first finds out, nine are asked for, the next is missing, and from there on it uploads as at first.
        assert (len(relay.paths("PUT")), len(relay.paths("HEAD"))) == (11, 11)
        relay.requests.clear()
        for path in paths:
            publisher(relay.url, tmp_path, prefix).publish(frame(second, tmp_path, path), expected=True)
        assert (relay.paths("PUT"), len(relay.paths("HEAD"))) == ([], 20)


def test_the_checksum_is_sent_and_the_type_is_that_of_the_bytes(store: Store, tmp_path: Path, prefix: str) -> None:
    content = image(form="PNG")
    write(tmp_path / "a.jpg", content)
    with Relay(store.port) as relay:
        ours = publisher(relay.url, tmp_path, prefix)
        ours.publish(frame(ours, tmp_path, "a.jpg"), expected=False)
        head = relay.requests[0][2]
    checksum = base64.b64encode(hashlib.sha256(content).digest()).decode()
    assert f"x-amz-checksum-sha256: {checksum}".lower() in head
    assert "if-none-match: *" in head
    assert "content-type: image/png" in head


def test_a_large_file_goes_in_parts_and_only_whole(store: Store, tmp_path: Path, prefix: str) -> None:
    content = image() + random.Random(1).randbytes(2 * CHUNK_BYTES + 5)
    write(tmp_path / "large.jpg", content)
    ours = publisher(store.url, tmp_path, prefix)
    each = frame(ours, tmp_path, "large.jpg")
    with pytest.raises(FileChanged):
        ours.publish(each._replace(digest="0" * 64), expected=False)
    assert keys(store.url, prefix) == []
    ours.publish(each, expected=False)
    got = requests.get(ours.address(each.src or ""), timeout=30)
    assert got.content == content
    assert got.headers["Content-Type"] == "image/jpeg"
    os.unlink(tmp_path / "large.jpg")
    ours.publish(each, expected=False)  # it is there


@pytest.mark.parametrize("size", [100, CHUNK_BYTES + 1])
def test_times_that_move_while_a_file_is_uploaded_are_no_matter(
    store: Store, tmp_path: Path, prefix: str, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """The bytes are those that settled, and a mount may move the times of what is read."""
    write(tmp_path / "a.jpg", bytes(size))
    ours = publisher(store.url, tmp_path, prefix)
    each = frame(ours, tmp_path, "a.jpg")
    read = os.pread

    def stirs(fd: int, count: int, offset: int) -> bytes:
        os.utime(fd)
        return read(fd, count, offset)

    monkeypatch.setattr(os, "pread", stirs)
    ours.publish(each, expected=False)
    assert requests.get(ours.address(each.src or ""), timeout=30).content == bytes(size)


@pytest.mark.parametrize("size", [100, CHUNK_BYTES, CHUNK_BYTES + 1])
def test_a_file_that_changed_is_not_uploaded(store: Store, tmp_path: Path, prefix: str, size: int) -> None:
    write(tmp_path / "a.jpg", bytes(size))
    ours = publisher(store.url, tmp_path, prefix)
    each = frame(ours, tmp_path, "a.jpg")
    write(tmp_path / "a.jpg", b"x" + bytes(size - 1))
    with pytest.raises(FileChanged):
        ours.publish(each, expected=False)
    os.unlink(tmp_path / "a.jpg")
    with pytest.raises(FileChanged):
        ours.publish(each, expected=False)
    os.symlink("/etc/passwd", tmp_path / "a.jpg")
    with pytest.raises(FileChanged):
        ours.publish(each, expected=False)
    assert keys(store.url, prefix) == []


def test_another_content_under_a_key_is_left_alone(store: Store, tmp_path: Path, prefix: str) -> None:
    write(tmp_path / "a.jpg", image(1))
    ours = publisher(store.url, tmp_path, prefix)
    each = frame(ours, tmp_path, "a.jpg")
    ours.publish(each, expected=False)
    write(tmp_path / "a.jpg", image(1) + b"more")
    longer = frame(ours, tmp_path, "a.jpg")._replace(src=each.src)
    for expected in (False, True):
        with pytest.raises(Refused, match="nothing is ever overwritten") as caught:
            ours.publish(longer, expected=expected)
        assert caught.value.code == "store-other"
    assert requests.get(ours.address(each.src or ""), timeout=10).content == image(1)


def test_the_three_kinds_of_urls(store: Store, tmp_path: Path, prefix: str) -> None:
    write(tmp_path / "a.jpg", image())
    signed = publisher(store.url, tmp_path, prefix, signed_seconds=1)
    each = frame(signed, tmp_path, "a.jpg")
    signed.publish(each, expected=False)
    src = each.src or ""
    assert src == f"s3://inbox/{prefix}{each.digest[:12]}/a.jpg"
    assert publisher(store.url, tmp_path, prefix, style="native").address(src) == src
    public = publisher(store.url, tmp_path, prefix, style="public").address(src)
    assert public == f"{store.url}/inbox/{prefix}{each.digest[:12]}/a.jpg"
    amazon = publisher("", tmp_path, prefix, style="public", region="eu-north-1")
    assert amazon.address(src).startswith("https://s3.eu-north-1.amazonaws.com/inbox/")
    assert requests.get(public, timeout=10).status_code == 403  # this bucket is private
    url = signed.address(src)
    assert "X-Amz-Expires=1&" in url
    eventually(lambda: requests.get(url, timeout=10).status_code == 403)
    # Not by `signed`: the date is cut to whole seconds, so that what lives for 1 s may be over as soon as it is made.
    lasting = publisher(store.url, tmp_path, prefix, signed_seconds=60).address(src)
    assert requests.get(lasting, timeout=10).content == image()


def test_wrong_credentials_and_a_missing_bucket_block(store: Store, tmp_path: Path) -> None:
    def refusal(**changed: str) -> StoreRefused:
        with pytest.raises(StoreRefused) as caught:
            publisher(store.url, tmp_path, credentials=find({**AWS, **changed})).check_access()
        return caught.value

    assert refusal(AWS_SECRET_ACCESS_KEY="wrong").code == "store-SignatureDoesNotMatch"
    assert "look at AWS_SECRET_ACCESS_KEY" in str(refusal(AWS_SECRET_ACCESS_KEY="wrong"))
    assert refusal(AWS_ACCESS_KEY_ID="wrong").code == "store-InvalidAccessKeyId"
    store.drop_bucket()
    try:
        assert "or the bucket is missing" in str(refusal())
    finally:
        store.make_bucket()
    publisher(store.url, tmp_path).check_access()


def test_a_store_that_is_away_is_passing(tmp_path: Path) -> None:
    with pytest.raises(TryLater, match="cannot be reached: Connection refused") as caught:
        publisher("http://127.0.0.1:9", tmp_path).check_access()
    assert caught.value.refused


# Credentials


def profile(folder: Path, secret: str, more: str = "") -> None:
    write(
        folder / ".aws" / "credentials",
        f"[cameras]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {secret}\n{more}".encode(),
    )


def test_a_profile_is_read_and_read_again_when_it_changes(store: Store, tmp_path: Path) -> None:
    profile(tmp_path, "wrong")
    write(tmp_path / ".aws" / "config", b"[profile cameras]\nregion = eu-central-1\n")
    found = find({"AWS_PROFILE": "cameras", "HOME": str(tmp_path)})
    assert (found.region, found.ends) == ("eu-central-1", False)
    ours = publisher(store.url, tmp_path, credentials=found, region="us-east-1")
    with pytest.raises(StoreRefused):
        ours.check_access()
    profile(tmp_path, SECRET_KEY)
    ours.check_access()
    write(tmp_path / ".aws" / "credentials", b"[other]\n")
    with pytest.raises(StoreRefused, match="The AWS profile 'cameras' has no aws_access_key_id"):
        ours.check_access()


@pytest.mark.parametrize(
    ("credentials", "aws", "problem"),
    [
        ("", {"AWS_PROFILE": "cameras"}, "has no aws_access_key_id and aws_secret_access_key in"),
        ("[default]\nrole_arn = arn:x\n", {}, "holds no keys, only role_arn, which is not supported"),
        ("[default]\naws_access_key_id = x\n", {}, "has no aws_access_key_id and aws_secret_access_key in"),
        ("nonsense s3cr3t", {}, "cannot be read (MissingSectionHeaderError)"),
        ("", {"AWS_ACCESS_KEY_ID": "x"}, "AWS_SECRET_ACCESS_KEY is not set"),
        ("", {"AWS_SECRET_ACCESS_KEY": "x"}, "AWS_ACCESS_KEY_ID is not set"),
    ],
)
def test_credentials_that_lead_nowhere_are_told_at_the_start(
    tmp_path: Path, credentials: str, aws: dict[str, str], problem: str
) -> None:
    write(tmp_path / ".aws" / "credentials", credentials.encode())
    with pytest.raises(SettingsError) as caught:
        find({"HOME": str(tmp_path), **aws})
    assert problem in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_keys_of_a_session_and_of_a_role_are_known_to_end(tmp_path: Path) -> None:
    assert find({**AWS, "AWS_SESSION_TOKEN": "t"}).ends
    assert not find(AWS).ends
    role = find({"HOME": str(tmp_path), "AWS_REGION": "eu-west-1"})
    assert (role.provide, role.region, role.ends) == (None, "eu-west-1", True)


# The whole agent


def test_a_folder_and_images_come_to_playment_by_signed_urls_that_no_one_keeps(
    store: Store, tmp_path: Path, prefix: str
) -> None:
    with Playment(fetch=True) as playment:
        given = settings(tmp_path, playment.url, **settings_for(store.url, prefix))
        with Agent(given) as agent:
            paths = frames(agent.inbox / "drive", 12, seed=3)
            write(agent.inbox / "street one.jpg", image(5))
            agent.becomes("drive", "submitted")
            agent.becomes("street one.jpg", "submitted")
        sent = {job.reference_id.rpartition("~")[0]: job for job in playment.jobs}
        assert sorted(sent) == ["drive", "street one.jpg"]
        assert [sent["drive"].fetched[src] for src in urls(sent["drive"].body)] == [
            hashlib.sha256(path.read_bytes()).hexdigest() for path in paths
        ]
        assert all("X-Amz-Signature=" in src for src in urls(sent["drive"].body))
    dump = "\n".join(str(row) for table in ("jobs", "frames", "events", "agent") for row in everything(given, table))
    assert f"s3://inbox/{prefix}drive/" in dump
    assert "X-Amz" not in dump
    assert SECRET_KEY not in dump
    assert SECRET_KEY not in repr(given)


def urls(body: object) -> list[str]:
    assert isinstance(body, dict)
    return [each["src"] for each in body["data"]["video_data"]["frames"]]


def everything(given: object, table: str) -> list[dict[str, object]]:
    assert hasattr(given, "ledger_path")
    return query(given.ledger_path, f"select * from {table}")


def test_a_refused_key_blocks_loudly_and_recovers_without_a_restart(
    store: Store, tmp_path: Path, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.sending.access.ACCESS", replace(ACCESS, first=0.2))
    profile(tmp_path, "wrong")
    with Playment() as playment:
        given = settings_for(store.url, prefix, AWS_PROFILE="cameras", HOME=str(tmp_path))
        given |= {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
        with Agent(settings(tmp_path, playment.url, **given)) as agent:
            write(agent.inbox / "a.jpg", image(1))
            eventually(lambda: "AWS_SECRET_ACCESS_KEY" in agent.value("blocked"))
            assert agent.value("blocked").startswith("nothing can be uploaded: ")
            assert agent.states("a.jpg") == ["pending"]
            assert playment.jobs == []
            profile(tmp_path, SECRET_KEY)
            agent.becomes("a.jpg", "submitted")
            assert agent.value("blocked") == ""


def test_check_uploads_one_image_and_fetches_it(store: Store, tmp_path: Path, prefix: str) -> None:
    def checked(image: str | None = "a.jpg", **changed: str) -> list[Check]:
        given = settings_for(store.url, prefix, **changed)
        return list(check_publishing(settings(tmp_path, "http://127.0.0.1:9", **given), image))

    (tmp_path / "inbox").mkdir()
    write(tmp_path / "inbox" / "a.jpg", image())
    (tried,) = checked()
    assert (tried.level, tried.exit_code) == (Level.OK, 0)
    assert f"/inbox/{prefix}" in tried.text or f"s3://inbox/{prefix}" in tried.text
    assert "can be fetched" in tried.text
    assert "X-Amz" not in tried.text
    (native,) = checked(PUBLISH_URLS="native")
    assert native.level is Level.OK
    assert "nobody but Playment can fetch such URLs" in native.text
    (public,) = checked(PUBLISH_URLS="public")
    assert public.level is Level.FAIL
    assert "answered 403" in public.text
    (wrong,) = checked(AWS_SECRET_ACCESS_KEY="wrong")
    assert (wrong.level, wrong.exit_code) == (Level.FAIL, 3)
    (half,) = checked(AWS_SECRET_ACCESS_KEY="")
    assert (half.level, half.exit_code) == (Level.FAIL, 2)
    trial, nothing = checked(None)
    assert (trial.level, "playment-agent-check can be fetched" in trial.text) == (Level.OK, True)
    assert nothing.level is Level.WARN
    refused, _ = checked(None, PUBLISH_URLS="public")
    assert (refused.level, "answered 403" in refused.text) == (Level.FAIL, True)
    session = checked(None, AWS_SESSION_TOKEN="t")
    assert [each.level for each in session] == [Level.FAIL]  # this server knows no sessions
    assert (
        "signed URLs end with the credentials"
        in publisher(store.url, tmp_path, credentials=find({**AWS, "AWS_SESSION_TOKEN": "t"})).caution
    )


def test_a_file_that_changes_while_its_folder_is_uploaded_is_settled_again(
    store: Store, tmp_path: Path, prefix: str
) -> None:
    with Playment(fetch=True) as playment, Relay(store.port) as relay:
        relay.delay = 0.3  # 8 s for the frames that are left when the last one changes
        given = settings_for(relay.url, prefix, PUBLISH_WORKERS="1", PUBLISH_PROBE="off")
        with Agent(settings(tmp_path, playment.url, **given)) as agent:
            paths = frames(agent.inbox / "drive", 30, seed=1)
            eventually(lambda: len(relay.paths("PUT")) > 3)
            content = image(77)
            paths[-1].write_bytes(content)
            relay.delay = 0.0
            agent.becomes("drive", "submitted")
        (job,) = playment.jobs
        assert job.fetched[urls(job.body)[-1]] == hashlib.sha256(content).hexdigest()


def test_a_long_sequence_does_not_hold_up_an_image(store: Store, tmp_path: Path, prefix: str) -> None:
    with Playment() as playment, Relay(store.port) as relay:
        relay.delay = 0.02
        given = settings_for(relay.url, prefix, PUBLISH_WORKERS="2", PUBLISH_PROBE="off")
        with Agent(settings(tmp_path, playment.url, **given)) as agent:
            frames(agent.inbox / "drive", 1000, seed=1)
            eventually(lambda: len(relay.paths("PUT")) > 20)
            write(agent.inbox / "a.jpg", image(1))
            agent.becomes("a.jpg", "submitted")
            assert agent.states("drive") == ["pending"]
            assert len(relay.paths("PUT")) < 900
            relay.delay = 0.0
            eventually(lambda: agent.states("drive") == ["submitted"], 60)
        assert len(playment.jobs) == 2
    assert len(keys(store.url, f"{prefix}drive/")) == 1000


def test_no_number_of_long_sequences_holds_up_an_image(store: Store, tmp_path: Path, prefix: str) -> None:
    with Playment() as playment, Relay(store.port) as relay:
        relay.delay = 0.2
        given = settings_for(relay.url, prefix, PUBLISH_WORKERS="2", SUBMIT_WORKERS="1", PUBLISH_PROBE="off")
        with Agent(settings(tmp_path, playment.url, **given)) as agent:
            for number in range(8):  # more than are ever claimed ahead
                frames(agent.inbox / f"drive {number}", 60, seed=number)
            eventually(lambda: len(relay.paths("PUT")) > 10)
            write(agent.inbox / "a.jpg", image(1))
            agent.becomes("a.jpg", "submitted")
            assert playment.paths() == ["a.jpg"]
            relay.delay = 0.0
            agent.rests()
        assert len(playment.paths()) == 9


def test_an_agent_that_is_killed_goes_on_where_it_stopped(store: Store, tmp_path: Path, prefix: str) -> None:
    with Playment() as playment, Relay(store.port) as relay:
        relay.delay = 0.05  # the second half takes 3 s, so that the kill comes before its end
        given = environ(tmp_path, playment.url, **settings_for(relay.url, prefix, PUBLISH_PROBE="off"))
        frames(tmp_path / "inbox" / "drive", 1000, seed=1)
        command = [sys.executable, "-m", "agent", "run", "--once"]
        with subprocess.Popen(command, env={**os.environ, **given}, cwd=tmp_path) as agent:
            try:
                eventually(lambda: len(relay.paths("PUT")) > 500, 60)
            finally:
                agent.kill()
        relay.delay = 0.0
        there = set(keys(store.url, prefix))
        assert 400 < len(there) < 1000
        relay.requests.clear()
        done = subprocess.run(command, env={**os.environ, **given}, cwd=tmp_path, timeout=120, check=False)
        assert done.returncode == 0
        again = {path.removeprefix("/inbox/") for path in relay.paths("PUT")} & there
        assert len(again) <= 8  # each worker's first frame, which the store refused as there already
        assert len(relay.paths("PUT")) <= 1000 - len(there) + 16
    assert len(playment.jobs) == 1
    assert len(keys(store.url, prefix)) == 1000


def test_without_the_extra_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    program = "import sys; sys.modules['obstore'] = None; from agent.__main__ import main; main()"
    given = environ(tmp_path, "http://127.0.0.1:9", **settings_for("http://127.0.0.1:9", "p"))
    done = run([sys.executable, "-c", program, "run", "--once"], environ=given, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "playment-agent: PUBLISH_TO is an object store, and what uploads to it is not installed: "
        "pip install 'obstore<0.13'.\n"
    )
