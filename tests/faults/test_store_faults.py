"""An object store that is killed, or full, or forgets: what is uploaded is uploaded once, and nothing is sent half."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from agent.demo.store import Store
from agent.errors import TryLater
from tests.integration.s3 import frame, keys, publisher, settings_for
from tests.relay import Relay
from tests.support import Agent, Playment, eventually, frames, image, settings, write

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(300)


def test_a_store_that_is_killed_half_way_through_a_thousand_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.states.LONGEST_BACKOFF", 1.0)
    with (
        Store(tmp_path / "weed", ["-filer.maxMB=1"]) as store,
        Playment(fetch=True) as playment,
        Relay(store.port) as relay,
    ):
        given = settings_for(relay.url, "p", PUBLISH_PROBE="sample")
        with Agent(settings(tmp_path, playment.url, **given)) as agent:
            paths = frames(agent.inbox / "drive", 1000, seed=1)
            eventually(lambda: len(relay.paths("PUT")) > 500, 60)
            store.kill()
            eventually(lambda: agent.rows("drive")[0]["error_code"] == "store", 60)
            assert playment.jobs == []
            write(agent.inbox / "a.jpg", image(5))
            relay.requests.clear()
            store.start()
            there = set(keys(store.url, "p"))
            eventually(lambda: agent.states("drive") == ["submitted"], 120)
            agent.becomes("a.jpg", "submitted")
        again = {path.removeprefix("/inbox/") for path in relay.paths("PUT")}
        assert len(there) > 400
        assert len(keys(store.url, "p")) == 1001
        assert len(again) >= 1001 - len(there) - 1
        job = next(job for job in playment.jobs if job.frames == 1000)
        body = job.body["data"]
        assert isinstance(body, dict)
        assert [job.fetched[each["src"]] for each in body["video_data"]["frames"]] == [
            hashlib.sha256(path.read_bytes()).hexdigest() for path in paths
        ]


def test_a_full_store_is_passing_and_says_so(tmp_path: Path) -> None:
    """One volume of 1 MB: the second file finds no room, and nothing of it is left behind."""
    with Store(tmp_path / "weed", ["-volume.max=1", "-master.volumeSizeLimitMB=1", "-filer.maxMB=1"]) as store:
        root = tmp_path / "inbox"
        ours = publisher(store.url, root)
        with pytest.raises(TryLater) as caught:
            for number in range(20):
                write(root / f"{number}.jpg", image(number) + bytes(700_000))
                ours.publish(frame(ours, root, f"{number}.jpg"), expected=False)
        assert "see whether it is full" in str(caught.value)
        assert caught.value.refused
