"""Servers that a client uploads to, each writing into the watched folder in its own way; the client is curl."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.programs import Missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.programs import Command
    from tests.tools.copying import Copying

START_SECONDS = 30.0
OTHER_FILE_SYSTEM = Path("/dev/shm")
_PASSWORD = "copying"
# `openssl passwd -6 -salt copying copying`: who copies to the proftpd of a test on loopback.
_HASH = "$6$copying$EvrNyqoddFQue79eT4dGLa0wP/taFcCDtgtkHe.QoMpXISXSLvXwoi..dvimWTNOR4BDk9dhh8PvId73rKNv.1"

_NGINX = """\
{user}
daemon off;
worker_processes 1;
pid "{place}/nginx.pid";
error_log "{place}/nginx-error.log" warn;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path "{spool}";
    proxy_temp_path "{place}/proxy";
    fastcgi_temp_path "{place}/fastcgi";
    uwsgi_temp_path "{place}/uwsgi";
    scgi_temp_path "{place}/scgi";
    server {{
        listen 127.0.0.1:{port};
        root "{inbox}";
        client_max_body_size 0;
        location / {{ dav_methods PUT; create_full_put_path on; }}
    }}
}}
"""

_PROFTPD = """\
ServerName copying
ServerType standalone
DefaultAddress 127.0.0.1
UseIPv6 off
UseReverseDNS off
Port {port}
SocketBindTight on
AuthOrder mod_auth_file.c
AuthUserFile "{place}/passwd"
RequireValidShell off
RootLogin on
DefaultRoot "{inbox}"
PidFile "{place}/proftpd.pid"
ScoreboardFile "{place}/scoreboard"
DelayTable none
SystemLog "{place}/proftpd.log"
TransferLog none
WtmpLog off
HiddenStores {hidden}
AllowOverwrite on
"""


def wsgidav(copying: Copying) -> Command:
    """PUT to wsgidav."""
    port = _free_port()
    options = ("--host=127.0.0.1", f"--port={port}", f"--root={copying.inbox}", "--auth=anonymous", "-q")
    copying.stack.enter_context(_serving(copying, [*options, "--server=cheroot", "--no-config"], port))
    copying.made_target()
    return _curl(copying, f"http://127.0.0.1:{port}/drive/")


def proftpd(copying: Copying) -> Command:
    """STOR to proftpd with `HiddenStores on`."""
    port = _free_port()
    passwd = copying.place / "passwd"
    passwd.write_text(f"copying:{_HASH}:{os.getuid()}:{os.getgid()}::{copying.inbox}:/bin/false\n")
    passwd.chmod(0o600)
    configuration = copying.place / "proftpd.conf"
    configuration.write_text(_PROFTPD.format(place=copying.place, inbox=copying.inbox, port=port, hidden="on"))
    copying.stack.enter_context(_serving(copying, ["-n", "-c", str(configuration)], port))
    login = ("--user", f"copying:{_PASSWORD}", "--ftp-create-dirs")
    return _curl(copying, f"ftp://127.0.0.1:{port}/drive/", *login)


def nginx(*, on_another: bool) -> Callable[[Copying], Command]:
    """Return the call: PUT to nginx, whose spool is on the watched folder's file system or on another one."""

    def put(copying: Copying) -> Command:
        port = _free_port()
        spool = copying.place / "spool"
        if on_another:
            if not _is_another(OTHER_FILE_SYSTEM, copying.inbox):
                raise Missing(f"{OTHER_FILE_SYSTEM} is no other file system than that of temporary files")
            spool = OTHER_FILE_SYSTEM / f"playment-tools-{os.getpid()}-{port}"
            copying.stack.callback(shutil.rmtree, spool)
        user = "user root;" if os.geteuid() == 0 else ""
        configuration = copying.place / "nginx.conf"
        configuration.write_text(
            _NGINX.format(place=copying.place, inbox=copying.inbox, spool=spool, port=port, user=user)
        )
        error_log = str(copying.place / "nginx-error.log")
        options = ["-p", str(copying.place), "-e", error_log, "-c", str(configuration)]
        copying.stack.enter_context(_serving(copying, options, port))
        return _curl(copying, f"http://127.0.0.1:{port}/drive/")

    return put


def _curl(copying: Copying, url: str, *options: str) -> Command:
    limit = ["--limit-rate", str(int(copying.rate))] if copying.rate else []
    files = "{" + ",".join(str(copying.source / name) for name in copying.files()) + "}"
    return copying.programs[1].command("-sS", "--fail", *limit, *options, "-T", files, url)


def _is_another(file_system: Path, folder: Path) -> bool:
    return file_system.is_dir() and file_system.stat().st_dev != folder.stat().st_dev


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextlib.contextmanager
def _serving(copying: Copying, options: list[str], port: int) -> Iterator[None]:
    """Run the program as a server until the block ends, from when it takes connections on."""
    environ = {**os.environ, **copying.programs[0].environ}
    with (
        open(copying.place / "server.log", "ab") as log,
        subprocess.Popen([copying.programs[0].path, *options], env=environ, stdout=log, stderr=log) as process,
    ):
        try:
            deadline = time.monotonic() + START_SECONDS
            while not _takes_connections(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    said = (copying.place / "server.log").read_text(errors="replace")
                    raise RuntimeError(f"{copying.programs[0].path} did not start: {said[-500:]}")
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _takes_connections(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
    return False
