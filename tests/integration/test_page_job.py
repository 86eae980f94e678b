"""One job on the page, in a real browser: its frames, what is drawn over them, and what it must not do."""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image, ImageChops, ImageDraw

from tests.annotating import MISSING, is_there
from tests.exif import exif, orientation, segment
from tests.page_served import serving
from tests.pages import browsing
from tests.pngs import MAGIC, chunk
from tests.support import Agent, Playment, eventually, query, settings, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser
    from playwright.sync_api import Page as Tab

pytestmark = [pytest.mark.timeout(300), pytest.mark.skipif(not is_there(), reason=MISSING)]

BLUE = (0, 40, 255)
SEEN = (600, 400)
MARK = (0.25, 0.3, 0.5, 0.6)
CORNERS = [{"x": MARK[at], "y": MARK[down]} for at, down in ((0, 1), (2, 1), (2, 3), (0, 3))]
HOSTILE = "<img src=x onerror=\"window.hit='%s'\"><script>window.hit='%s'</script>'\"&{{7*7}}"
STORED = {
    1: None, 3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270,
}  # fmt: skip
"""How a picture is stored that is seen upright by an orientation: turned the other way."""


def scene(number: int = 0) -> Image.Image:
    """Return a picture as it is to be seen: a blue mark on grey."""
    picture = Image.new("RGB", SEEN, (150 + number, 160, 140))
    left, top, right, bottom = MARK
    sides = (left * SEEN[0], top * SEEN[1], right * SEEN[0] - 1, bottom * SEEN[1] - 1)
    ImageDraw.Draw(picture).rectangle(sides, fill=BLUE)
    return picture


def encoded(picture: Image.Image, form: str, **options: Any) -> bytes:
    content = io.BytesIO()
    picture.save(content, form, **options)
    return content.getvalue()


def turned(value: int, form: str = "JPEG", number: int = 0) -> bytes:
    """Return a file whose picture is seen upright by its EXIF; a WebP is seen as it is stored."""
    picture, tag = scene(number), exif("", turned=orientation(value))
    stored = STORED[value]
    if stored is not None and form != "WebP":
        picture = picture.transpose(stored)
    if form == "WebP":
        return encoded(picture, form, quality=95, exif=tag)
    content = encoded(picture, form, **({"quality": 95} if form == "JPEG" else {}))
    if form == "JPEG":
        return content[:2] + segment(tag) + content[2:]
    end = len(MAGIC) + 25  # behind IHDR
    return content[:end] + chunk(b"eXIf", tag) + content[end:]


class World(NamedTuple):
    """A ledger with jobs that were annotated, and where its page is."""

    ledger: Path
    folders: dict[str, str]
    url: str
    jobs: dict[str, int]


PICTURES = {
    "f1.jpg": turned(1), "f2.jpg": turned(3), "f3.jpg": turned(6), "f4.jpg": turned(8), "f5.png": turned(6, "PNG"),
    "f6.webp": turned(6, "WebP"), "f7.jpg": turned(1, number=7), "f8.jpg": turned(1, number=8),
}  # fmt: skip
HOSTILE_FOLDER = "x<img src=x onerror=window.hit=1>\"'&"


def annotated(names: list[str], label: str) -> dict[str, Any]:
    box = {"type": "rectangle", "label": label, "frames": {name: {"coordinates": CORNERS} for name in names}}
    points = {"p1": {"x": 0.6, "y": 0.2}, "p2": {"x": 0.8, "y": 0.25}, "p3": {"x": 0.7, "y": 0.5}}
    line = {"type": "line", "label": "lane", "frames": {names[0]: {"points": points}}}
    noted = {"points": shifted(points, 0.25), "attributes": {label: {"value": label}}}
    ring = {"type": "polygon", "label": "sign", "frames": {names[0]: noted}}
    return {"data": {"annotation_data": {"annotations": [box, line, ring]}, "video_data": {"frames": []}}}


