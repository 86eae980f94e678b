"""Who may ask the page, by the head of a request: no other site's script, and no name but ours. Pure.

A page on loopback is reached by every page of a browser on this host: by its address, and by a foreign name that is
made to point here (DNS rebinding), which a foreign `Host` gives away. What a foreign page sends has its `Origin`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from agent.model.hosts import is_loopback

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with none at all, browsers send a form's Origin as null
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
"""What every answer has. The policy allows no script, style or picture but the page's own files."""
SAFE = frozenset({"GET", "HEAD"})


def refusal(method: str, headers: Mapping[str, str], names: Collection[str]) -> str:
    """Return why a request is refused, '' where it is not; `headers` by their names in lower case.

    `names` are those under which a reader's own proxy serves the page, beside every name of this host for itself.
    """
    host = headers.get("host", "")
    name = _name(host)
    if not name or not (is_loopback(name) or name in names):
        return (
            f"this page is not served as {host!r}: PAGE_NAMES names what a proxy of yours serves it as, "
            "and the proxy must hand on the Host that it was asked for"
        )
    origin = headers.get("origin")
    if origin is not None and _place(origin) != host.lower():
        return f"it was asked by a page of {origin!r}"
    if method not in SAFE and origin is None:
        return "an order needs the Origin of the page that it was given on"
    if headers.get("sec-fetch-site", "none") not in {"none", "same-origin"} and not _is_visit(headers):
        return "it was asked by another site's page"
    return ""


def _is_visit(headers: Mapping[str, str]) -> bool:
    """Tell whether a person follows a link from elsewhere: no script reads it (https://www.w3.org/TR/fetch-metadata/)."""
    return headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"


def _place(origin: str) -> str:
    """Return the name and port of an `Origin`, '' where it has none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _name(host: str) -> str:
    """Return the name of a `Host`, without its port; '' where it is none."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port
    except ValueError:
        return ""
    return "" if parts.username is not None or parts.path or parts.query or parts.fragment else parts.hostname or ""
