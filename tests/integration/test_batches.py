from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from agent.errors import AccessRefused, TryLater
from agent.model import Edition
from agent.sandbox import Sandbox
from agent.sending.batches import Batches
from agent.targets.playment.client import Playment
from tests.fakes import Scripted, failure, sends, success
from tests.sending import target_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator


class Kept:
    """A store in memory that counts what is put."""

    def __init__(self) -> None:
        self.ids: dict[str, str] = {}
        self.puts = 0

    def get(self, name: str) -> str | None:
        return self.ids.get(name)

    def put(self, name: str, batch_id: str) -> None:
        self.puts += 1
        self.ids[name] = batch_id


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(rng=random.Random(5), api_key="k", latency=0.02) as running:
        yield running


@pytest.fixture
def playment(sandbox: Sandbox) -> Iterator[Playment]:
    client = Playment(sandbox.url, "p", "k", Edition.V0)
    yield client
    client.close()


def test_many_workers_make_it_once(sandbox: Sandbox, playment: Playment) -> None:
    store = Kept()
    batches = Batches(target_of(playment), store)
    with ThreadPoolExecutor(16) as pool:
        ids = set(pool.map(batches.resolve, ["2024-05-01"] * 32))
    assert ids == {store.ids["2024-05-01"]}
    assert [batch.name for batch in playment.details().batches] == ["Default", "2024-05-01"]
    assert (sandbox.requests["create_batch"], store.puts) == (1, 1)


def test_one_that_exists_is_found(sandbox: Sandbox, playment: Playment) -> None:
    there = playment.create_batch("2024-05-01", "by another host")
    assert Batches(target_of(playment), Kept()).resolve("2024-05-01") == there


def test_one_that_is_kept_needs_no_call(sandbox: Sandbox, playment: Playment) -> None:
    store = Kept()
    store.put("n", "id")
    assert Batches(target_of(playment), store).resolve("n") == "id"
    assert not sandbox.requests


def test_one_that_is_not_listed_yet_is_asked_for_again() -> None:
    def script(server: Scripted, connection: socket.socket) -> None:
        if server.heads[-1].startswith("POST"):
            connection.sendall(failure(400, "BATCH_CREATION", "exists"))
        else:
            connection.sendall(success({"name": "p", "batches": []}))

    store = Kept()
    with Scripted(script) as server:
        playment = Playment(server.url, "p", "k", Edition.V0)
        with pytest.raises(TryLater, match="does not list it yet") as caught:
            Batches(target_of(playment), store).resolve("2024-05-01")
        playment.close()
    assert (caught.value.code, caught.value.refused, store.puts) == ("BATCH_CREATION", True, 0)


def test_a_failure_is_told_and_does_not_block_the_next() -> None:
    store = Kept()
    with Scripted(sends(failure(400, "unauthorized_request", ""))) as server:
        playment = Playment(server.url, "p", "k", Edition.V0)
        batches = Batches(target_of(playment), store)
        for _ in range(2):
            with pytest.raises(AccessRefused):
                batches.resolve("n")
        playment.close()
    assert store.puts == 0
