"""Who looks at the page: Debian's Chromium, without a window."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from tests.annotating import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--force-color-profile=srgb",
)  # fmt: skip


@contextmanager
def browsing() -> Iterator[Browser]:
    """Give Debian's Chromium, without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=QUIET)
        try:
            yield browser
        finally:
            browser.close()
