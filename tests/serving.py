"""A server of files on loopback, as the nginx block of `systemd/README.md` is one."""

from __future__ import annotations

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from pathlib import Path


class Served:
    """Serves a folder within its `with` block. `allows` is what Access-Control-Allow-Origin says, '' nothing.

    `origins` are those that have asked; a path that begins with `/moved/` leads to the rest of it.
    """

    def __init__(self, folder: Path, allows: str = "*") -> None:
        self.allows = allows
        self.origins: list[str | None] = []
        served = self

        class Handler(SimpleHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 2.0  # seconds without a request: browsers keep what they have connected

            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                served.origins.append(self.headers.get("Origin"))
                if not self.path.startswith("/moved/"):
                    super().do_GET()
                    return
                self.send_response(302)
                self.send_header("Location", self.path.removeprefix("/moved"))
                self.send_header("Content-Length", "0")
                super().end_headers()

            def end_headers(self) -> None:
                if served.allows:
                    self.send_header("Access-Control-Allow-Origin", served.allows)
                super().end_headers()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self._thread = threading.Thread(target=self._server.serve_forever, name="serving")
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
