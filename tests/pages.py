"""The page of a ledger, served as `playment-agent page` serves it."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from agent.page.page import Page
from agent.page.serve import listen, serve
from tests.annotating import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--force-color-profile=srgb",
)  # fmt: skip


@contextmanager
def serving(page: Page) -> Iterator[str]:
    """Give the address of a page, which a process of its own serves: it keeps threads as long as it is asked."""
    told = [str(page.ledger), str(page.watch_dir or ""), str(page.results_dir or "")]
    with subprocess.Popen([sys.executable, "-m", "tests.pages", *told], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


@contextmanager
def browsing() -> Iterator[Browser]:
    """Give Debian's Chromium, without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=QUIET)
        try:
            yield browser
        finally:
            browser.close()


def main(ledger: str, watch_dir: str, results_dir: str) -> None:
    """Serve a page at any free port, and say where."""
    place = listen("127.0.0.1", 0)
    page = Page(Path(ledger), Path(watch_dir) if watch_dir else None, Path(results_dir) if results_dir else None)

    def say() -> None:
        sys.stdout.write(f"http://127.0.0.1:{place.getsockname()[1]}\n")
        sys.stdout.flush()

    serve(page, place, say)


if __name__ == "__main__":
    main(*sys.argv[1:])
