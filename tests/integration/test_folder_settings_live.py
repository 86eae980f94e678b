"""`.playment.toml` files in the watch folder, beside the running agent."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import pytest

from agent.core.folder_rules import NOTHING, SettingsFile
from agent.core.names import Filters
from agent.errors import FolderUnavailable
from agent.folder.scanner import Scanner
from agent.folder.settings_files import FolderSettingsFiles
from agent.model import Edition, Kind, Stamp
from agent.settings.folder_toml import parse
from tests.support import Agent, Playment, command, environ, eventually, frames, image, query, settings, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ON = {"FOLDER_SETTINGS": "true"}


@pytest.fixture
def playment() -> Iterator[Playment]:
    with Playment() as sandbox:
        yield sandbox


def say(folder: Path, text: str) -> None:
    write(folder / ".playment.toml", text.encode())


def sent(playment: Playment, path: str) -> dict[str, object]:
    (job,) = [job for job in playment.jobs if job.reference_id.startswith(f"{path}~")]
    return job.body


def test_what_a_file_says_holds_in_its_folder_and_below(tmp_path: Path, playment: Playment) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    say(inbox / "cars", 'tag = "cars"\nbatch = "night drives"\n')
    say(inbox / "cars/stills", 'kind = "images"\n')
    say(inbox / "cars/stills/people", 'tag = "people"\nbatch = ""\n')
    say(inbox / "trash", "ignore = true\n")
    say(inbox / "trash/kept", "ignore = false\n")
    with Agent(settings(tmp_path, playment.url, **ON)) as agent:
        write(inbox / "plain.jpg", image(1))
        frames(inbox / "cars/drive", 2, seed=2)
        write(inbox / "cars/stills/one.jpg", image(3))
        write(inbox / "cars/stills/people/two.jpg", image(4))
        frames(inbox / "trash", 2, seed=5)
        frames(inbox / "trash/below", 2, seed=6)
        frames(inbox / "trash/kept", 2, seed=7)
        for path in ("plain.jpg", "cars/drive", "cars/stills/one.jpg", "cars/stills/people/two.jpg", "trash/kept"):
            agent.becomes(path, "submitted")
        agent.rests()
        assert not agent.rows("trash")
        assert not agent.rows("trash/below")
        told = command(
            "explain", "inbox/cars/stills/people/two.jpg", environ=environ(tmp_path, playment.url, **ON), cwd=tmp_path
        )
        assert 'tag = "people", says cars/stills/people/.playment.toml' in told.stdout
        assert 'kind = "images", says cars/stills/.playment.toml' in told.stdout
        left = command("explain", "inbox/trash/below", environ=environ(tmp_path, playment.url, **ON), cwd=tmp_path)
        assert "ignored: trash/.playment.toml says so" in left.stdout
    (batch,) = [batch for batch in playment._state.batches("p1") if not batch.is_default]
    assert batch.name == "night drives"
    assert (sent(playment, "cars/drive")["tag"], sent(playment, "cars/drive")["batch_id"]) == ("cars", batch.batch_id)
    assert sent(playment, "cars/stills/one.jpg")["tag"] == "cars"
    assert sent(playment, "cars/stills/people/two.jpg")["tag"] == "people"
    assert "batch_id" not in sent(playment, "cars/stills/people/two.jpg")
    assert sent(playment, "plain.jpg")["tag"] == "boxes"
    assert len(playment.jobs) == 5


def test_a_bad_file_holds_what_is_below_it_until_it_is_mended(tmp_path: Path, playment: Playment) -> None:
    env = environ(tmp_path, playment.url, **ON)
    with Agent(settings(tmp_path, playment.url, **ON)) as agent:
        inbox = agent.inbox
        frames(inbox / "cam/early", 2, seed=1)
        before = agent.becomes("cam/early", "submitted")
        say(inbox / "cam", 'tag = "cars"\nexpected = 3\n')
        frames(inbox / "cam/drive", 2, seed=2)
        write(inbox / "cam/x/1.jpg", image(3))
        frames(inbox / "other", 2, seed=4)
        agent.becomes("other", "submitted")
        for path in ("cam/drive", "cam/x"):
            (held,) = agent.becomes(path, "held")
            assert held["error_code"] == "settings"
            assert held["reason"].startswith("cam/.playment.toml, line 2: expected: there is no such key; there are ")
        assert agent.rows("cam/early") == before
        refused = command("retry", "inbox/cam/drive", environ=env, cwd=tmp_path)
        assert "it goes on by itself once this is mended: cam/.playment.toml, line 2" in refused.stdout
        planned = json.loads(command("plan", "--json", environ=env, cwd=tmp_path).stdout)
        assert {(step["path"], step["action"]) for step in planned} == {("cam/drive", "hold"), ("cam/x", "hold")}
        assert len(playment.jobs) == 2
        # Mended in place: no folder's own times change.
        say(inbox / "cam", 'tag = "cars"\nexpected_frames = 2\n')
        agent.becomes("cam/drive", "submitted")
        (waits,) = agent.becomes("cam/x", "settling")
        eventually(lambda: agent.rows("cam/x")[0]["reason"] == "waits for 2 frames, has 1")
        assert waits["error_code"] == ""
        assert agent.rows("cam/early") == before
        assert sent(playment, "cam/drive")["tag"] == "cars"
        # More than expected, and mended by taking one away.
        copying = write(inbox / "cam/x/3.jpg.part", image(6))  # holds the folder back while it has two
        write(inbox / "cam/x/2.jpg", image(5))
        copying.rename(inbox / "cam/x/3.jpg")
        (held,) = agent.becomes("cam/x", "held")
        assert held["reason"].startswith("it has 3 frames, and cam/.playment.toml expects 2")
        (inbox / "cam/x/3.jpg").unlink()
        agent.becomes("cam/x", "submitted")
        # Taken away: what comes then is sent as everywhere.
        (inbox / "cam/.playment.toml").unlink()
        frames(inbox / "cam/last", 4, seed=7)
        agent.becomes("cam/last", "submitted")
        assert sent(playment, "cam/last")["tag"] == "boxes"
        assert len(playment.jobs) == len(playment.receipts) == 5


def test_what_waits_to_be_sent_obeys_what_is_said_by_then(tmp_path: Path, playment: Playment) -> None:
    env = environ(tmp_path, playment.url, **ON)
    with Agent(settings(tmp_path, playment.url, **ON)) as agent:
        inbox = agent.inbox
        assert command("pause", environ=env, cwd=tmp_path).returncode == 0
        eventually(lambda: agent._service._parts.gate.is_shut)
        for seed, name in enumerate(("bad", "ignored", "tagged", "kind")):
            frames(inbox / name, 2, seed=seed)
        for name in ("bad", "ignored", "tagged", "kind"):
            agent.becomes(name, "pending")
        say(inbox / "bad", "ignore = 1\n")
        say(inbox / "ignored", "ignore = true\n")
        say(inbox / "tagged", 'tag = "cars"\n')
        say(inbox / "kind", 'kind = "images"\n')
        assert command("resume", environ=env, cwd=tmp_path).returncode == 0
        agent.becomes("bad", "held")
        agent.becomes("tagged", "submitted")
        (gone,) = agent.becomes("ignored", "gone")
        assert gone["reason"] == "ignored: ignored/.playment.toml says so"
        agent.becomes("kind", "gone")
        agent.becomes("kind/frame_1.jpg", "submitted")
        agent.becomes("kind/frame_2.jpg", "submitted")
        say(inbox / "bad", "ignore = false\n")
        say(inbox / "ignored", "")
        agent.becomes("bad", "submitted")
        agent.becomes("ignored", "submitted")
    assert sent(playment, "tagged")["tag"] == "cars"
    assert len(playment.jobs) == len(playment.receipts) == 5


def test_a_count_is_proof_and_a_marker_of_its_own(tmp_path: Path, playment: Playment) -> None:
    chosen = {**ON, "SEQUENCE_SETTLE_SECONDS": "3600"}
    with Agent(settings(tmp_path, playment.url, **chosen)) as agent:
        inbox = agent.inbox
        say(inbox / "counted", "expected_frames = 3\n")
        frames(inbox / "counted", 2, seed=1)
        eventually(lambda: [row["reason"] for row in agent.rows("counted")] == ["waits for 3 frames, has 2"])
        frames(inbox / "counted", 1, seed=1, first=3)
        agent.becomes("counted", "submitted")
        say(inbox / "marked", 'ready_marker = "DONE.jpg"\n')
        frames(inbox / "marked", 2, seed=2)
        eventually(lambda: [row["reason"] for row in agent.rows("marked")] == ["waits for the ready marker DONE.jpg"])
        write(inbox / "marked/DONE.jpg", b"")
        agent.becomes("marked", "submitted")
        frames(inbox / "quiet", 2, seed=3)
        agent.becomes("quiet", "settling")


def test_found_after_a_restart_and_without_events(tmp_path: Path, playment: Playment) -> None:
    inbox = tmp_path / "inbox"
    say(inbox / "cam", "tag = \n")
    frames(inbox / "cam", 2, seed=1)
    with Agent(settings(tmp_path, playment.url, **ON)) as agent:
        agent.becomes("cam", "held")
    say(inbox / "cam", 'tag = "cars"\n')
    polled = {**ON, "WATCH_MODE": "poll", "WATCH_POLL_SECONDS": "0.5"}
    with Agent(settings(tmp_path, playment.url, **polled)) as agent:
        agent.becomes("cam", "submitted")
        say(inbox / "cam", "x\n")
        frames(inbox / "cam/below", 2, seed=2)
        (held,) = agent.becomes("cam/below", "held")
        assert "cam/.playment.toml, line 1" in held["reason"]
        say(inbox / "cam", "")
        agent.becomes("cam/below", "submitted")
        assert agent.states("cam") == ["submitted"]
    assert len(playment.jobs) == 2


def test_switched_off_the_files_say_nothing(tmp_path: Path, playment: Playment) -> None:
    with Agent(settings(tmp_path, playment.url)) as agent:
        say(agent.inbox / "cam", "ignore = true\n")
        frames(agent.inbox / "cam", 2, seed=1)
        agent.becomes("cam", "submitted")
        assert not query(agent.settings.ledger_path, "select 1 from jobs where path like '%toml%'")


def test_check_reads_every_file(tmp_path: Path, playment: Playment) -> None:
    env = environ(tmp_path, playment.url, **ON)
    say(tmp_path / "inbox/good", 'tag = "x"\n')
    say(tmp_path / "inbox/bad", "tag = 1\n")
    done = command("check", environ=env, cwd=tmp_path)
    assert done.returncode == 1
    assert "bad/.playment.toml, line 1: tag: it must be a text in quotes, not 1: what lies below is held" in done.stdout
    assert done.stdout.count("FAIL") == 1
    off = command("check", environ=environ(tmp_path, playment.url), cwd=tmp_path)
    assert (off.returncode, off.stdout.count(".playment.toml files lie in it (2)")) == (0, 1)


def test_only_a_plain_small_file_is_read(tmp_path: Path) -> None:
    folders = FolderSettingsFiles(Scanner(tmp_path, Filters.of(("jpg",))), partial(parse, edition=Edition.V0))
    assert folders.of("a/b") == folders.of("") == NOTHING
    say(tmp_path, 'kind = "images"')
    assert folders.of("a/b").kind is Kind.IMAGE
    target = write(tmp_path / "target", b'tag = "x"')
    (tmp_path / "a").mkdir()
    (tmp_path / "a/.playment.toml").symlink_to(target)
    assert "a/.playment.toml: it is a symbolic link" in (folders.of("a/b").problem or "")
    assert folders.of("").problem is None
    (tmp_path / "a/.playment.toml").unlink()
    say(tmp_path / "a", "#" * 70_000)
    assert "larger than 65,536 bytes" in (folders.of("a").problem or "")
    say(tmp_path / "a", 'tag = "y"')
    assert (folders.of("a/b").tag, folders.of("a/b").kind) == ("y", Kind.IMAGE)
    (tmp_path / ".playment.toml").unlink()
    assert folders.of("a").kind is None
    gone = FolderSettingsFiles(Scanner(tmp_path / "none", Filters.of(("jpg",))), partial(parse, edition=Edition.V0))
    with pytest.raises(FolderUnavailable):
        gone.of("a")


class Stirred(Scanner):
    """Shows the times that it is told to."""

    time = 0

    def stamp(self, path: str) -> Stamp | None:
        stamp = super().stamp(path)
        return stamp and stamp._replace(mtime_ns=self.time, ctime_ns=self.time)


def test_a_file_whose_times_move_for_a_while_after_reading_is_not_read_over_and_over(tmp_path: Path) -> None:
    """As on some mounts, where the upload of what is read all the time would never come."""
    read = []

    def counted(name: str, content: bytes) -> SettingsFile:
        read.append(content)
        return parse(name, content, Edition.V0)

    scanner = Stirred(tmp_path, Filters.of(("jpg",)))
    folders = FolderSettingsFiles(scanner, counted)
    say(tmp_path, 'tag = "x"')
    for scanner.time in (1, 2, 1, 1, 3, 1, 1, 3):
        assert folders.of("").tag == "x"
    assert len(read) == 3
    for scanner.time, tag in ((4, "y"), (1, "x")):  # it counts no more what it said before it said something else
        say(tmp_path, f'tag = "{tag}"')
        assert folders.of("").tag == tag
    assert len(read) == 5
