"""The page in Debian's Chromium: fresh by itself, filtered, ordered, and without anything that a name could run."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from agent.host.clock import utc_now
from agent.ledger.store import Ledger, iso
from tests.annotating import MISSING, is_there
from tests.page_rows import fill, put
from tests.page_served import serving
from tests.pages import browsing
from tests.support import query

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Dialog, Page

pytestmark = [pytest.mark.timeout(300), pytest.mark.skipif(not is_there(), reason=MISSING)]

VIEWS = ("/", "/waiting", "/folders", "/jobs", "/jobs/1", "/order?do=retry&job=6")
MARKUP = "<script>hit()</script><img src=x onerror=hit()><svg onload=hit()>\"'`{{7*7}}${7*7}"
FRESH = 2000
"""Milliseconds within which what has changed is to be seen."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as opened:
        yield opened


def changed(path: Path, **rows: str) -> None:
    with contextlib.closing(Ledger(path, utc_now)) as ledger, ledger.transaction():
        for name, state in rows.items():
            put(ledger, f"cam/{name}.jpg", state)


def listening(page: Page) -> list[str]:
    """Return what will be told of what a page runs that it should not, or cannot: empty where all is well."""
    told: list[str] = []

    def answers(dialog: Dialog) -> None:
        told.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", answers)
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("console", lambda line: told.append(line.text) if "Content Security" in line.text else None)
    page.expose_function("hit", lambda: told.append("hit"))
    page.add_init_script("document.addEventListener('securitypolicyviolation', () => window.hit())")
    return told


def test_it_is_fresh_by_itself_and_leaves_the_reader_alone(tmp_path: Path, browser: Browser) -> None:
    ledger = tmp_path / "ledger.db"
    fill(ledger)
    changed(ledger, **{f"held{number}": "held" for number in range(30)})
    with serving(tmp_path) as served, contextlib.closing(browser.new_page()) as page:
        told = listening(page)
        page.goto(f"{served.url}/waiting")
        page.fill("input[name=folder]", "cam/somewhere el")
        page.locator("#job-20").scroll_into_view_if_needed()
        page.evaluate("window.kept = document.getElementById('job-20'); getSelection().selectAllChildren(kept)")
        before = page.evaluate("[kept.getBoundingClientRect().top, getSelection().toString()]")
        changed(ledger, fresh="pending")  # is not in this list
        with contextlib.closing(Ledger(ledger, utc_now)) as opened:
            opened.set(20, reason="another reason")
        began = time.monotonic()
        page.get_by_text("another reason").wait_for(timeout=FRESH)
        assert time.monotonic() - began < FRESH / 1000
        assert page.input_value("input[name=folder]") == "cam/somewhere el"
        assert page.evaluate("document.activeElement.name") == "folder"
        assert page.evaluate("kept.isConnected")
        after = page.evaluate("[kept.getBoundingClientRect().top, getSelection().toString()]")
        assert after[0] == before[0]
        assert after[1].split()[:2] == before[1].split()[:2]
        page.goto(f"{served.url}/")
        tile = page.locator(".tiles li", has_text="annotated").locator("b")
        assert tile.inner_text() == "1"
        changed(ledger, another="completed")
        page.locator(".tiles b", has_text="2").first.wait_for(timeout=FRESH)
        assert tile.inner_text() == "2"
        with contextlib.closing(Ledger(ledger, utc_now)) as opened:
            opened.put(blocked="Playment refuses the key: it must be mended")
        page.get_by_text("Playment refuses the key").wait_for(timeout=FRESH)
        assert told == []


def test_a_person_filters_and_follows_by_keyboard_alone(tmp_path: Path, browser: Browser) -> None:
    fill(tmp_path / "ledger.db")
    with serving(tmp_path) as served, contextlib.closing(browser.new_page()) as page:
        page.goto(f"{served.url}/waiting")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.keyboard.type("drive")
        page.keyboard.press("Enter")
        page.wait_for_url("**/waiting?folder=drive&day=")
        assert page.locator(".rows li").count() == 1
        assert "playment-agent resubmit drive" in page.locator(".command code").inner_text()
        page.get_by_role("link", name="invalid 1").click()
        page.get_by_text("Nothing waits for a person here.").wait_for()
        page.get_by_role("link", name="All", exact=True).click()
        page.get_by_role("link", name="invalid 1").click()
        assert page.locator(".rows .path").all_inner_texts() == ["cam/invalid.jpg"]


def test_the_command_is_copied(tmp_path: Path, browser: Browser) -> None:
    fill(tmp_path / "ledger.db")
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    with serving(tmp_path) as served, contextlib.closing(context):
        page = context.new_page()
        page.goto(f"{served.url}/waiting?state=invalid")
        page.get_by_role("button", name="Copy the command for cam/invalid.jpg").click()
        page.get_by_role("button").filter(has_text="copied").wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == "playment-agent retry cam/invalid.jpg"


