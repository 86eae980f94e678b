"""Tries whether the watch folder can be read, and how its changes are noticed."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.core.folder_rules import NAME
from agent.core.image_format import extension_of
from agent.core.inodes import INODES_CHANGE
from agent.core.names import Name
from agent.errors import FolderUnavailable, LedgerError
from agent.folder.inodes import change_at_each_look
from agent.host import inotify_limits, mounts
from agent.ledger.reads import Reads
from agent.model import is_utf8, join, shown
from agent.reporting.checks import fail, ok, warn
from agent.service.folder import folders_of, scanner_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.core.names import Filters
    from agent.reporting.checks import Check
    from agent.settings.settings import Settings

FOLDER, NOTICING = "watch folder", "noticing"
ROOM = 2
"""Watches that the kernel should allow for each folder there is: new ones come, and other programs watch too."""


@dataclass(slots=True)
class Survey:
    """What a walk through the watch folder shows. `folders` counts hidden ones and the watch folder too.

    `image` is the path of the first image that is met, `unreadable` are folders that cannot be listed, `settings`
    those with a file of folder settings. `names` counts the images by their extensions.
    """

    folders: int = 0
    links: int = 0
    image: str | None = None
    unreadable: list[str] = field(default_factory=list)
    settings: list[str] = field(default_factory=list)
    names: Counter[str] = field(default_factory=Counter)


def survey(root: str, filters: Filters) -> Survey:
    """Walk through all folders, following no link; a file is looked at only by its name."""
    found = Survey()
    left = [("", True)]
    while left:
        folder, ours = left.pop()
        found.folders += 1
        try:
            with os.scandir(join(root, folder) if folder else root) as entries:
                for entry in entries:
                    path = join(folder, entry.name)
                    if entry.is_symlink():
                        found.links += 1
                    elif entry.is_dir(follow_symlinks=False):
                        left.append((path, ours and filters.enters(entry.name)))
                    elif ours and entry.name == NAME:
                        found.settings.append(folder)
                    elif ours and filters.classify(entry.name) is Name.IMAGE:
                        found.names[extension_of(entry.name)] += 1
                        if found.image is None and is_utf8(path) and entry.stat(follow_symlinks=False).st_size:
                            found.image = path
        except FileNotFoundError:
            found.folders -= 1  # removed since its parent was listed
        except OSError:
            found.unreadable.append(folder)
    return found


def check_folder(settings: Settings, found: Survey) -> Iterator[Check]:
    """Say what the walk showed."""
    where = str(settings.watch_dir)
    if "" in found.unreadable:
        yield fail(FOLDER, f"{where} cannot be listed: this user must be able to read and enter it")
        return
    yield ok(FOLDER, f"{where} can be read; {found.folders:,} folders with it and below it")
    if found.unreadable:
        first = shown(found.unreadable[0])
        yield fail(
            FOLDER,
            f"folders below it cannot be listed ({len(found.unreadable):,}; {first} is one): nothing in them is sent "
            "until this user may read and enter them",
        )
    if found.links:
        yield warn(
            FOLDER,
            f"symbolic links lie below it ({found.links:,}): they are never followed, and what they lead to "
            "is never sent. Put real files or hard links there",
        )


def check_inodes(settings: Settings, found: Survey) -> Iterator[Check]:
    """Say where the inodes of files do not last, as far as a few looks can tell, or an agent has found."""
    scanner = scanner_of(settings)
    with contextlib.suppress(FolderUnavailable, LedgerError):  # what is wrong with either is said by its own check
        if (found.image is not None and change_at_each_look(scanner, found.image)) or _are_known_to_change(settings):
            yield warn(FOLDER, INODES_CHANGE)


def _are_known_to_change(settings: Settings) -> bool:
    if not settings.ledger_path.exists():
        return False
    with Reads.open(settings.ledger_path) as reads:
        return reads.agent().get("inodes_change") == shown(mounts.place(settings.watch_dir))


def check_folder_settings(settings: Settings, found: Survey) -> Iterator[Check]:
    """Read every file of folder settings, or say that there are some and none is obeyed."""
    if not settings.folder_settings:
        if found.settings:
            yield warn(
                FOLDER, f"{NAME} files lie in it ({len(found.settings):,}): set FOLDER_SETTINGS=true to obey them"
            )
        return
    files = folders_of(settings, scanner_of(settings))
    bad, unheeded = [], set()
    for folder in found.settings:
        try:
            rules = files.of(folder)
            problem = rules.problem
            unheeded |= set(rules.unheeded)
        except FolderUnavailable as error:
            problem = str(error)
        bad += [problem] if problem else []
    if unheeded:
        told = f"{NAME} files set {', '.join(sorted(unheeded))}: TARGET is {settings.target}, so this has no effect"
        yield warn(FOLDER, told)
    for problem in sorted(set(bad)):
        yield fail(FOLDER, f"{problem}: what lies below is held until the file is mended")
    yield ok(FOLDER, f"{NAME} files are obeyed; {len(found.settings):,} are there")


def check_noticing(settings: Settings, found: Survey) -> Check:
    """Say by what changes are noticed, and whether the kernel's limits leave room for that."""
    kind = mounts.filesystem_kind(settings.watch_dir)
    remote = kind.network or kind.fuse
    polling = f"the folder is scanned every {min(settings.watch_poll_seconds, settings.watch_rescan_seconds):g} s"
    if settings.watch_mode == "poll" or (settings.watch_mode == "auto" and remote):
        why = "WATCH_MODE is poll" if settings.watch_mode == "poll" else f"{kind.name} tells of no remote changes"
        return ok(NOTICING, f"{polling}: {why}")
    if remote:
        return warn(
            NOTICING,
            f"WATCH_MODE is events, but {kind.name} tells of no remote changes: they are found by the scan every "
            f"{settings.watch_rescan_seconds:g} s alone. Set WATCH_MODE=auto",
        )
    try:
        limits = inotify_limits.inotify_limits()
    except OSError as error:
        return warn(NOTICING, f"inotify's limits cannot be read ({error.strerror}); without inotify {polling}")
    watches = f"inotify allows {limits.max_user_watches:,} watches for {found.folders:,} folders"
    if limits.max_user_watches < ROOM * found.folders:
        return warn(
            NOTICING,
            f"{watches}, and twice as many as folders should be allowed. As root: "
            f"sysctl fs.inotify.max_user_watches={max(65536, 4 * found.folders)} (and keep it in /etc/sysctl.d)",
        )
    return ok(NOTICING, f"by events ({kind.name}); {watches}")
