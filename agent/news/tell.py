"""The child process that tells one message: `python -m agent.news.tell`, asked and answering by its pipes, in JSON.

The only module that knows Apprise. No word of an address leaves it but to its service.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import parse_qs, unquote

from agent.news.command import run_command

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Answer = tuple[bool, str, bool]
"""Told; why not, or not to all; whether it may have been."""


def main() -> None:
    """Read what is asked, do it, and write the answer."""
    signal.signal(signal.SIGTERM, _stop)
    asked = json.loads(sys.stdin.buffer.read())
    if asked["pythonpath"] is None:
        os.environ.pop("PYTHONPATH", None)
    else:
        os.environ["PYTHONPATH"] = asked["pythonpath"]
    answer = _by_urls(asked) if asked["urls"] else _by_command(asked)
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()
    os._exit(0)  # a service that hangs in a thread is left behind


def _stop(*_: object) -> NoReturn:
    raise SystemExit(1)


def _by_command(asked: Mapping[str, Any]) -> Answer:
    command = asked["command"]
    if asked["message"] is None:
        found = shutil.which(command[0])
        return (bool(found), "" if found else f"there is no program {command[0]} that can be run", False)
    return run_command(command, json.dumps(asked["message"]).encode() + b"\n", asked["limit"])


def _by_urls(asked: Mapping[str, Any]) -> Answer:
    from apprise import AppriseAsset  # noqa: PLC0415 (an extra, which may be missing, and takes a while)
    from apprise.utils.parse import parse_urls  # noqa: PLC0415

    logging.getLogger("apprise").setLevel(logging.WARNING)
    logging.getLogger("apprise").propagate = False
    asset = AppriseAsset(app_id="playment-agent", app_desc="playment-agent", plugin_paths=[], secure_logging=True)
    urls: list[str] = parse_urls(asked["urls"])  # type: ignore[no-untyped-call]
    services = [_service(url, asset) for url in urls]
    bad = [_which(number, urls) for number, service in enumerate(services) if service is None]
    if bad or not urls:
        return (False, f"{' and '.join(bad) or 'NOTIFY_URL'} is no address that Apprise knows", False)
    if asked["message"] is None:
        return (True, "", False)
    telling = [_Telling(service, url, asked["message"]) for url, service in zip(urls, services, strict=True)]
    until = time.monotonic() + asked["limit"]
    for each in telling:
        each.join(max(0.0, until - time.monotonic()))
    failed = [f"{_which(number, urls)}: {each.why}" for number, each in enumerate(telling) if not each.told]
    return (len(failed) < len(telling), "; ".join(failed), any(each.is_alive() for each in telling))


def _service(url: str, asset: Any) -> Any:
    """Return who tells by an address, None where Apprise knows none such.

    A service refuses what is too long for it, each time anew: it gets several messages, unless its address says else.
    """
    from apprise import Apprise, OverflowMode  # noqa: PLC0415

    service = Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if service is not None and "overflow" not in parse_qs(url.partition("?")[2]):
        service.overflow_mode = OverflowMode.SPLIT
    return service


def _which(number: int, urls: Iterable[str]) -> str:
    many = len(list(urls))
    return "the address" if many == 1 else f"address {number + 1} of {many}"


class _Telling(threading.Thread):
    """Tells one service; all are told at once, so that one that hangs keeps nothing from the others."""

    def __init__(self, service: Any, url: str, message: Mapping[str, Any]) -> None:
        super().__init__(daemon=True)
        self._service, self._url, self._message = service, url, message
        self.told = False
        self.why = "it did not answer in time"
        self.start()

    def run(self) -> None:
        """Tell it, and take note of what Apprise says where it cannot."""
        heard: list[str] = []
        listener = logging.Handler()
        listener.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]
        listener.addFilter(lambda record: record.thread == threading.get_ident())
        logging.getLogger("apprise").addHandler(listener)
        try:
            self.told = bool(
                self._service.notify(
                    title=self._message["title"],
                    body=self._message["text"],
                    notify_type=_type(self._message["kind"]),
                    body_format="text",
                )
            )
            self.why = "" if self.told else without(self._url, heard[-1] if heard else "it was refused")
        except Exception as error:  # noqa: BLE001 (of a hundred services any may raise anything)
            self.why = without(self._url, f"{type(error).__name__}: {error}")


def _type(kind: str) -> Any:
    from apprise import NotifyType  # noqa: PLC0415

    return NotifyType(kind)


def without(url: str, text: str) -> str:
    """Return a text without any part of an address: tokens and passwords stand anywhere in it, and escaped."""
    rest = url.partition("://")[2]
    parts = {part for form in (rest, unquote(rest)) for part in (form, *re.split(r"[/:@?&=#,;\s]+", form))}
    for part in sorted(parts, key=len, reverse=True):
        if len(part) > 2:
            text = text.replace(part, "***")
    return text


if __name__ == "__main__":
    main()
