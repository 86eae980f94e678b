"""A real nginx on loopback that serves a folder by the very configuration that `systemd/README.md` shows."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = "/usr/sbin/nginx"

SNIPPET = """\
server {
    listen 443 ssl;
    server_name files.example.com;
    ssl_certificate /etc/letsencrypt/live/files.example.com/fullchain.pem;
    ssl_certificate_key /etc/letsencrypt/live/files.example.com/privkey.pem;
    root /srv/inbox;
    # Read only: no listing, no symbolic link out of the folder, no dotfile, no method but GET and HEAD.
    # Annotators' pages load pictures with CORS: Label Studio's shows none without this, Playment's do not mind.
    add_header Access-Control-Allow-Origin * always;
    autoindex off;
    disable_symlinks on from=$document_root;
    location ~ /\\. { return 404; }
    location / { limit_except GET { deny all; } }
}
"""

_AROUND = """\
{user}
daemon off;
worker_processes 1;
pid {place}/nginx.pid;
error_log {place}/error.log warn;
events {{ worker_connections 256; }}
http {{
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    access_log {place}/access.log;
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi;
    scgi_temp_path {place}/scgi;
{server}
}}
"""


@contextmanager
def serving(root: Path, place: Path) -> Iterator[str]:
    """Serve `root` until the block ends, with configuration and logs in the folder `place`; yield the base URL."""
    place.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        plain = re.sub(r" +ssl_certificate.*\n", "", SNIPPET)
        server = plain.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};").replace("/srv/inbox", f'"{root}"')
        # The worker must be able to read what the tests write; only root can, and must, say who it is.
        user = "user root;" if os.geteuid() == 0 else ""
        configuration = place / "nginx.conf"
        configuration.write_text(_AROUND.format(place=place, server=server, user=user))
        # nginx takes over listening sockets that NGINX names (as it does in an upgrade of itself): the port is ours
        # from the start, and requests wait in its queue until nginx is up. With `master_process off` it crashes here.
        process = subprocess.Popen(
            [PROGRAM, "-p", place, "-e", place / "error.log", "-c", configuration],
            env={**os.environ, "NGINX": f"{listener.fileno()};"},
            pass_fds=[listener.fileno()],
        )
    with process:
        try:
            yield f"http://127.0.0.1:{port}/"
            assert process.poll() is None, (place / "error.log").read_text()
        finally:
            process.terminate()
            process.wait(timeout=10)
