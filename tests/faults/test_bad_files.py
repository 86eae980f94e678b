"""Files that are no whole image, and things that are no file: each ends as a state with a sentence."""

from __future__ import annotations

import io
import os
import random
import shutil
import socket
import struct
import sys
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image as Pillow

from agent.model.text import printable
from tests.support import Agent, Playment, environ, image, rows, run, settings, write

if TYPE_CHECKING:
    from pathlib import Path

FORMS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "tif": "TIFF", "bmp": "BMP"}
SHARES = (1, 50, 99)
SIDE = 410  # raw pixels: zeros in the last two rows, or from the end of a row on, cannot be known; 1 % is 4.1 rows


def saved(form: str, mode: str = "RGB", **options: Any) -> bytes:
    """Return a picture with noise everywhere, so that no zero belongs at its end."""
    noise = bytes(value | 1 for value in random.Random(form).randbytes(SIDE * SIDE * 3))
    file = io.BytesIO()
    Pillow.frombytes("RGB", (SIDE, SIDE), noise).convert(mode).save(file, form, **options)
    return file.getvalue()


def deep_png() -> bytes:
    file = io.BytesIO()
    Pillow.frombytes("I;16", (SIDE, SIDE), random.Random(1).randbytes(SIDE * SIDE * 2)).save(file, "PNG")
    return file.getvalue()


