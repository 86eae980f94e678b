"""Builds what looks at the watch folder, from the settings: all that commands need which send nothing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from agent.core.folder_rules import NO_FOLDERS
from agent.folder.scanner import Scanner
from agent.folder.settings_files import FolderSettingsFiles
from agent.settings.folder_toml import parse
from agent.settings.parts import filters_of
from agent.settings.targets import unheeded_keys

if TYPE_CHECKING:
    from agent.core.folder_rules import FolderRulesSource
    from agent.settings.settings import Settings


def scanner_of(settings: Settings) -> Scanner:
    """Return what looks at the watch folder."""
    return Scanner(settings.watch_dir, filters_of(settings))


def folders_of(settings: Settings, scanner: Scanner) -> FolderRulesSource:
    """Return what knows the settings of folders, where they are to be obeyed."""
    if not settings.folder_settings:
        return NO_FOLDERS
    return FolderSettingsFiles(
        scanner, partial(parse, edition=settings.edition, unheeded=unheeded_keys(settings.target))
    )