def test_an_order_is_given_by_who_has_the_token(tmp_path: Path, browser: Browser) -> None:
    fill(tmp_path / "ledger.db")
    with serving(tmp_path, PAGE_ORDERS="true") as served, contextlib.closing(browser.new_page()) as page:
        told = listening(page)
        page.goto(f"{served.url}/waiting")
        page.get_by_role("link", name="retry cam/held.jpg").click()
        page.get_by_text("will be sent and paid for").wait_for()
        page.fill("input[name=token]", served.token)
        page.get_by_role("button", name="Enter").click()
        page.get_by_role("button", name="Retry").click()
        page.get_by_text("cam/held.jpg: held -> pending").wait_for()
        assert query(served.ledger, "select state from jobs where path = 'cam/held.jpg'")[0]["state"] == "pending"
        assert page.evaluate("document.cookie") == ""
        page.goto(f"{served.url}/")
        page.get_by_role("link", name="Stop sending").click()
        page.get_by_role("button", name="Pause").click()
        page.get_by_text("sending is paused; noticing goes on").wait_for()
        assert query(served.ledger, "select value from agent where key = 'paused'")[0]["value"] == "1"
        assert told == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_is_in_the_way_of_a_screen_reader_and_nothing_is_too_wide(
    tmp_path: Path, browser: Browser, scheme: Any
) -> None:
    long = "a_very_long_name_without_any_place_to_break_it_" * 4
    fill(tmp_path / "ledger.db", outage="Playment is away: no connection", outage_since="2026-11-28T10:00:00.000Z")
    with contextlib.closing(Ledger(tmp_path / "ledger.db", utc_now)) as ledger:
        put(ledger, f"{long}/{long}.jpg", "held", reason=long)
    context = browser.new_context(color_scheme=scheme, reduced_motion="reduce")
    with serving(tmp_path, PAGE_ORDERS="true", PRICE_PER_IMAGE="1") as served, contextlib.closing(context):
        page = context.new_page()
        for view in VIEWS:
            for width in (400, 1600):
                page.set_viewport_size({"width": width, "height": 900})
                page.goto(f"{served.url}{view}")
                assert page.evaluate("document.documentElement.scrollWidth") <= width, view
            found = Axe().run(page).response["violations"]
            assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == [], view


def test_markup_in_every_field_runs_nothing(tmp_path: Path, browser: Browser) -> None:
    ids = fill(tmp_path / "ledger.db", outage=MARKUP, outage_since=MARKUP, blocked=MARKUP, sending=MARKUP)
    columns = ("reason", "job_id", "digest", "tag", "batch_id", "result_path", "edition", "error_code")
    with contextlib.closing(Ledger(tmp_path / "ledger.db", utc_now)) as ledger:
        for state, job in ids.items():
            ledger.set(job, **dict.fromkeys(columns, MARKUP), path=f"{MARKUP}/{state}", reference_id=f"{MARKUP}{job}")
            ledger.record(job, MARKUP, MARKUP)
    with serving(tmp_path, PAGE_ORDERS="true") as served, contextlib.closing(browser.new_page()) as page:
        told = listening(page)
        for view in (*VIEWS, "/jobs?q=<script>hit()</script>&folder=<img src=x onerror=hit()>"):
            if view.startswith("/order"):
                page.goto(f"{served.url}{view}")
            else:
                with page.expect_response(lambda answer: "hx-request" in answer.request.headers):
                    page.goto(f"{served.url}{view}")
            assert page.locator("script:not([src])").count() == 0
            assert page.locator("img[src=x], [onerror], [onload]").count() == 0
        assert told == []


def test_a_search_for_what_is_rare_looks_on_by_itself(tmp_path: Path, browser: Browser) -> None:
    fill(tmp_path / "ledger.db")
    with contextlib.closing(Ledger(tmp_path / "ledger.db", utc_now)) as ledger, ledger.transaction():
        ledger.sql.execute(
            "insert into jobs (path, kind, state, first_seen_at, updated_at) with recursive n (i) as "
            "(select 1 union all select i + 1 from n where i < 25000) "
            "select 'many/' || i, 'image', 'gone', ?1, ?1 from n",
            (iso(ledger.now),),
        )
    with serving(tmp_path) as served, contextlib.closing(browser.new_page()) as page:
        page.goto(f"{served.url}/jobs?q=CAM/HELD")
        page.get_by_role("link", name="cam/held.jpg").wait_for()
        page.goto(f"{served.url}/jobs?q=nowhere")
        page.get_by_text("No job fits.").wait_for()


def test_it_says_when_nobody_answers_any_more(tmp_path: Path, browser: Browser) -> None:
    fill(tmp_path / "ledger.db")
    with contextlib.closing(browser.new_page()) as page:
        with serving(tmp_path) as served:
            page.goto(f"{served.url}/")
            assert not page.locator("#away").is_visible()
        page.get_by_text("No answer since").wait_for(timeout=10_000)
