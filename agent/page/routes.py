"""What stands where on the page."""

from __future__ import annotations

from agent.page.page import Plain, View
from agent.page.views import standing

VIEWS = (View("/", "standing.html", standing.read, "How it stands"),)
"""The views, in the order of their links on top."""

PLAIN: tuple[Plain, ...] = ()
"""What is answered without a template: pictures, figures for machines, orders."""
