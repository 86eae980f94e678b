"""`playment-agent page`: a page in the browser. Its server is imported only when it is asked for."""

from __future__ import annotations

import getpass
import os
import secrets
import shlex
import sys
from pathlib import Path

import click

from agent.commands import configured, shell
from agent.errors import AgentError
from agent.host.systemd import Notifier
from agent.model.hosts import is_loopback

PORT = 8345
TOKEN = "page-token"  # noqa: S105 (a file's name)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="The port; 0: a free one.")
@shell.settled
def page(*, host: str, port: int) -> None:
    """Show how it stands in a browser, until Ctrl+C.

    It needs the extra 'page', and only reads the ledger. It asks nobody who they are: it listens on loopback, for a
    browser here, for ssh -L, or for a proxy of yours that does ask, whose names PAGE_NAMES says. With PAGE_ORDERS=true
    it takes orders, of who knows the token in the file that it names; where that file is removed, it makes another one
    at its next start.

    Example: playment-agent page --port 8345
    """
    settings = configured.page_settings()
    if not (is_loopback(host) or settings.page_names):
        raise AgentError(
            f"{host} is not loopback, and the page asks nobody who they are: leave --host away and have a proxy of "
            "yours ask, or say in PAGE_NAMES as which host the page is to be served there"
        )
    try:
        from agent.page.page import Page  # noqa: PLC0415 (what it imports is an extra)
        from agent.page.serve import listen, serve  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise AgentError(
            f"the page needs the extra 'page', and {error.name} is not here: pip install 'playment-agent[page]'"
        ) from error
    file = settings.ledger_path.parent / TOKEN
    shown = Page(
        settings.ledger_path,
        settings.watch_dir,
        settings.results_dir,
        settings.price_per_image,
        settings.price_per_frame,
        settings.page_names,
        _command(),
        _token(file) if settings.page_orders else "",
    )
    place = listen(host, port)
    at, number = place.getsockname()[:2]
    shell.say(f"the page is at http://{f'[{at}]' if ':' in at else at}:{number}/")
    if settings.page_orders:
        shell.say(f"it takes orders of who knows the token in {file}")
    serve(shown, place, Notifier(os.environ).ready)


def _command() -> str:
    """Return how a person begins a command on this host: of a service, as its user."""
    if "INVOCATION_ID" not in os.environ:  # of systemd
        return shell.again("").rstrip()
    program = shlex.quote(str(Path(sys.argv[0]).absolute()))
    return f"runuser -u {getpass.getuser()} -- {shell.again('', program).rstrip()}"


def _token(file: Path) -> str:
    """Return the token for orders, which is made where there is none. Raises AgentError where it cannot be had."""
    try:
        try:
            place = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            with open(os.open(file, os.O_RDONLY | os.O_NOFOLLOW), encoding="ascii") as there:
                token = there.read().strip()
        else:
            token = secrets.token_urlsafe(24)
            with open(place, "w", encoding="ascii") as made:
                made.write(f"{token}\n")
    except (OSError, UnicodeDecodeError) as error:
        raise AgentError(f"the token for orders cannot be kept in {file}: {error}") from error
    if len(token) < 16:
        raise AgentError(f"{file} holds no token: remove it, and another one is made")
    return token
