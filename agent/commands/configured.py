"""The settings, for the commands that need more of them than where the ledger is."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING

from agent.commands.shell import env_file
from agent.host import logs
from agent.service.names import DEFAULTS
from agent.settings import load

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.settings.load import PageSettings
    from agent.settings.secret import Secret
    from agent.settings.settings import Settings


def settings(*, needs_key: bool = True) -> Settings:
    """Return the settings, all checked, with logging set up for them; a key only where one is needed.

    Raises SettingsError.
    """
    logs.keep()
    found = load.load(os.environ, Path.cwd(), env_file(), needs_key=needs_key, defaults=DEFAULTS)
    logs.set_up(found.log_level, found.log_format)
    return found


def reread() -> Callable[[], Settings]:
    """Return what reads the same settings again; it raises SettingsError, and sets nothing up."""
    return functools.partial(load.load, os.environ, Path.cwd(), env_file(), defaults=DEFAULTS)


def address_and_key(target: str) -> tuple[str, Secret]:
    """Return where a target is and what lets us in; nothing else needs to be set. Raises SettingsError."""
    return load.load_address_and_key(target, os.environ, Path.cwd(), env_file())


def page_settings() -> PageSettings:
    """Return what the page needs of the settings; nothing else is looked at. Raises SettingsError."""
    return load.load_page(os.environ, Path.cwd(), env_file())


def fleet_dsn() -> Secret | None:
    """Return the address of the fleet's database, None where there is none; nothing else needs to be set."""
    return load.load_fleet_dsn(os.environ, Path.cwd(), env_file())
