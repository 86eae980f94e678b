"""One job: where it stands, its frames one by one with what was annotated on them, and what has happened to it."""

from __future__ import annotations

from concurrent.futures import TimeoutError as LateError
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from agent.core.names import Filters
from agent.core.seen_sizes import seen
from agent.core.states import ATTENTION, UNREADABLE
from agent.folder.scanner import Scanner
from agent.ledger.late import TWINS
from agent.model.shapes import Drawing
from agent.page import advice, overlay
from agent.page.decoding import NotShownError, shown_as
from agent.page.drawings import Drawings, Drawn
from agent.page.files import NotThereError, head, opened
from agent.page.page import NotHereError
from agent.page.thumbnails import Busy, Thumbnails
from agent.service.names import called, drawing_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from agent.ledger.one_job import JobFrame
    from agent.page.page import Asked

TOGETHER: Final = 100
"""Frames of a strip: that many small pictures are looked through at once, and written in 5 ms."""
EVENTS: Final = 100
OTHERS: Final = 20
SIZE_SECONDS: Final = 5.0
_NO_SIZE: Final = (4, 3)
_NO_FILTERS: Final = Filters(frozenset(), (), "")


class Strip(NamedTuple):
    """Some of a job's frames: `first` is the position of the first, and so many there are in all."""

    first: int
    frames: list[JobFrame]
    total: int


class Sight(NamedTuple):
    """How a frame is seen: in which proportion, by which of its addresses, or why not."""

    size: tuple[int, int]
    what: str
    trouble: str = ""


@lru_cache(maxsize=4)
def thumbnails_of(watch_dir: Path) -> Thumbnails:
    """Return the small pictures of a watch folder, the same to all who ask."""
    return Thumbnails(scanner_of(watch_dir))


@lru_cache(maxsize=4)
def drawings_of(results_dir: Path) -> Drawings:
    """Return the results below a folder, the same to all who ask."""
    return Drawings(scanner_of(results_dir))


@lru_cache(maxsize=4)
def scanner_of(folder: Path) -> Scanner:
    """Return what opens files below a folder."""
    return Scanner(folder, _NO_FILTERS)


def read(asked: Asked) -> Mapping[str, Any]:
    """Return a job, and the frame that the address asks for; only what may change where the page asks again."""
    row = job_of(asked)
    events = asked.reads.events_of(row["id"], EVENTS + 1)
    order_about = advice.target(row)
    waits = row["state"] in ATTENTION or row["error_code"] in (TWINS, UNREADABLE)
    possible = advice.possible(order_about) if waits else []
    found: dict[str, Any] = {
        "job": row,
        "events": events[:EVENTS],
        "more_events": len(events) > EVENTS,
        "others": asked.reads.others_of_path(row["id"], OTHERS),
        "orders": possible,
        "commands": [advice.command(asked.page.command, order, row["path"]) for order in possible],
        "hint": advice.hint(order_about) if waits else "",
        "word": advice.word(row["state"], row["error_code"]),
        "target": called(_target(asked)),
        "waits": waits,
    }
    if asked.request.headers.get("hx-request"):
        return found
    strip = _strip(asked, row)
    return {
        **found,
        "strip": strip,
        "together": TOGETHER,
        "frame": _frame(asked, row, strip),
    }


def job_of(asked: Asked) -> dict[str, Any]:
    """Return the row of the job that the address names. Raises NotHereError."""
    number = asked.request.path_params["job"]
    row = asked.reads.job(number)
    if row is None:
        raise NotHereError(f"the ledger has no job {number}")
    return row


def _target(asked: Asked) -> str:
    return asked.reads.agent().get("target", "")


def _strip(asked: Asked, row: Mapping[str, Any]) -> Strip:
    """Return the frames around the one that the address asks for."""
    total = max(int(row["frame_count"]), 1)
    position = _position(asked, total)
    first = position - position % TOGETHER
    frames = asked.reads.job_frames(row["id"], first, TOGETHER)
    return Strip(first, frames, total)


def _position(asked: Asked, total: int) -> int:
    """Return the position that the address asks for: people count from 1, and may write anything."""
    text = asked.query("frame")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 1
    return min(max(number, 1), total) - 1


def _frame(asked: Asked, row: Mapping[str, Any], strip: Strip) -> dict[str, Any]:
    """Return what is shown of one frame."""
    position = _position(asked, strip.total)
    here = {frame.position: frame for frame in strip.frames}
    frame = here.get(position)
    if frame is None:
        return {"position": position, "there": False, "total": strip.total, "told": "no frame"}
    sight = _sight(asked, frame)
    width, height = sight.size
    drawn = _drawn(asked, row)
    shapes = drawn.drawing.shapes.get(position, [])
    beside = [here.get(position + step) or _one(asked, row, position + step, strip.total) for step in (1, -1)]
    return {
        "there": True,
        "position": position,
        "total": strip.total,
        "id": frame.frame_id,
        "path": frame.path,
        "trouble": sight.trouble,
        "picture": address(row["id"], frame, sight.what),
        "beside": [address(row["id"], each, "picture") for each in beside if each is not None],
        "width": width,
        "height": height,
        "letter": overlay.text_size(width, height),
        "sketches": overlay.sketches(shapes, width, height),
        "legend": overlay.legend(shapes),
        "said": drawn.drawing.said.get(position, []),
        "of_all": drawn.drawing.said.get(None, []),
        "undrawn": drawn.drawing.undrawn.most_common(),
        "no_drawing": drawn.trouble,
        "large": drawn.large,
    }


def address(job: int, frame: JobFrame, what: str) -> str:
    """Return where a frame's picture is: named by its digest, where it has one, so that it is asked for once."""
    version = f"?v={frame.digest[:16]}" if frame.digest else ""
    return f"/jobs/{job}/frames/{frame.position}/{what}{version}"


def _one(asked: Asked, row: Mapping[str, Any], position: int, total: int) -> JobFrame | None:
    frames = asked.reads.job_frames(row["id"], position, 1) if 0 <= position < total else []
    return frames[0] if frames and frames[0].position == position else None


def _sight(asked: Asked, frame: JobFrame) -> Sight:
    """Return how a frame's file is seen, as far as it is."""
    size = seen(frame.pixels, frame.orientation or 1) if frame.pixels else _NO_SIZE
    if asked.page.watch_dir is None:
        return Sight(size, "", "the page was not told where the watch folder is")
    try:
        with opened(scanner_of(asked.page.watch_dir), frame) as descriptor:
            what = "picture" if shown_as(head(descriptor)) else "large"
        if frame.pixels:
            return Sight(size, what)
        # It is no whole picture, or a version before has read it: what is there tells.
        small = thumbnails_of(asked.page.watch_dir).of(frame).result(SIZE_SECONDS)
        return Sight(small.size, what if small.cut is None else "large")
    except (NotThereError, NotShownError) as error:
        return Sight(size, "", str(error))
    except (Busy, LateError):
        return Sight(size, "large")


def _drawn(asked: Asked, row: Mapping[str, Any]) -> Drawn:
    path, folder = row["result_path"], asked.page.results_dir
    if not path:
        return Drawn(Drawing())
    if folder is None:
        return Drawn(Drawing(), "the page was not told where results are: RESULTS_DIR")
    frame_ids = partial(asked.reads.frame_ids, row["id"])
    return drawings_of(folder).of(path, drawing_of(_target(asked)), frame_ids, wait=bool(asked.query("drawn")))
