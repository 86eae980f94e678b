"""A file server for one folder on loopback: what nginx is to a real set-up, and as careful with links and dotfiles."""

from __future__ import annotations

import os
import re
import shutil
import sys
import threading
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote_to_bytes

from agent.errors import FileChanged, FolderUnavailable

if TYPE_CHECKING:
    from agent.folder.scanner import Scanner


class FileServer(ThreadingTCPServer):
    """Serves the regular files below a scanner's root on 127.0.0.1, as a context manager.

    No link is followed, nothing is listed, and no name with a dot at its start is served. A page of any origin may show
    the files.
    """

    daemon_threads = False  # so that the end waits for every thread
    allow_reuse_address = True

    def __init__(self, scanner: Scanner) -> None:
        self.scanner = scanner
        super().__init__(("127.0.0.1", 0), _Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="files")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    @property
    def url(self) -> str:
        """The folder's base URL."""
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Leave a client that went away alone; anything else is a defect."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Answers one GET, whole or for its first byte alone, and closes: HTTP/1.0 keeps no idle connection."""

    timeout = 10
    server: FileServer

    def do_GET(self) -> None:
        path = os.fsdecode(unquote_to_bytes(self.path.partition("?")[0].lstrip("/")))
        if "\0" in path or any(not name or name.startswith(".") for name in path.split("/")):
            self.send_error(404)
            return
        try:
            with self.server.scanner.open_file(path) as fd, os.fdopen(os.dup(fd), "rb") as file:
                self._send(file, os.fstat(fd).st_size)
        except FileChanged:
            self.send_error(404)
        except (FolderUnavailable, PermissionError):
            self.send_error(403)

    def _send(self, file: Any, size: int) -> None:
        if size and re.fullmatch(r"bytes=0-0", self.headers.get("Range", "")):
            self.send_response(206)
            self.send_header("Content-Range", f"bytes 0-0/{size}")
            self._end_headers("1")
            self.wfile.write(file.read(1))
            return
        self.send_response(200)
        self._end_headers(str(size))
        shutil.copyfileobj(file, self.wfile)

    def _end_headers(self, length: str) -> None:
        self.send_header("Access-Control-Allow-Origin", "*")  # Label Studio's page loads pictures with CORS
        self.send_header("Content-Length", length)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's own signature
        """Say nothing: an access log would drown what the person wants to see."""
