"""The page as an application: each request through the gates, then to its view, with a ledger opened for it alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from agent.errors import AgentError
from agent.ledger.looks import Looks
from agent.page import gates, words
from agent.page.page import Asked, NotHereError
from agent.page.routes import PLAIN, VIEWS
from agent.page.views.lists import address

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from jinja2 import Template
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from agent.page.page import Page, Plain, View

KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FORM_BYTES = 64 * 1024
FRESH = "X-Seen"
"""The head by which a page says what it shows, so that what is the same is not sent again."""


Answer = Callable[["Request", "Mapping[str, str]"], Response]


@dataclass(frozen=True, slots=True)
class File:
    """A file of the page's own: its bytes, what kind they are, and a digest by which it is asked for."""

    content: bytes
    kind: str
    digest: str


def make(page: Page) -> Starlette:
    """Return the application for a page."""
    files = _files()
    shown = Shown(page, files)
    routes = [
        *(Route(view.path, _answer(shown.view(view)), methods=view.methods) for view in VIEWS),
        *(Route(plain.path, _answer(shown.plain(plain)), methods=plain.methods) for plain in PLAIN),
        Route("/static/{name}", _static(files)),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: shown.missing})
    app.add_middleware(Gated, names=page.names)
    return app


class Gated:
    """Lets in what `gates` does not refuse, and gives every answer its heads."""

    def __init__(self, app: ASGIApp, names: frozenset[str]) -> None:
        self._app = app
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def with_heads(message: Message) -> None:
            if message["type"] == "http.response.start":
                heads = MutableHeaders(scope=message)
                heads.update(gates.HEADERS)
                heads.setdefault("Cache-Control", "no-store")
            await send(message)

        app = self._app
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            twice = [name for name in ("host", "origin") if len(headers.getlist(name)) > 1]
            why = f"it has more than one {twice[0]}" if twice else gates.refusal(scope["method"], headers, self._names)
            if why:
                app = PlainTextResponse(f"refused: {why}\n", HTTPStatus.FORBIDDEN)
        await app(scope, receive, with_heads)


class Shown:
    """Makes answers of views; each is made in a thread of the server's pool."""

    def __init__(self, page: Page, files: Mapping[str, File]) -> None:
        self._page = page
        self._templates = Environment(
            loader=PackageLoader(__package__, "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(words.FILTERS)
        static = {name: f"/static/{name}?v={file.digest}" for name, file in files.items()}
        self._templates.globals.update(page=page, views=VIEWS, address=address, static=static)

    def view(self, view: View) -> Answer:
        """Return what answers for a view."""

        def answer(request: Request, form: Mapping[str, str]) -> Response:
            try:
                with Looks.open(self._page.ledger) as reads:
                    found = {"is_fresh": view.is_fresh, **view.read(Asked(self._page, reads, request, form))}
                return self._show(request, view.template, found, at=view.path)
            except NotHereError as error:
                return self._trouble(request, str(error), HTTPStatus.NOT_FOUND)
            except AgentError as error:
                return self._trouble(request, str(error), HTTPStatus.SERVICE_UNAVAILABLE)

        return answer

    def plain(self, plain: Plain) -> Answer:
        """Return what answers without a template."""

        def answer(request: Request, form: Mapping[str, str]) -> Response:
            try:
                with Looks.open(self._page.ledger) as reads:
                    return plain.answer(Asked(self._page, reads, request, form))
            except NotHereError as error:
                return PlainTextResponse(f"{error}\n", HTTPStatus.NOT_FOUND)
            except AgentError as error:
                if plain.unreadable:
                    return plain.unreadable(str(error))
                return PlainTextResponse(f"{error}\n", HTTPStatus.SERVICE_UNAVAILABLE)

        return answer

    def missing(self, request: Request, error: Exception) -> Response:
        """Answer for what no route knows, or not by this method."""
        assert isinstance(error, HTTPException)
        return self._trouble(request, "there is no such page here", error.status_code)

    def _trouble(self, request: Request, why: str, status: int) -> Response:
        return self._show(request, "trouble.html", {"why": why, "is_fresh": True}, at="", status=status)

    def _show(self, request: Request, name: str, found: Mapping[str, Any], at: str, status: int = 200) -> Response:
        template = self._templates.get_template(name)
        values = {**found, "at": at, "here": _here(request)}
        live = _block(template, "live", values)
        seen = hashlib.blake2b(live.encode(), digest_size=9).hexdigest()
        if request.headers.get("hx-request"):
            if request.headers.get(FRESH) == seen:
                return Response(status_code=HTTPStatus.NO_CONTENT)
            template = self._templates.get_template("live.html")
        return HTMLResponse(template.render(values | {"live": live, "seen": seen}), status)


def _answer(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    """Return what reads the form of a request, and has the answer made in a thread of its own."""

    async def answered(request: Request) -> Response:
        form: dict[str, str] = {}
        if request.method == "POST":
            body = b""
            async for chunk in request.stream():
                body += chunk
                if len(body) > FORM_BYTES:
                    return PlainTextResponse("refused: it is too large\n", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            form = dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
        return await run_in_threadpool(answer, request, form)

    return answered


def _block(template: Template, name: str, values: Mapping[str, Any]) -> Markup:
    """Return one block of a template as it is shown."""
    return Markup("".join(template.blocks[name](template.new_context(dict(values)))))  # noqa: S704 (Jinja has escaped it)


def _here(request: Request) -> str:
    """Return a request's address on this host."""
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path


def _files() -> dict[str, File]:
    """Return the page's own files by name: what is not among them is not served."""
    found = {}
    for file in resources.files(__package__).joinpath("static").iterdir():
        kind = KINDS.get(file.name[file.name.rfind(".") :])
        if kind:
            content = file.read_bytes()
            found[file.name] = File(content, kind, hashlib.blake2b(content, digest_size=9).hexdigest())
    return found


def _static(files: Mapping[str, File]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        file = files.get(request.path_params["name"])
        if file is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        # Named by what it holds: another version has another address.
        is_named = request.query_params.get("v") == file.digest
        caching = {"Cache-Control": "public, max-age=31536000, immutable" if is_named else "no-cache"}
        return Response(file.content, media_type=file.kind, headers=caching)

    return answer
