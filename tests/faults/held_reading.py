"""The real agent, which sees its folder as one of many hosts, and never gets to the end of a file that it reads.

`python held_reading.py LEASE_SECONDS run`: it is there to be killed.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING

from agent.__main__ import main
from agent.fleet import client
from agent.host import mounts
from agent.reading.reader import Reader

if TYPE_CHECKING:
    from agent.model import Image, Stamp, Unit

NAS = "nfs nas:/export /inbox"


def read_for_ever(_reader: Reader, _path: str, _stamp: Stamp, _examined: Image | None = None) -> Unit:
    threading.Event().wait()
    raise AssertionError("nobody sets it")


if __name__ == "__main__":
    client.LEASE_SECONDS = float(sys.argv.pop(1))
    setattr(mounts, "shared_place", lambda _path: NAS)  # noqa: B010 (a type checker refuses another function)
    setattr(Reader, "image", read_for_ever)  # noqa: B010 (the same)
    main()
