"""A person who annotates: Debian's Chromium, without a window, in the page of a real Label Studio."""

from __future__ import annotations

import io
import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.label_studio import SECRET, USER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from tests.label_studio import Server

PROGRAM = "/usr/bin/chromium"
MISSING = f"needs {PROGRAM}, Debian's package chromium"
SECONDS = 60.0
# A browser of a test asks for nothing but the test's own pages.
_QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
_PICTURE = ".lsf-image"
_PLACE = ".lsf-pagination__page-indicator"
_LAST = ".lsf-pagination__btn_arrow-right-double"
_NEXT = f".lsf-pagination__btn_arrow-right:not({_LAST})"

Colour = tuple[int, int, int]


class Annotator:
    """Somebody who is logged in, and looks at one task after the other."""

    def __init__(self, page: Page, server: Server) -> None:
        self._page = page
        self._server = server
        page.set_default_timeout(SECONDS * 1000)
        page.goto(f"{server.url}/user/login/")
        page.fill("input[name=email]", USER)
        page.fill("input[name=password]", SECRET)
        page.click("button[type=submit]")
        page.wait_for_url(lambda url: "/login" not in url)

    def opens(self, project: int, task: int) -> None:
        """Open a task."""
        self._page.goto(f"{self._server.url}/projects/{project}/data?task={task}")
        self._page.wait_for_selector("[name=submit], [name=update]")

    def sees(self, across: float = 0.5, down: float = 0.5) -> Colour | None:
        """Return the colour in the middle of the picture, or elsewhere, as it is seen; the page's where it is empty.

        None where there is no place for it yet.
        """
        box = self._page.locator(_PICTURE).bounding_box()
        if box is None:
            return None
        with Image.open(io.BytesIO(self._page.screenshot())) as shot:
            at = int(box["x"] + across * box["width"]), int(box["y"] + down * box["height"])
            found = shot.convert("RGB").getpixel(at)
        assert isinstance(found, tuple)
        return found[0], found[1], found[2]

    def reads(self) -> str:
        """Return the text of the page."""
        return self._page.inner_text("body")

    def place(self) -> str:
        """Return what the pager says."""
        return " ".join(self._page.inner_text(_PLACE).split())

    def turns_to(self, number: int) -> None:
        """Turn the pages of a sequence, forward and one by one."""
        for at in range(int(self.place().split()[0]) + 1, number + 1):
            self._page.click(_NEXT)
            self._page.locator(_PLACE).filter(has_text=re.compile(rf"^\s*{at}\b")).wait_for()

    def turns_to_the_last(self) -> None:
        """Turn to the last page of a sequence, at once."""
        self._page.click(_LAST)

    def draws(self, label: str, left: float, top: float, right: float, bottom: float) -> None:
        """Draw a box with the mouse; the sides are parts of the picture."""
        self._page.get_by_text(label, exact=True).click()
        box = self._page.locator(_PICTURE).bounding_box()
        assert box is not None
        mouse = self._page.mouse
        mouse.move(box["x"] + left * box["width"], box["y"] + top * box["height"])
        mouse.down()
        mouse.move(box["x"] + right * box["width"], box["y"] + bottom * box["height"], steps=5)
        mouse.up()
        self._page.wait_for_selector(".lsf-outliner-item")

    def submits(self) -> None:
        """Submit what was drawn."""
        with self._page.expect_response(lambda answer: "/annotations" in answer.url) as answered:
            self._page.click("[name=submit]")
        assert answered.value.status == 201


def is_there() -> bool:
    """Tell whether there is a browser."""
    return os.access(PROGRAM, os.X_OK)


@contextmanager
def annotating(server: Server) -> Iterator[Annotator]:
    """Give somebody who annotates at a server."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=_QUIET)
        try:
            yield Annotator(browser.new_page(viewport={"width": 1400, "height": 900}), server)
        finally:
            browser.close()
