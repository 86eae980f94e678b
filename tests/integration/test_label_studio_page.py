"""What is dropped is seen in Label Studio's own page, by a real browser, and what is drawn there comes back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from agent.core.annotations import parsed
from agent.service.names import drawing_of
from agent.settings import load
from tests.integration.nginx import serving
from tests.serving import Served
from tests.support import Agent, command, environ, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.settings.settings import Settings
    from tests.annotating import Annotator, Colour
    from tests.label_studio import Server

pytestmark = pytest.mark.timeout(900)  # whoever comes first installs the server

IMAGE, EDGE = (30, 60, 220), (250, 250, 20)
EDGES = [(0.005, 0.1), (0.99, 0.1), (0.1, 0.01), (0.1, 0.98)]


def colour(number: int) -> Colour:
    """Return the colour of a frame, which no other has."""
    return number * 10, 255 - number * 10, 90


def draw(path: Path, shade: Colour) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGB", (640, 360), EDGE)
    picture.paste(shade, (10, 10, 630, 350))
    picture.save(path)


@pytest.fixture(scope="module")
def annotator(label_studio: Server) -> Iterator[Annotator]:
    """Give a browser for the tests of this module."""
    from tests.annotating import MISSING, annotating, is_there  # noqa: PLC0415 (it needs playwright)

    if not is_there():
        pytest.skip(MISSING)
    with annotating(label_studio) as somebody:
        yield somebody


@pytest.fixture
def projects(tmp_path: Path, label_studio: Server) -> dict[str, str]:
    """Make projects as a person does, and return what is printed, as settings."""
    given = {"LABEL_STUDIO_URL": label_studio.url, "LABEL_STUDIO_TOKEN": label_studio.personal_token}
    made = command("label-studio", "init", "--title", tmp_path.name, environ=given, cwd=tmp_path)  # else the same ones
    assert made.returncode == 0, made.stderr
    return given | dict(line.split("=") for line in made.stdout.split())


def settings(place: Path, projects: dict[str, str], url: str) -> Settings:
    (place / "results").mkdir()
    given = environ(
        place,
        "",
        **projects,
        PUBLISH_TO=url,
        PUBLISH_PROBE="sample",
        RESULTS_DIR=str(place / "results"),
        RESULTS_POLL_SECONDS="0.5",
    )
    return load.load({name: text for name, text in given.items() if not name.startswith("PLAYMENT")}, place, None)


def the_task(server: Server, project: str) -> int:
    [task] = server.tasks(int(project))
    return int(task["id"])


def the_region(place: Path, path: str) -> dict[str, Any]:
    [annotation] = json.loads((place / "results" / f"{path}.json").read_text())["annotations"]
    [region] = annotation["result"]
    found: dict[str, Any] = region
    return found


def test_what_is_dropped_is_seen_and_a_box_on_page_ten_comes_back_as_frame_tens(
    tmp_path: Path, label_studio: Server, projects: dict[str, str], annotator: Annotator
) -> None:
    images, sequences = projects["LABEL_STUDIO_IMAGE_PROJECT"], projects["LABEL_STUDIO_SEQUENCE_PROJECT"]
    (tmp_path / "inbox").mkdir()
    with serving(tmp_path / "inbox", tmp_path / "nginx") as url, Agent(settings(tmp_path, projects, url)) as agent:
        draw(agent.inbox / "a.png", IMAGE)
        for number in range(1, 25):
            draw(agent.inbox / f"drive/frame_{number}.png", colour(number))
        agent.becomes("a.png", "submitted", seconds=60.0)
        agent.becomes("drive", "submitted", seconds=60.0)

        annotator.opens(int(images), the_task(label_studio, images))
        eventually(lambda: annotator.sees() == IMAGE, 60.0)
        eventually(lambda: [annotator.sees(*at) for at in EDGES] == [EDGE] * 4, 60.0)
        annotator.draws("Object", 0.5, 0.2, 0.75, 0.6)
        annotator.submits()

        annotator.opens(int(sequences), the_task(label_studio, sequences))
        eventually(lambda: annotator.sees() == colour(1), 60.0)
        assert annotator.place() == "1 of 24"
        annotator.turns_to(10)
        eventually(lambda: annotator.sees() == colour(10), 60.0)
        eventually(lambda: [annotator.sees(*at) for at in EDGES] == [EDGE] * 4, 60.0)
        annotator.draws("Object", 0.25, 0.25, 0.5, 0.75)
        annotator.turns_to_the_last()
        eventually(lambda: annotator.sees() == colour(24), 60.0)
        assert annotator.place() == "24 of 24"
        annotator.submits()

        agent.becomes("a.png", "completed", seconds=60.0)
        agent.becomes("drive", "completed", seconds=60.0)
        eventually(lambda: all(agent.rows(path)[0]["result_path"] for path in ("a.png", "drive")), 60.0)
    drawn = the_region(tmp_path, "drive")
    assert (drawn["item_index"], drawn["frame_id"]) == (9, "frame_10.png")
    assert [drawn["value"][side] for side in ("x", "y", "width", "height")] == pytest.approx([25, 25, 25, 50], abs=1)
    assert (drawn["original_width"], drawn["original_height"]) == (640, 360)
    assert_drawn_again((tmp_path / "results" / "drive.json").read_bytes())
    drawn = the_region(tmp_path, "a.png")
    assert drawn["frame_id"] == "a.png"
    assert [drawn["value"][side] for side in ("x", "y", "width", "height")] == pytest.approx([50, 20, 25, 40], abs=1)


def assert_drawn_again(content: bytes) -> None:
    """See that our own page draws the box of page ten where it was drawn there."""
    drawing = drawing_of("label-studio")(parsed(content), [f"frame_{number}.png" for number in range(1, 25)])
    assert {position: [(shape.kind, shape.label) for shape in each] for position, each in drawing.shapes.items()} == {
        9: [("box", "Object")]
    }
    corners = [side for point in drawing.shapes[9][0].outlines[0].points for side in point]
    assert corners == pytest.approx([0.25, 0.25, 0.5, 0.25, 0.5, 0.75, 0.25, 0.75], abs=0.01)
    assert not drawing.undrawn


def test_what_the_page_could_not_show_is_not_sent_until_it_can(
    tmp_path: Path, label_studio: Server, projects: dict[str, str], annotator: Annotator
) -> None:
    project = int(projects["LABEL_STUDIO_IMAGE_PROJECT"])
    (tmp_path / "inbox").mkdir()
    with (
        Served(tmp_path / "inbox", allows="") as served,
        Agent(settings(tmp_path, projects, f"{served.url}/")) as agent,
    ):
        draw(agent.inbox / "a.png", IMAGE)
        told = eventually(lambda: next((row["reason"] for row in agent.rows("a.png") if row["attempts"]), ""), 60.0)
        assert "can be fetched, but Label Studio's page" in told
        assert "Access-Control-Allow-Origin" in told
        assert label_studio.tasks(project) == []
        unseen = {"project": project, "data": {"image": f"{served.url}/a.png"}}
        annotator.opens(project, label_studio.call("POST", "/api/tasks", unseen)["id"])  # as it would have been
        eventually(lambda: "issue loading URL" in annotator.reads(), 60.0)
        assert annotator.sees() != IMAGE

        served.allows = "*"
        agent.becomes("a.png", "submitted", seconds=60.0)
        [task] = [task for task in label_studio.tasks(project) if "reference_id" in task["data"]]
        annotator.opens(project, task["id"])
        eventually(lambda: annotator.sees() == IMAGE, 60.0)
