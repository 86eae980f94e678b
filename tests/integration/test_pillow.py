"""Pillow comes with the first doubtful picture; while it cannot be imported, nothing is said against any."""

from __future__ import annotations

import errno
import sys
from typing import TYPE_CHECKING

import pytest

from tests.examined import look
from tests.support import image

if TYPE_CHECKING:
    from pathlib import Path


def doubtful() -> bytes:
    """Return a whole JPEG with garbage between two of its segments."""
    content = image(1)
    second = 4 + int.from_bytes(content[4:6])
    return content[:second] + b"\0\0\0" + content[second:]


@pytest.mark.parametrize("module", ["PIL", "PIL.JpegImagePlugin"])
def test_a_doubtful_picture_is_no_worse_while_pillow_is_replaced(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd, plain = doubtful(), image(2)
    assert look(tmp_path, odd).problem is None
    for name in [name for name in sys.modules if name.partition(".")[0] == "PIL"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(OSError, match="Pillow, which is to decode it, cannot be imported") as told:
        look(tmp_path, odd)
    assert told.value.errno == errno.EAGAIN
    assert look(tmp_path, plain).problem is None
