"""`resubmit`: what changed after submission is sent as a new job when a person says so, and never before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import Agent, Playment, command, environ, eventually, frames, image, settings, write

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("template", ["{path}~{digest}", "{path}"])
def test_what_changed_is_told_and_sent_once_more_on_demand(tmp_path: Path, template: str) -> None:
    with Playment() as playment:
        env = environ(tmp_path, playment.url, REFERENCE_ID=template)

        def order(*arguments: str, code: int = 0) -> str:
            done = command(*arguments, environ=env, cwd=tmp_path)
            assert done.returncode == code, done.stderr + done.stdout
            return done.stdout

        with Agent(settings(tmp_path, playment.url, REFERENCE_ID=template)) as agent:
            frames(agent.inbox / "cam", 3, seed=1)
            write(agent.inbox / "a.jpg", image(1))
            agent.becomes("cam", "submitted")
            agent.becomes("a.jpg", "submitted")
            assert order("resubmit", "inbox/cam") == "inbox/cam: nothing changed after submission\n"
            frames(agent.inbox / "cam", 2, seed=1, first=4)
            write(agent.inbox / "a.jpg", image(2))
            first, held = agent.becomes("cam", "submitted", "held")
            assert held["reason"] == "2 frames added after submission: frame_4.jpg, frame_5.jpg"
            told = order("explain", "inbox/cam")
            assert f"is held: {held['reason']}" in told
            assert "'resubmit' sends it as a new job" in told
            assert "'resubmit' sends it" in order("retry", "inbox/cam")
            agent.becomes("a.jpg", "submitted", "held")
            agent.rests()
            assert len(playment.jobs) == 2

            assert "to be sent as a new job (2 frames added" in order("resubmit", "inbox/cam")
            again, second = agent.becomes("cam", "submitted", "submitted")
            assert again == first
            assert second["reference_id"] not in (first["reference_id"], None)
            assert second["job_id"] != first["job_id"]
            sent = {job.reference_id: job.frames for job in playment.jobs}
            assert sent[second["reference_id"]] == 5
            # Nothing else was sent with it, and nothing is held for it any more.
            assert agent.states("a.jpg") == ["submitted", "held"]
            assert len(playment.jobs) == 3
            assert order("resubmit", "inbox/cam") == "inbox/cam: nothing changed after submission\n"

            # Changed once more: held once more, told against what was sent last.
            (agent.inbox / "cam" / "frame_5.jpg").unlink()
            agent.becomes("cam", "submitted", "submitted", "held")
            assert agent.rows("cam")[2]["reason"] == "1 frame removed after submission: frame_5.jpg"
        assert len(playment.jobs) == len(playment.receipts) == 3


def test_what_cannot_be_sent_is_not_resubmitted(tmp_path: Path) -> None:
    with Playment() as playment:
        env = environ(tmp_path, playment.url)
        with Agent(settings(tmp_path, playment.url)) as agent:
            write(agent.inbox / "a.jpg", image(1))
            agent.becomes("a.jpg", "submitted")
            write(agent.inbox / "a.jpg", image(2)[:-40])
            agent.becomes("a.jpg", "submitted", "held")
            done = command("resubmit", "inbox/a.jpg", environ=env, cwd=tmp_path)
            assert done.returncode == 1
            assert (
                "it cannot be sent as it is: the file's content changed after submission; now cut short" in done.stdout
            )
            assert agent.states("a.jpg") == ["submitted", "held"]
            # Whole again: it may be.
            write(agent.inbox / "a.jpg", image(3))
            eventually(lambda: "now cut" not in agent.rows("a.jpg")[1]["reason"] and agent.states("a.jpg")[1] == "held")
            assert command("resubmit", "inbox/a.jpg", environ=env, cwd=tmp_path).returncode == 0
            agent.becomes("a.jpg", "submitted", "submitted")
            assert command("resubmit", "inbox/none.jpg", environ=env, cwd=tmp_path).returncode == 1
        assert len(playment.jobs) == 2
