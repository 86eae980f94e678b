"""The numbers that Prometheus reads, where the extra for them is installed."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse, Response

from agent.page.page import NotHereError

if TYPE_CHECKING:
    from types import ModuleType

    from agent.page.page import Asked

PATH = "/metrics"


def answer(asked: Asked) -> Response:
    """Return all numbers. Raises NotHereError where the extra is missing."""
    metrics = _metrics()
    return Response(metrics.exposition(asked.reads, asked.now), media_type=metrics.CONTENT_TYPE)


def unreadable(_why: str) -> Response:
    """Return the one number that is known where the ledger cannot be read."""
    try:
        metrics = _metrics()
    except NotHereError as error:
        return PlainTextResponse(f"{error}\n", HTTPStatus.NOT_FOUND)
    return Response(metrics.nothing_known(), media_type=metrics.CONTENT_TYPE)


def _metrics() -> ModuleType:
    try:
        from agent.reporting import metrics  # noqa: PLC0415 - needs the extra, which may be missing
    except ModuleNotFoundError as error:
        raise NotHereError(
            f"the numbers need the extra 'metrics', and {error.name} is not here: pip install 'playment-agent[metrics]'"
        ) from error
    return metrics