def shifted(points: dict[str, dict[str, float]], down: float) -> dict[str, dict[str, float]]:
    return {name: {"x": point["x"], "y": point["y"] + down} for name, point in points.items()}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    place = tmp_path_factory.mktemp("world")
    results = place / "results"
    results.mkdir()
    with Playment() as sandbox:
        chosen = settings(
            place, sandbox.url, RESULTS_DIR=str(results), RESULTS_POLL_SECONDS="0.3", IMAGE_FORMATS="JPEG,PNG,WebP,TIFF"
        )
        with Agent(chosen) as agent:
            for name, content in PICTURES.items():
                write(agent.inbox / "drive" / name, content)
            for name in ("f1.jpg", "f2.jpg"):
                write(agent.inbox / HOSTILE_FOLDER / name, turned(1, number=20 + int(name[1])))
            write(agent.inbox / "cut.jpg", turned(1)[:8500])
            write(agent.inbox / "print.tiff", encoded(scene(), "TIFF"))
            agent.becomes("cut.jpg", "invalid")
            agent.becomes("print.tiff", "submitted")
            for folder, label in (("drive", "Car"), (HOSTILE_FOLDER, HOSTILE % (1, 2))):
                [row] = agent.becomes(folder, "submitted")
                names = [name for name in sorted(PICTURES) if folder == "drive" or name < "f3"]
                sandbox.complete(row["job_id"], annotated(names, label))
            eventually(lambda: len(query(chosen.ledger_path, "select 1 from jobs where result_path is not null")) == 2)
        jobs = {row["path"]: row["id"] for row in query(chosen.ledger_path, "select id, path from jobs")}
    folders = {"WATCH_DIR": str(chosen.watch_dir), "RESULTS_DIR": str(results)}
    with serving(place, **folders) as served:
        yield World(chosen.ledger_path, folders, served.url, jobs)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as found:
        yield found


@pytest.fixture
def tab(browser: Browser) -> Iterator[Tab]:
    """Give a tab of the browser, in which nothing went wrong unseen."""
    opened = browser.new_page(viewport={"width": 1400, "height": 1200})
    said: list[str] = []
    opened.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("dialog", lambda dialog: said.append(dialog.message))
    yield opened
    opened.close()
    assert said == []


def at(world: World, path: str, **query: object) -> str:
    asked = "&".join(f"{key}={value}" for key, value in query.items())
    return f"{world.url}/jobs/{world.jobs[path]}?{asked}"


def is_at(tab: Tab, number: int) -> None:
    """Wait until a frame is shown, and its picture has come."""
    tab.wait_for_selector(f"#frame[data-frame='{number}']")
    tab.wait_for_function("() => document.getElementById('picture').complete")


def shot(tab: Tab) -> Image.Image:
    with Image.open(io.BytesIO(tab.screenshot())) as found:
        return found.convert("RGB")


def blue_box(tab: Tab) -> tuple[float, ...]:
    """Return where in the tab something blue is seen where the picture is, but for what a codec has smeared."""
    place = tab.locator(".canvas").bounding_box()
    assert place is not None
    left, top = int(place["x"]), int(place["y"])
    picture = shot(tab).crop((left, top, int(left + place["width"]), int(top + place["height"])))
    bounds = (lambda value: 255 * (value < 70), lambda value: 255 * (value < 90), lambda value: 255 * (value > 180))
    red, green, blue = (band.point(bound) for band, bound in zip(picture.split(), bounds, strict=True))
    found = ImageChops.multiply(ImageChops.multiply(red, green), blue).getbbox()
    assert found is not None
    return found[0] + left, found[1] + top, found[2] + left, found[3] + top


