"""What a person sets and orders, beside the running agent: obeyed within two seconds, and told by `explain`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tests.support import Agent, Playment, command, environ, eventually, frames, image, query, settings, write

if TYPE_CHECKING:
    from pathlib import Path

CHOSEN = {
    "IMAGE_FOLDERS": "stills,cam*/single",
    "SEQUENCE_GAPS": "hold",
    "SETTLE_SECONDS": "0.5",
}
OBEYED = 10.0
"""Promised are two seconds; a busy machine gets more."""


def test_orders_beside_the_running_agent(tmp_path: Path) -> None:
    with Playment() as playment:
        env = environ(tmp_path, playment.url, **CHOSEN)
        inbox = tmp_path / "inbox"

        def order(*arguments: str, code: int = 0) -> str:
            done = command(*arguments, environ=env, cwd=tmp_path)
            assert done.returncode == code, done.stderr
            return done.stdout

        # What is there before the baseline is never sent.
        write(inbox / "archive.jpg", image(1))
        frames(inbox / "archive", 3, seed=2)
        assert order("baseline") == "2 units are ignored\n"

        with Agent(settings(tmp_path, playment.url, **CHOSEN)) as agent:
            # Single images in folders, and frames beside them.
            write(inbox / "stills" / "one.jpg", image(3))
            write(inbox / "stills" / "two.jpg", image(4))
            write(inbox / "cam1" / "single" / "three.jpg", image(5))
            frames(inbox / "cam1", 3, seed=6)
            # A gap in the numbering.
            for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12):
                frames(inbox / "gap", 1, seed=7, first=number)
            # What is no image, and what nobody wants.
            bad = write(inbox / "bad.jpg", image(8, size=(64, 48))[:-100])
            for path in ("stills/one.jpg", "stills/two.jpg", "cam1/single/three.jpg", "cam1"):
                agent.becomes(path, "submitted")
            (held,) = agent.becomes("gap", "held")
            assert held["error_code"] == "gaps"
            assert held["reason"] == "frame 11 is missing (1 to 12, step 1): 'retry' sends it as it is"
            (invalid,) = agent.becomes("bad.jpg", "invalid")
            assert "cut short" in invalid["reason"]
            write(inbox / ".secret.jpg", b"")
            write(inbox / "x.jpg.part", b"")
            told = {
                "gap": "is held: frame 11 is missing",
                "stills/one.jpg": "is submitted",
                "stills/two.jpg": "an image job",
                "cam1/frame_2.jpg": "part of cam1",
                "cam1/single": "a folder of single images",
                "archive": "is ignored: there before the baseline",
                "bad.jpg": "cut short",
                str(inbox / ".secret.jpg"): "is hidden",
                str(inbox / "x.jpg.part"): "a copy tool's temporary name",
            }
            with ThreadPoolExecutor(4) as pool:
                for sentence, explained in zip(
                    told.values(), pool.map(lambda path: order("explain", path), told), strict=True
                ):
                    assert sentence in " ".join(explained.split())

            # Paused: noticing goes on, sending does not.
            order("pause")
            eventually(lambda: agent._service._parts.gate.is_shut, OBEYED)
            write(inbox / "later.jpg", image(9))
            write(inbox / "unwanted.jpg", image(10))
            frames(inbox / "unwanted", 3, seed=11)
            for path in ("later.jpg", "unwanted.jpg", "unwanted"):
                agent.becomes(path, "pending")
            count = len(playment.receipts)
            assert order("retry", "gap", "bad.jpg") == "gap: held -> pending\nbad.jpg: invalid -> settling\n"
            eventually(lambda: agent.states("bad.jpg") == ["invalid"], OBEYED)
            assert (
                order("dismiss", "unwanted.jpg", str(inbox / "unwanted"))
                == "unwanted.jpg: ignored\nunwanted: ignored\n"
            )
            assert len(playment.receipts) == count
            assert "sending is PAUSED" in order("status", code=1)
            order("resume")
            eventually(lambda: agent.states("later.jpg") == ["submitted"], OBEYED)
            agent.becomes("gap", "submitted")

            # Dismissed while it is still settling, and dismissed for good: also when it moves.
            write(inbox / "growing" / "frame_1.jpg", image(12))
            copying = write(inbox / "growing" / "frame_2.jpg.part", image(13))
            agent.becomes("growing", "settling")
            order("dismiss", "growing", "bad.jpg")
            (inbox / "unwanted.jpg").rename(inbox / "stills" / "unwanted.jpg")
            agent.becomes("stills/unwanted.jpg", "ignored")
            copying.rename(inbox / "growing" / "frame_2.jpg")
            bad.touch()
            frames(inbox / "last", 3, seed=13)
            agent.becomes("last", "submitted")
            agent.rests()
            assert agent.states("growing") == ["ignored"]
            assert agent.states("bad.jpg") == ["ignored"]
            # Known from the baseline: moving it sends nothing.
            (inbox / "archive").rename(inbox / "archive moved")
            agent.becomes("archive moved", "ignored")
        assert playment.paths() == sorted(
            ["stills/one.jpg", "stills/two.jpg", "cam1/single/three.jpg", "cam1", "gap", "later.jpg", "last"]
        )
        assert len(playment.receipts) == len(playment.jobs)
        assert not query(tmp_path / "ledger.db", "select * from attention")


def test_a_gap_only_warns_by_default(tmp_path: Path) -> None:
    with Playment() as playment, Agent(settings(tmp_path, playment.url)) as agent:
        for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12):
            frames(agent.inbox / "gap", 1, seed=7, first=number)
        agent.becomes("gap", "submitted")
        (event,) = query(agent.settings.ledger_path, "select detail from events where event = 'pending'")
        assert event["detail"] == "frame 11 is missing (1 to 12, step 1)"
