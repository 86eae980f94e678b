"""Reads the settings again while the agent runs, and has those obeyed that can change then."""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING

from agent.errors import SettingsError
from agent.host import logs
from agent.service.assembly import target_of
from agent.settings.changes import changes
from agent.settings.parts import is_copied_at_start

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.settings.settings import Settings

log = logging.getLogger(__package__)


class Reload:
    """The settings of a running agent, and who is told of others. All methods are the loop's thread's.

    `read` returns the settings that are there now, or raises SettingsError. `trouble` is a part of a sentence while
    those that a reload found are refused, '' else.
    """

    def __init__(self, settings: Settings, read: Callable[[], Settings]) -> None:
        self.settings = settings
        self.trouble = ""
        self._read = read
        self._followers: list[Callable[[Settings], object]] = []

    def follow(self, obey: Callable[[Settings], object]) -> None:
        """Have `obey` be called with new settings."""
        self._followers.append(obey)

    def reload(self) -> None:
        """Take up what can change while the agent runs, and say what waits for a restart.

        What is wrong changes nothing.
        """
        try:
            found = self._read()
            target_of(found).close()  # a key may be one word, and yet none that can be sent
        except SettingsError as error:
            self.trouble = "the new settings are refused, see the log"
            log.error("settings read again: refused, and nothing is changed: %s", " ".join(error.problems))  # noqa: TRY400 (a sentence, no defect)
            return
        self.trouble = ""
        changed = changes(self.settings, found)
        self._take(changed.settings)
        names = ", ".join(changed.live)
        log.info(
            "settings read again: %s", f"obeyed from now on: {names}" if names else "nothing that can change now did"
        )
        if is_copied_at_start(found.key):
            log.info("the key is systemd's copy of the start: another one is taken by a restart alone")
        if changed.waiting:
            log.warning("these have changed and are obeyed after a restart: %s", ", ".join(changed.waiting))

    def take_key(self) -> None:
        """Take up a new key where there is one, and nothing else: to be asked while the key is refused."""
        with contextlib.suppress(SettingsError):  # said at the start, or by a reload
            found = self._read()
            target_of(found).close()
            if found.key != self.settings.key:
                log.warning("there is a new key: %s", found.key.source)
                self._take(self.settings.with_key_of(found))

    def _take(self, settings: Settings) -> None:
        before, self.settings = self.settings, settings
        if (settings.log_level, settings.log_format) != (before.log_level, before.log_format):
            logs.set_up(settings.log_level, settings.log_format)
        for obey in self._followers:
            obey(settings)
