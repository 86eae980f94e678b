"""Tells systemd how the service stands: `sd_notify(3)`. I/O."""

from __future__ import annotations

import logging
import os
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger(__package__)


START_GOES_ON_USEC = 300_000_000
"""For a commit of all that a large ledger holds, on a slow disk: nothing can be said meanwhile."""


class Notifier:
    """Tells systemd how the service is (sd_notify(3)); does nothing without $NOTIFY_SOCKET.

    `watchdog_seconds` is the time within which `watchdog` must be called again and again, or None
    (sd_watchdog_enabled(3)). A message that cannot be sent is logged, no more: the work goes on without systemd.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        # A leading '@' stands for Linux's abstract namespace, whose names begin with a null byte.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_seconds: float | None = None
        microseconds = environ.get("WATCHDOG_USEC", "")
        if microseconds.isdecimal() and environ.get("WATCHDOG_PID") in {None, "", str(os.getpid())}:
            self.watchdog_seconds = int(microseconds) / 1e6

    def ready(self) -> None:
        """Say that the start, or a reload, is over."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Say that the settings are read again, which the next `ready` ends."""
        # In one message: with Type=notify-reload the time tells which reload is meant (systemd.service(5)).
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def starting(self, text: str) -> None:
        """Say what makes the start last, and that it goes on (`EXTEND_TIMEOUT_USEC` of sd_notify(3))."""
        self._send(f"EXTEND_TIMEOUT_USEC={START_GOES_ON_USEC}\nSTATUS={_in_one_line(text)}")

    def status(self, text: str) -> None:
        """Show `text` in `systemctl status`; line breaks become spaces."""
        self._send(f"STATUS={_in_one_line(text)}")

    def watchdog(self) -> None:
        """Say that the loop has turned once more."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """Say that the stop has begun."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as notify:
                notify.sendto(message.encode(errors="backslashreplace"), self._address)
        except OSError as error:
            log.warning("systemd was not told %r: %s", message, error)


def _in_one_line(text: str) -> str:
    return " ".join(text.split())
