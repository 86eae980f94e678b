"""Random names, settings, answers, image heads and arguments: nothing ever shows a traceback.

Short here; `python -m tests.soak test_fuzz` goes on for ten minutes.
"""

from __future__ import annotations

import json
import os
import random
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.commands import cli
from agent.errors import FileChanged, RemoteError, SettingsError
from agent.model import Edition, Stamp, shown
from agent.reading import check
from agent.settings import load
from agent.settings.settings import Settings
from agent.settings.variables import VARIABLES
from agent.targets.playment.client import Playment
from tests.fakes import Scripted, http
from tests.soak import LONG
from tests.support import Agent, environ, eventually, image, query, write
from tests.support import Playment as Sandbox
from tests.support import settings as settings_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator
    from pathlib import Path


def examples(short: int, long: int) -> settings:
    """Return how much to try: `long` is about two minutes' worth here."""
    return settings(
        max_examples=long if LONG else short,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    )


file_names = (
    st.binary(min_size=1, max_size=60)
    .map(lambda raw: raw.translate(None, b"/\0"))
    .filter(lambda raw: raw not in (b"", b".", b".."))
)


STILL_WAITS = (
    "select 1 from jobs where state in ('settling', 'pending', 'submitting') "
    "and reason not like 'waits for % (a copy under way?)'"  # a picture under a hidden name keeps its folder
)


@examples(2, 60)
@given(names=st.lists(file_names, min_size=40, max_size=40, unique=True), seed=st.integers(0, 2**32))
def test_names(
    names: list[bytes], seed: int, tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path_factory.mktemp("names")
    chance = random.Random(seed)
    with Sandbox() as playment:
        chosen = settings_of(place, playment.url)
        inbox = os.fsencode(chosen.watch_dir)
        for number, name in enumerate(names):
            folder = chance.choice([b"", b"drive", names[0] + b" folder"])
            os.makedirs(os.path.join(inbox, folder), exist_ok=True)
            with open(os.path.join(inbox, folder, name + chance.choice([b".jpg", b".JPG", b".txt"])), "wb") as file:
                file.write(image(number) if chance.random() < 0.8 else chance.randbytes(chance.randrange(200)))
        caplog.clear()
        with Agent(chosen):
            eventually(lambda: not query(chosen.ledger_path, STILL_WAITS))
        rows = query(chosen.ledger_path, "select path, state, reason from jobs")
    assert {row["state"] for row in rows} <= {"settling", "submitted", "invalid", "held"}
    assert all(row["reason"] for row in rows if row["state"] != "submitted")
    assert len(playment.paths()) == len(set(playment.paths()))
    assert not [record.getMessage() for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")]


values = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["", "0", "-1", "1e999", "nan", "auto", "{path}", "{", "http://", "https://[", "s3://", "~", "\0"]),
    st.integers().map(str),
)
setting_names = st.sampled_from([variable.name for variable in VARIABLES])


@examples(100, 20000)
@given(changed=st.dictionaries(setting_names, values, max_size=6), written=st.text(max_size=80))
def test_settings(changed: dict[str, str], written: str, tmp_path: Path) -> None:
    base = environ(tmp_path, "http://127.0.0.1:9")
    (tmp_path / ".env").write_bytes(written.encode(errors="surrogatepass"))
    try:
        chosen = load.load({**base, **changed}, tmp_path, None)
    except SettingsError as error:
        problems = error.problems
    else:
        assert isinstance(chosen, Settings)
        return
    assert problems
    assert all(problem.strip() for problem in problems)


@pytest.fixture(scope="module")
def answering() -> Iterator[tuple[Scripted, list[bytes]]]:
    answer = [b""]

    def script(_server: Scripted, connection: socket.socket) -> None:
        connection.sendall(answer[0])
        connection.close()

    with Scripted(script) as server:
        yield server, answer


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
keys = st.sampled_from(
    ["data", "success", "error", "code", "message", "job_id", "reference_id", "jobs", "batches", "id", "name", "frames"]
)
documents = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=6), max_leaves=20
)


@examples(60, 6000)
@given(
    status=st.integers(100, 999),
    body=st.one_of(st.binary(max_size=300), documents.map(lambda value: repr(value).encode(errors="replace"))),
    document=documents,
    documented=st.booleans(),
    raw=st.none() | st.binary(max_size=200),
)
def test_answers(
    answering: tuple[Scripted, list[bytes]],
    status: int,
    body: bytes,
    document: object,
    documented: bool,
    raw: bytes | None,
) -> None:
    server, answer = answering
    if documented:
        body = json.dumps({"data": document, "success": True}).encode()
    answer[0] = http(status, body) if raw is None else raw
    playment = Playment(server.url, "p", "a-long-enough-key", Edition.V0, read_seconds=5, post_seconds=5)
    try:
        for call in (
            lambda: playment.create_job({"reference_id": "r", "tag": "t", "data": {}}),
            lambda: playment.create_batch("b", "d"),
            lambda: playment.job("j"),
            lambda: playment.batch_jobs("b"),
            playment.details,
            lambda: playment.attachment("https://x/y"),
        ):
            told = "fine"
            try:
                call()
            except RemoteError as error:
                told = str(error)
            assert 0 < len(told.encode()) < 4000
    finally:
        playment.close()


WHOLE = [image(1, size=(40, 30), form=form) for form in ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF")]


@examples(150, 40000)
@given(
    content=st.sampled_from(WHOLE),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=12),
    kept=st.integers(0, 4000),
    tail=st.binary(max_size=40),
    name=file_names,
)
def test_image_heads(
    content: bytes, changes: list[tuple[int, int]], kept: int, tail: bytes, name: bytes, tmp_path: Path
) -> None:
    spoilt = bytearray(content)
    for at, value in changes:
        spoilt[at % len(spoilt)] = value
    file = write(tmp_path / "a.bin", bytes(spoilt[:kept]) + tail)
    descriptor = os.open(file, os.O_RDONLY)
    try:
        found = check.examine(descriptor, os.fsdecode(name), Stamp.of(os.fstat(descriptor)))
    except FileChanged:
        return
    finally:
        os.close(descriptor)
    shown(found.problem or "").encode()
    assert found.problem is None or len(found.problem) > 10


words = st.text(st.characters(exclude_characters="\0"), max_size=40)


@examples(40, 3000)
@given(
    command=st.sampled_from(["plan", "status", "explain", "retry", "dismiss", "pause", "resume", "nonsense", "run"]),
    arguments=st.lists(words | st.sampled_from(["--json", "--once", "--code", "--help", "-x", "a.jpg"]), max_size=3),
)
def test_arguments(command: str, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # `run` finds no settings here: it must not begin to watch.
    surroundings = {name: None for name in os.environ if name.startswith(("PLAYMENT", "WATCH", "PUBLISH"))}
    if command != "run":
        surroundings |= environ(tmp_path, "http://127.0.0.1:9")  # type: ignore[arg-type]
    write(tmp_path / "inbox" / "a.jpg", image(1))
    monkeypatch.chdir(tmp_path)
    if not (tmp_path / "ledger.db").exists():
        CliRunner().invoke(cli, ["baseline"], env=environ(tmp_path, "http://127.0.0.1:9"), catch_exceptions=False)
    result = CliRunner().invoke(cli, [command, *arguments], env=surroundings)
    assert result.exception is None or isinstance(result.exception, SystemExit), (result.exception, arguments)
    assert result.exit_code in (0, 1, 2, 3)
