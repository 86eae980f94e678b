"""What stands where on the page."""

from __future__ import annotations

from starlette.convertors import IntegerConvertor, register_url_convertor

from agent.page.page import Plain, View
from agent.page.views import folders, job, jobs, numbers, ordering, pictures, standing, waiting


class Number(IntegerConvertor):
    """A number that SQLite can hold: what is longer is no address of ours, and costs nothing to be read."""

    regex = "[0-9]{1,18}"


register_url_convertor("number", Number())

VIEWS = (
    View("/", "standing.html", standing.read, "How it stands"),
    View(waiting.PATH, "waiting.html", waiting.read, "Waits for a person"),
    View(folders.PATH, "folders.html", folders.read, "Folders"),
    View(jobs.PATH, "jobs.html", jobs.read, "Jobs"),
    View("/jobs/{job:number}", "job.html", job.read),
    View(ordering.PATH, "order.html", ordering.read, is_fresh=False, methods=("GET", "POST")),
)
"""The views, in the order of their links on top."""

PLAIN: tuple[Plain, ...] = (
    Plain("/jobs/{job:number}/frames/{position:number}/picture", pictures.picture),
    Plain("/jobs/{job:number}/frames/{position:number}/thumbnail", pictures.small),
    Plain("/jobs/{job:number}/frames/{position:number}/large", pictures.large),
    Plain("/jobs/{job:number}/result", pictures.result),
    Plain(numbers.PATH, numbers.answer, unreadable=numbers.unreadable),
    Plain("/enter", ordering.enter, methods=("POST",)),
)
"""What is answered without a template: pictures, figures for machines, orders."""