def near(one: tuple[float, ...], other: tuple[float, ...], pixels: float = 2.0) -> bool:
    return all(abs(a - b) <= pixels for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(("number", "name"), [*enumerate(PICTURES, 1)][:6], ids=list(PICTURES)[:6])
def test_a_box_lies_on_what_is_seen_however_the_picture_is_turned(
    world: World, tab: Tab, number: int, name: str
) -> None:
    tab.goto(at(world, "drive", frame=number))
    is_at(tab, number)
    box = tab.locator(".over polygon.line").first.bounding_box()
    assert box is not None
    drawn = (box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"])
    tab.check("#bare")
    assert near(drawn, blue_box(tab))
    tab.uncheck("#bare")
    # What is painted, not only what the page says of it: the picture away, the box's corners are where its line is.
    tab.evaluate("() => document.getElementById('picture').remove()")
    line = tab.locator(".over polygon.line").first
    line.evaluate("(element) => element.closest('svg').replaceChildren(element)")
    line.evaluate("(element) => { element.setAttribute('fill', 'none'); element.setAttribute('stroke', '#0028ff'); }")
    assert near(blue_box(tab), (drawn[0] - 1, drawn[1] - 1, drawn[2] + 1, drawn[3] + 1))


def test_frames_are_stepped_through_by_keys(world: World, tab: Tab) -> None:
    tab.goto(at(world, "drive"))
    for key, number in [
        ("ArrowRight", 2),
        ("ArrowRight", 3),
        ("ArrowLeft", 2),
        ("End", 8),
        ("ArrowRight", 8),
        ("Home", 1),
    ]:
        tab.keyboard.press(key)
        is_at(tab, number)
        assert tab.locator("#strip a[aria-current]").get_attribute("data-frame") == str(number)
        assert tab.url.endswith(f"?frame={number}")
    tab.wait_for_function("() => document.getElementById('step').textContent.startsWith('Frame 1 of 8: f1.jpg, 3')")
    for _ in range(5):
        tab.keyboard.press("ArrowRight")
    is_at(tab, 6)
    tab.fill(".steps input[type=number]", "4")
    tab.keyboard.press("Home")  # in the field: there it is the field's
    tab.keyboard.press("Enter")
    is_at(tab, 4)
    tab.click("#strip a[data-frame='7']")
    is_at(tab, 7)
    tab.reload()
    is_at(tab, 7)
    tab.go_back()
    assert tab.url == "about:blank"


def test_the_strip_shows_every_frame_as_it_is_seen(world: World, tab: Tab) -> None:
    tab.goto(at(world, "drive"))
    images = tab.locator("#strip img")
    assert images.count() == len(PICTURES)
    for index in range(images.count()):
        images.nth(index).scroll_into_view_if_needed()
    tab.wait_for_function("() => [...document.querySelectorAll('#strip img')].every((each) => each.naturalWidth)")
    sizes = tab.evaluate(
        "() => [...document.querySelectorAll('#strip img')].map((e) => [e.naturalWidth, e.naturalHeight])"
    )
    assert [[round(side / max(size), 1) for side in size] for size in sizes] == [[1.0, 0.7]] * len(PICTURES)


def test_a_result_that_comes_is_drawn_without_leaving_the_frame(world: World, tab: Tab, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.db"
    shutil.copy(world.ledger, ledger)
    with closing(sqlite3.connect(ledger, isolation_level=None)) as sql:
        sql.execute("update jobs set state = 'submitted', result_path = null where path = 'drive'")
        with serving(tmp_path, **world.folders) as served:
            tab.goto(f"{served.url}/jobs/{world.jobs['drive']}?frame=3")
            is_at(tab, 3)
            assert tab.locator(".over polygon").count() == 0
            before = tab.evaluate("() => (window.stays = 1)")
            sql.execute("update jobs set state = 'completed', result_path = 'drive.json' where path = 'drive'")
            tab.wait_for_selector(".over polygon.line", timeout=2000)
            is_at(tab, 3)
            assert tab.inner_text(".state") == "completed"
            assert tab.evaluate("() => window.stays") == before
            tab.goto("about:blank")


def test_hostile_names_and_labels_run_nothing(world: World, tab: Tab) -> None:
    tab.goto(at(world, HOSTILE_FOLDER))
    tab.keyboard.press("End")
    is_at(tab, 2)
    tab.keyboard.press("Home")
    is_at(tab, 1)
    text = tab.inner_text("main")
    assert text.count(HOSTILE % (1, 2)) == 2  # over the picture, and below it
    assert HOSTILE_FOLDER in tab.inner_text("h1")
    assert tab.evaluate("() => window.hit") is None
    assert tab.locator("main script, main img[src=x]").count() == 0


def test_a_cut_picture_shows_where_it_is_cut(world: World, tab: Tab) -> None:
    tab.goto(at(world, "cut.jpg"))
    is_at(tab, 1)
    assert "cut short" in tab.inner_text(".facts .trouble")
    picture = tab.locator("#picture")
    assert "/large" in str(picture.get_attribute("src"))
    box = picture.bounding_box()
    assert box is not None
    seen = shot(tab).crop((int(box["x"]) + 40, int(box["y"]), int(box["x"]) + 60, int(box["y"] + box["height"])))
    red = [row for row in range(seen.height) if is_red(seen.getpixel((10, row)))]
    assert 0.3 * seen.height < red[0] < 0.6 * seen.height
    assert "playment-agent retry" in tab.inner_text(".facts")


def is_red(pixel: Any) -> bool:
    return bool(pixel[0] > 150 and pixel[1] < 110 and pixel[2] < 110)


def test_what_no_browser_shows_is_turned_into_what_it_shows(world: World, tab: Tab) -> None:
    tab.goto(at(world, "print.tiff"))
    is_at(tab, 1)
    assert tab.evaluate("() => document.getElementById('picture').naturalWidth") == SEEN[0]
    assert blue_box(tab)


def test_a_task_of_the_other_target_is_drawn_too(world: World, tab: Tab, tmp_path: Path) -> None:
    ledger, results = tmp_path / "ledger.db", tmp_path / "results"
    shutil.copy(world.ledger, ledger)
    left, top, right, bottom = (100 * side for side in MARK)
    value = {"x": left, "y": top, "width": right - left, "height": bottom - top, "rotation": 0}
    part = {"original_width": 600, "original_height": 400, "image_rotation": 0, "type": "rectanglelabels", "id": "a"}
    region = {**part, "item_index": 3, "frame_id": "f4.jpg", "value": {**value, "rectanglelabels": ["Van"]}}
    choice = {"id": "b", "type": "choices", "value": {"choices": ["rain"]}, "item_index": 3}
    task = {"id": 7, "data": {}, "annotations": [{"result": [region, choice], "was_cancelled": False}]}
    write(results / "drive.json", json.dumps(task).encode())
    with closing(sqlite3.connect(ledger, isolation_level=None)) as sql:
        sql.execute("update agent set value = 'label-studio' where key = 'target'")
    with serving(tmp_path, **{**world.folders, "RESULTS_DIR": str(results)}) as served:
        tab.goto(f"{served.url}/jobs/{world.jobs['drive']}?frame=4")
        is_at(tab, 4)
        box = tab.locator(".over polygon.line").bounding_box()
        assert box is not None
        tab.check("#bare")
        drawn = (box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"])
        assert near(drawn, blue_box(tab))
        assert "Van" in tab.inner_text(".legend")
        assert tab.inner_text(".said") == "rain"
        assert "Label Studio\u2019s job_id" in tab.inner_text(".facts")
        tab.goto("about:blank")


@pytest.mark.parametrize(("path", "scheme"), [("drive", "light"), ("cut.jpg", "dark"), (HOSTILE_FOLDER, "dark")])
def test_axe_finds_nothing(world: World, browser: Browser, path: str, scheme: Any) -> None:
    tab = browser.new_page(viewport={"width": 1400, "height": 1200}, color_scheme=scheme)
    tab.goto(at(world, path))
    is_at(tab, 1)
    found = Axe().run(tab)
    tab.close()
    assert [f"{each['id']}: {each['nodes'][0]['html']}" for each in found.response["violations"]] == []
