"""`playment-agent page`: a page in the browser. Its server is imported only when it is asked for."""

from __future__ import annotations

import os

import click

from agent.commands import shell
from agent.errors import AgentError
from agent.host.systemd import Notifier

PORT = 8345


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="The port; 0: a free one.")
@shell.settled
def page(*, host: str, port: int) -> None:
    """Serve a page that shows how it stands, until Ctrl+C; it only reads the ledger. Needs the extra 'page'.

    Example: playment-agent page --port 8345
    """
    try:
        from agent.page.page import Page  # noqa: PLC0415 (what it imports is an extra)
        from agent.page.serve import listen, serve  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise AgentError(
            f"the page needs the extra 'page' ({error.name} is missing): pip install 'playment-agent[page]'"
        ) from error
    place = listen(host, port)
    found = place.getsockname()
    name = f"[{found[0]}]" if ":" in found[0] else found[0]
    shell.say(f"http://{name}:{found[1]}/")
    serve(Page(shell.ledger_path()), place, Notifier(os.environ).ready)
