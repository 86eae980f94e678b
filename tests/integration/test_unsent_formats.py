"""Whole pictures that annotators cannot see, beside the running agent: held, sent when a person says so, once."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from tests.support import Agent, Playment, command, environ, eventually, image, query, settings, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WITH_TIFF = "jpeg,png,webp,bmp,tiff"
GIF = "%it holds 2 pictures (an animated GIF)%"
WITH_MORE = "jpeg,png,webp,bmp,avif,gif"


@pytest.fixture
def playment() -> Iterator[Playment]:
    with Playment() as running:
        yield running


def ask(place: Path, playment: Playment, *arguments: str, **changed: str) -> str:
    return command(*arguments, environ=environ(place, playment.url, **changed), cwd=place).stdout


def drop_tiffs(inbox: Path) -> list[Path]:
    """Drop a TIFF, a folder of a TIFF and JPEGs, and one that is all right."""
    mixed = [
        write(inbox / "mixed" / f"f{number}.{extension}", image(number, form=form))
        for number, extension, form in ((1, "jpg", "JPEG"), (2, "tif", "TIFF"), (3, "jpg", "JPEG"))
    ]
    return [write(inbox / "a.tif", image(10, form="TIFF")), *mixed, write(inbox / "b.jpg", image(11))]


def test_they_are_held_until_a_person_says_so(tmp_path: Path, playment: Playment) -> None:
    with Agent(settings(tmp_path, playment.url)) as agent:
        drop_tiffs(agent.inbox)
        write(agent.inbox / "cut.tif", image(12, form="TIFF")[:300])
        write(agent.inbox / "a gif.jpg", image(13, form="GIF"))
        agent.becomes("b.jpg", "submitted")
        (held,) = agent.becomes("a.tif", "held")
        assert held["error_code"] == "format"
        assert held["reason"].startswith(
            "it is a TIFF: annotators' pages are browser pages, and browsers show no TIFF."
        )
        (mixed,) = agent.becomes("mixed", "held")
        assert mixed["error_code"] == "format"
        assert mixed["reason"].startswith("1 of 3 frames are TIFF (f2.tif): annotators' pages are browser pages")
        (gif,) = agent.becomes("a gif.jpg", "held")
        assert gif["reason"].startswith("it is a GIF: IMAGE_FORMATS allows JPEG, PNG, WebP and BMP. Export it as PNG")
        agent.becomes("cut.tif", "invalid")
        assert ask(tmp_path, playment, "retry", "a.tif") == "a.tif: held -> pending\n"
        agent.becomes("a.tif", "submitted")
        assert ask(tmp_path, playment, "retry", "mixed") == "mixed: held -> pending\n"
        agent.becomes("mixed", "submitted")
        assert playment.receipt("mixed").names == ("f1.jpg", "f2.tif", "f3.jpg")
        agent.rests()
    with Agent(settings(tmp_path, playment.url)) as agent:
        agent.rests()
        assert playment.paths() == ["a.tif", "b.jpg", "mixed"]


def test_a_file_in_the_place_of_a_held_one_goes_by_itself(tmp_path: Path, playment: Playment) -> None:
    with Agent(settings(tmp_path, playment.url)) as agent:
        drop_tiffs(agent.inbox)
        agent.becomes("mixed", "held")
        agent.becomes("a.tif", "held")
        (agent.inbox / "a.tif").unlink()
        write(agent.inbox / "a.png", image(10, form="PNG"))
        agent.becomes("a.tif", "gone")
        agent.becomes("a.png", "submitted")
        (agent.inbox / "mixed" / "f2.tif").unlink()
        write(agent.inbox / "mixed" / "f2.png", image(2, form="PNG"))
        agent.becomes("mixed", "submitted")
        assert playment.receipt("mixed").names == ("f1.jpg", "f2.png", "f3.jpg")


def test_the_setting_sends_what_comes_and_retry_what_was_held(tmp_path: Path, playment: Playment) -> None:
    with Agent(settings(tmp_path, playment.url)) as agent:
        drop_tiffs(agent.inbox)
        agent.becomes("mixed", "held")
        agent.becomes("a.tif", "held")
    with Agent(settings(tmp_path, playment.url, IMAGE_FORMATS=WITH_TIFF)) as agent:
        write(agent.inbox / "c.tif", image(14, form="TIFF"))
        agent.becomes("c.tif", "submitted")
        assert (agent.states("a.tif"), agent.states("mixed")) == (["held"], ["held"])  # as all that a person decides
        told = ask(tmp_path, playment, "retry", "--code", "format", IMAGE_FORMATS=WITH_TIFF)
        assert "a.tif: held -> pending\nmixed: held -> pending\n" in told
        agent.becomes("a.tif", "submitted")
        agent.becomes("mixed", "submitted")
        assert playment.paths() == ["a.tif", "b.jpg", "c.tif", "mixed"]


def test_what_an_older_version_sent_stays_sent(tmp_path: Path, playment: Playment) -> None:
    chosen = settings(tmp_path, playment.url)
    with Agent(settings(tmp_path, playment.url, IMAGE_FORMATS=WITH_TIFF)) as agent:  # which sent what it could prove
        files = drop_tiffs(agent.inbox)
        write(agent.inbox / "moves.tif", image(15, form="TIFF"))
        paths = ["a.tif", "b.jpg", "mixed", "moves.tif"]
        jobs = {path: agent.becomes(path, "submitted")[0]["job_id"] for path in paths}
    (chosen.watch_dir / "moves.tif").rename(chosen.watch_dir / "moved.tif")
    for file in files:
        os.utime(file)
    with Agent(chosen) as agent:
        agent.becomes("moved.tif", "submitted")
        write(agent.inbox / "last.jpg", image(16))
        agent.becomes("last.jpg", "submitted")
        agent.rests()
        for path, job in jobs.items():
            (row,) = agent.rows("moved.tif" if path == "moves.tif" else path)
            assert (row["state"], row["job_id"]) == ("submitted", job)
    chosen.ledger_path.unlink()
    with Agent(chosen) as agent:
        for path, job in jobs.items():
            (row,) = agent.becomes("moved.tif" if path == "moves.tif" else path, "submitted")
            assert row["job_id"] == job
        agent.rests()
    assert playment.paths() == sorted([*jobs, "last.jpg"])


def test_what_may_have_been_sent_is_looked_up_before_it_is_held(tmp_path: Path, playment: Playment) -> None:
    chosen = settings(tmp_path, playment.url)
    drop_tiffs(chosen.watch_dir)
    with Agent(chosen) as agent:  # a new ledger
        (held,) = agent.becomes("a.tif", "held")
        assert (held["error_code"], held["next_attempt_at"]) == ("format", None)
        agent.becomes("mixed", "held")
        agent.becomes("b.jpg", "submitted")
    assert playment.paths() == ["b.jpg"]


def several() -> bytes:
    file = io.BytesIO()
    first, second = (Image.new("RGB", (16, 12), colour) for colour in ("red", "blue"))
    first.save(file, "GIF", save_all=True, append_images=[second])
    return file.getvalue()


def test_avif_and_gif_are_taken_by_one_setting(tmp_path: Path, playment: Playment) -> None:
    drops = {"a.avif": image(1, form="AVIF"), "b.GIF": image(2, form="GIF"), "c.gif": several()}
    with Agent(settings(tmp_path, playment.url)) as agent:
        for name, content in drops.items():
            write(agent.inbox / name, content)
            write(agent.inbox / "s" / name, content)
        write(agent.inbox / "s" / "d.jpg", image(4))
        for name in drops:
            (row,) = agent.becomes(name, "invalid")
            assert "is not in IMAGE_FORMATS" in row["reason"]
        (row,) = agent.becomes("s", "held")
        assert row["error_code"] == "left-out"
        assert row["reason"].startswith("3 of 4 pictures are not taken: .avif, .gif; take .avif, .gif by IMAGE_FORMATS")
    with Agent(settings(tmp_path, playment.url, IMAGE_FORMATS=WITH_MORE)) as agent:
        for name in drops:
            agent.becomes(name, "submitted")
        agent.becomes("s", "submitted")
        assert playment.receipt("s").names == ("a.avif", "b.GIF", "c.gif", "d.jpg")
        write(agent.inbox / "cut.avif", drops["a.avif"][:-20])
        agent.becomes("cut.avif", "invalid")
        write(agent.inbox / "t" / "a.heic", b"\0\0\0\x18ftypheic" + bytes(40))
        write(agent.inbox / "t" / "b.gif", image(5, form="GIF"))
        (row,) = agent.becomes("t", "held")
        assert row["reason"].startswith("1 of 2 pictures are not taken: .heic; export them as images of another kind")
        (row,) = agent.rows("c.gif")
        told = query(agent.settings.ledger_path, "select 1 from events where job = ? and detail like ?", row["id"], GIF)
        assert told


def test_a_raw_file_beside_a_jpeg_holds_at_once_by_its_name(tmp_path: Path, playment: Playment) -> None:
    with Agent(settings(tmp_path, playment.url)) as agent:
        write(agent.inbox / "s" / "f1.jpg", image(1))
        write(agent.inbox / "s" / "f1.dng", image(1, form="TIFF"))
        (row,) = agent.becomes("s", "held")
        assert row["error_code"] == "left-out"
        write(agent.inbox / "b.dng", image(2, form="TIFF"))
        (row,) = agent.becomes("b.dng", "invalid")
        assert row["reason"].startswith("it is a DNG, a camera's raw file, which is not taken")


def test_long_sequences_are_held_to_the_same_rules(tmp_path: Path, playment: Playment) -> None:
    chosen = settings(tmp_path, playment.url, IMAGE_MAX_PIXELS="192")  # 16 x 12
    with Agent(chosen) as agent:
        for number in range(400):  # read by processes
            write(agent.inbox / "long" / f"f{number}.jpg", image(number))
            write(agent.inbox / "large" / f"f{number}.jpg", image(number, size=(16, 12 + number // 399)))
        write(agent.inbox / "long" / "f400.tif", image(400, form="TIFF"))
        (row,) = agent.becomes("long", "held")
        assert row["reason"].startswith("1 of 401 frames are TIFF (f400.tif): ")
        (row,) = agent.becomes("large", "invalid")
        assert row["reason"].startswith(
            "f399.jpg: too large: 16 x 13 pixels, and IMAGE_MAX_PIXELS allows 192: raise it"
        )


def test_plan_shows_what_will_be_held(tmp_path: Path, playment: Playment) -> None:
    chosen = settings(tmp_path, playment.url)
    drop_tiffs(chosen.watch_dir)
    eventually(lambda: "hold\tsequence\t3\tmixed\t1 of 3 frames are TIFF" in ask(tmp_path, playment, "plan"))
    assert "hold\timage\t1\ta.tif\tit is a TIFF" in ask(tmp_path, playment, "plan")
    assert "hold" not in ask(tmp_path, playment, "plan", IMAGE_FORMATS=WITH_TIFF)
