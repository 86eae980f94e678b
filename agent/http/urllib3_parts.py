"""What is used of urllib3, all of it: the one module that imports it. I/O.

`requests` makes the connections, with their proxies and certificates, and brings urllib3; the exchange itself is made
below it. Documented by urllib3 are its errors, `Timeout`, a pool's `urlopen` with its keywords, and a response's
`status`, `headers`, `stream` and `close`. These insides are not, and `tests/unit/test_urllib3_parts.py` fails with the
line of one that is not so any more:

- response_class: a connection's `response_class` makes its answers (http/sessions: a deadline and a size limit for all)
- timeout: `request` sets a connected socket's time limit to the connection's `timeout` (http/sessions: one for sending)
- send: `request` calls `send` with the whole head first, then with the body (http/sessions: both in one packet)
- connect: `send` calls `connect` where there is no `sock` yet, and sets it (http/sessions: the same)
- ConnectionCls: a pool's `ConnectionCls` makes its connections (http/sessions: connections of ours)
- pool_classes_by_scheme: a pool or proxy manager's makes its pools (http/sessions: pools of ours)
- _new_conn: `connect` gets its socket from `_new_conn` (results/download: to the very address that was checked)
- attributes: a connection has `host`, `port`, `timeout`, `socket_options` and `proxy` (results/download: the same)
- create_connection: it takes address, timeout, source_address and socket_options (results/download: the same)
- NewConnectionError: it takes a connection and a message, and is a `ConnectTimeoutError` (results/download, transport)
"""

from __future__ import annotations

from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProxyError, ReadTimeoutError
from urllib3.util.connection import create_connection

__all__ = [
    "BaseHTTPResponse",
    "ConnectTimeoutError",
    "HTTPConnection",
    "HTTPConnectionPool",
    "HTTPError",
    "HTTPSConnection",
    "HTTPSConnectionPool",
    "NewConnectionError",
    "ProxyError",
    "ReadTimeoutError",
    "Timeout",
    "create_connection",
]