def bomb() -> bytes:
    """Return a small PNG whose header claims 3.6 thousand million pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1 << 20), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 72 72\n0 0 moveto 72 72 lineto stroke\nshowpage\n%%EOF\n"


def good() -> dict[str, bytes]:
    """Return files that must be sent: also those that only look odd."""
    found = {f"whole.{extension}": saved(form) for extension, form in FORMS.items()}
    found |= {
        f"trailing_{extension}.{extension}": saved(form) + b"MakerNote\0" * 40 for extension, form in FORMS.items()
    }
    found["progressive.jpg"] = saved("JPEG", progressive=True)
    found["cmyk.jpg"] = saved("JPEG", "CMYK")
    found["grey.jpg"] = saved("JPEG", "L")
    found["deep.png"] = deep_png()
    found["a_png_called.jpg"] = saved("PNG")
    return found


def bad() -> dict[str, tuple[bytes, str]]:
    """Return files that must not be sent, with a part of the reason."""
    found = {"empty.jpg": (b"", "empty"), "text.jpg": (b"hello, I am a text\n" * 40, "not an image")}
    for extension, form in FORMS.items():
        whole = saved(form)
        for share in SHARES:
            kept = max(1, len(whole) * share // 100)
            found[f"cut_{share}.{extension}"] = (whole[:kept], "")
            found[f"zeroed_{share}.{extension}"] = (whole[:kept] + bytes(len(whole) - kept), "")
    found["eps.jpg"] = (EPS, "PostScript")
    found["dos_eps.jpg"] = (b"\xc5\xd0\xd3\xc6" + bytes(28) + EPS, "PostScript")
    found["bomb.png"] = (bomb(), "too large")
    found["zeros.jpg"] = (bytes(5000), "zeros")
    return found


def test_each_file_ends_as_a_state_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    mark = tmp_path / "ghostscript-ran"
    fake = write(tmp_path / "bin" / "gs", f"#!/bin/sh\ntouch {mark}\n".encode())
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    assert shutil.which("gs") == str(fake)
    with Playment() as playment:
        chosen = settings(tmp_path, playment.url, IMAGE_FORMATS="jpeg,png,webp,bmp,tiff")
        inbox = tmp_path / "inbox"
        for name, content in good().items():
            write(inbox / name, content)
        for name, (content, _) in bad().items():
            write(inbox / name, content)
        write(inbox / "gif.jpg", saved("GIF"))
        write(inbox / "drive" / "frame_1.jpg", image(1))
        write(inbox / "drive" / "frame_2.jpg", image(2)[:400])
        with Agent(chosen) as agent:
            agent.rests()
            assert playment.paths() == sorted(good())
            for name, (_, words) in bad().items():
                (row,) = agent.rows(name)
                assert row["state"] == "invalid", name
                assert len(row["reason"]) > 15, name
                assert words in row["reason"], name
            (row,) = agent.rows("drive")
            assert (row["state"], row["reason"].partition(":")[0]) == ("invalid", "frame_2.jpg")
            (row,) = agent.rows("gif.jpg")
            assert (row["state"], row["error_code"], row["reason"][:12]) == ("held", "format", "it is a GIF:")

            # Copied again, whole this time: nobody has to say so.
            write(inbox / "cut_50.jpg", saved("JPEG"))
            write(inbox / "drive" / "frame_2.jpg", image(2))
            agent.becomes("cut_50.jpg", "submitted")
            agent.becomes("drive", "submitted")
    assert not mark.exists()
    assert "defect" not in caplog.text
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_what_is_no_file_is_neither_opened_nor_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Playment() as playment, socket.socket(socket.AF_UNIX) as listener:
        chosen = settings(tmp_path, playment.url)
        inbox = tmp_path / "inbox"
        os.mkfifo(inbox / "fifo.jpg")
        listener.bind(str(inbox / "socket.jpg"))
        expected = {"fifo.jpg": "a FIFO", "socket.jpg": "a socket"}
        if os.geteuid() == 0:
            os.mknod(inbox / "zero.jpg", 0o20666, os.makedev(1, 5))
            expected["zero.jpg"] = "a device"
        (inbox / "folder.jpg").mkdir()
        (inbox / "drive").mkdir()
        os.mkfifo(inbox / "drive" / "frame_2.jpg")
        write(inbox / "drive" / "frame_1.jpg", image(1))
        write(inbox / "frames.jpg" / "frame_1.jpg", image(2))
        write(inbox / "good.jpg", image(3))
        with Agent(chosen) as agent:
            agent.becomes("good.jpg", "submitted")
            agent.becomes("frames.jpg", "submitted")
            agent.rests()
            for name, kind in expected.items():
                (row,) = agent.rows(name)
                assert (row["state"], kind in row["reason"]) == ("invalid", True), row["reason"]
            (row,) = agent.rows("drive")
            assert (row["state"], "frame_2.jpg: it is a FIFO" in row["reason"]) == ("invalid", True)
            assert agent.rows("folder.jpg") == []

            # Dropped while it runs, and a file where the FIFO was.
            os.mkfifo(inbox / "later.jpg")
            agent.becomes("later.jpg", "invalid")
            os.unlink(inbox / "fifo.jpg")
            write(inbox / "fifo.jpg", image(4))
            agent.becomes("fifo.jpg", "submitted")
        assert playment.paths() == ["fifo.jpg", "frames.jpg", "good.jpg"]
    assert "defect" not in caplog.text
    if os.geteuid() != 0:
        pytest.skip("a device cannot be made without root: FIFO, socket and folder were tried")


def test_a_file_that_only_its_owner_may_read(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to give a file to another user")
    with Playment() as playment:
        surroundings = environ(tmp_path, playment.url)
        inbox = tmp_path / "inbox"
        for path in (write(inbox / "theirs.jpg", image(1)), write(inbox / "drive" / "frame_2.jpg", image(2))):
            os.chown(path, 12345, 12345)
            path.chmod(0o600)
        write(inbox / "drive" / "frame_1.jpg", image(3))
        write(inbox / "ours.jpg", image(4))
        write(inbox / "shut" / "frame_1.jpg", image(5))
        os.chown(inbox / "shut", 12345, 12345)
        (inbox / "shut").chmod(0o700)
        # Root without these two capabilities is held to the modes of files as any service's user is.
        once = [
            *("setpriv", "--bounding-set", "-dac_override,-dac_read_search"),
            *(sys.executable, "-m", "agent", "run", "--once"),
        ]
        log = ""
        for turn in (1, 2):
            done = run(once, environ=surroundings, cwd=tmp_path)
            log += done.stderr
            assert done.returncode == 1, done.stderr
            if turn == 1:
                for unit, word in (("theirs.jpg", "it may not be read"), ("drive", "frame_2.jpg: it may not be read")):
                    (row,) = rows(tmp_path / "ledger.db", unit)
                    assert (row["state"], row["error_code"]) == ("settling", "unreadable")
                    assert word in row["reason"]
                assert playment.paths() == ["ours.jpg"]
                (inbox / "theirs.jpg").chmod(0o604)
                (inbox / "drive" / "frame_2.jpg").chmod(0o604)
        assert playment.paths() == ["drive", "ours.jpg", "theirs.jpg"]
    assert "shut" in log
    assert "Traceback" not in log
    assert printable(log.replace("\n", "")) == log.replace("\n", "")
