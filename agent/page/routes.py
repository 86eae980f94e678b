"""What stands where on the page."""

from __future__ import annotations

from agent.page.page import Plain, View
from agent.page.views import folders, job, jobs, numbers, ordering, pictures, standing, waiting

VIEWS = (
    View("/", "standing.html", standing.read, "How it stands"),
    View(waiting.PATH, "waiting.html", waiting.read, "Waits for a person"),
    View(folders.PATH, "folders.html", folders.read, "Folders"),
    View(jobs.PATH, "jobs.html", jobs.read, "Jobs"),
    View("/jobs/{job:int}", "job.html", job.read),
    View(ordering.PATH, "order.html", ordering.read, is_fresh=False, methods=("GET", "POST")),
)
"""The views, in the order of their links on top."""

PLAIN: tuple[Plain, ...] = (
    Plain("/jobs/{job:int}/frames/{position:int}/picture", pictures.picture),
    Plain("/jobs/{job:int}/frames/{position:int}/thumbnail", pictures.small),
    Plain("/jobs/{job:int}/frames/{position:int}/large", pictures.large),
    Plain("/jobs/{job:int}/result", pictures.result),
    Plain(numbers.PATH, numbers.answer, unreadable=numbers.unreadable),
    Plain("/enter", ordering.enter, methods=("POST",)),
)
"""What is answered without a template: pictures, figures for machines, orders."""
