"""The real command `page`, at a free port, as a browser or a program asks it."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Served:
    """A page that is served: where, of which ledger, and by which process."""

    url: str
    ledger: Path
    process: subprocess.Popen[str]

    def get(self, path: str, **headers: str) -> requests.Response:
        return requests.get(
            self.url + path, headers={name.replace("_", "-"): value for name, value in headers.items()}, timeout=20
        )

    def post(self, path: str, form: Mapping[str, str], **headers: str) -> requests.Response:
        heads = {"Origin": self.url, **headers}
        return requests.post(self.url + path, form, headers=heads, timeout=20, allow_redirects=False)

    @property
    def token(self) -> str:
        return (self.ledger.parent / "page-token").read_text().strip()

    def orders(self, form: Mapping[str, str], cookie: str = "") -> requests.Response:
        return self.post("/order", form, Cookie=f"playment_agent_orders={cookie or self.token}")


@contextlib.contextmanager
def serving(place: Path, **environ: str) -> Iterator[Served]:
    """Run the real command at a free port, until the block ends."""
    given = {"PATH": os.environ["PATH"], "LEDGER_PATH": str(place / "ledger.db"), **environ}
    with subprocess.Popen(
        [sys.executable, "-m", "agent", "page", "--port", "0"],
        env=given,
        cwd=place,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://\S+[^/\s]", process.stdout.readline())
            assert found is not None
            yield Served(found[0], place / "ledger.db", process)
        finally:
            process.terminate()
