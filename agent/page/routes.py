"""What stands where on the page."""

from __future__ import annotations

from agent.page.page import Plain, View
from agent.page.views import job, pictures, standing

VIEWS = (
    View("/", "standing.html", standing.read, "How it stands"),
    View("/jobs/{job:int}", "job.html", job.read),
)
"""The views, in the order of their links on top."""

PLAIN: tuple[Plain, ...] = (
    Plain("/jobs/{job:int}/frames/{position:int}/picture", pictures.picture),
    Plain("/jobs/{job:int}/frames/{position:int}/thumbnail", pictures.small),
    Plain("/jobs/{job:int}/frames/{position:int}/large", pictures.large),
    Plain("/jobs/{job:int}/result", pictures.result),
)
"""What is answered without a template: pictures, figures for machines, orders."""
