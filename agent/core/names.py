"""Is this name a unit, temporary, ours? Which kind of unit does a folder hold? Pure.

Names and folders are as `model.py` says: relative to the watch folder, decoded by `os.fsdecode`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from agent.model import Kind, basename, parent, shown

if TYPE_CHECKING:
    from collections.abc import Iterable


class Name(StrEnum):
    """What a file's name makes of it."""

    IMAGE = "image"
    TEMPORARY = "temporary"
    MARKER = "marker"
    HIDDEN = "hidden"
    OTHER = "other"


# Firefox and others; many tools; Chromium; WinSCP.
_TEMPORARY_EXTENSIONS = ("part", "tmp", "crdownload", "filepart")

# rsync writes `.name.XXXXXX` and renames it; the X are of mkstemp's alphabet.
_RSYNC = re.compile(r"\..+\.[A-Za-z0-9]{6}", re.DOTALL)

_EXTENSION = re.compile(r"[^./\s]+")

ODD = ".~"
"""A name that begins with one of these may be temporary or hidden, whatever its extension."""


def temporary(name: str) -> str | None:
    """Return the pattern of the usual copy tools' temporary names that `name` matches, or None.

    The extensions match in any case; rsync's and Syncthing's names only as those tools write them.
    """
    if name.startswith(".syncthing.") and name.endswith(".tmp"):
        return ".syncthing.*.tmp"
    extension = name.rpartition(".")[2].lower()
    if extension in _TEMPORARY_EXTENSIONS and "." in name:
        return f"*.{extension}"
    if name.endswith("~"):
        return "*~"
    if name.startswith("~syncthing~"):
        return "~syncthing~*"
    if _RSYNC.fullmatch(name):
        return ".name.XXXXXX (rsync)"
    return None


SYSTEM_FOLDERS = frozenset(
    {
        "@eadir", "@tmp", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@sharesnapshot", "@synoresource",
        "$recycle.bin", "recycler", "system volume information", "lost+found", "__macosx", "~snapshot",
    }
)  # fmt: skip
"""What NAS systems (Synology, QNAP, NetApp) and file systems keep among people's files, in lower case; those whose name
begins with a dot are hidden anyway."""


def hidden(name: str) -> bool:
    """Tell whether the name begins with a dot."""
    return name.startswith(".")


@dataclass(frozen=True, slots=True)
class Filters:
    """The settings that decide what a name is; make it with `of`, which checks them.

    `extensions` are lower case without the dot. `image_folders` are globs relative to the watch folder: `*`, `?` and
    `[...]` stay within one folder's name, and a part that is `**` stands for any number of folders, none included
    (`stills/**` is `stills` and all below it). `marker` is the ready marker's exact name, or ''. `ignore` are such
    globs for files and folders that are left alone.

    `plain_images` are endings: a name that has one of them, and neither begins with one of `ODD` nor is the marker, is
    an image. A scan decides by this for nearly every file there is; for the others ask `classify`.
    """

    extensions: frozenset[str]
    image_folders: tuple[str, ...]
    marker: str
    ignore: tuple[str, ...] = ()
    plain_images: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _by_extension: dict[str, Name] = field(init=False, repr=False, compare=False)
    _image_folders: tuple[re.Pattern[str], ...] = field(init=False, repr=False, compare=False)
    _ignored: tuple[re.Pattern[str], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        endings = (case for extension in sorted(self.extensions) for case in (extension, extension.upper()))
        object.__setattr__(self, "plain_images", tuple(f".{ending}" for ending in endings))
        by_extension = dict.fromkeys(self.extensions, Name.IMAGE) | dict.fromkeys(_TEMPORARY_EXTENSIONS, Name.TEMPORARY)
        object.__setattr__(self, "_by_extension", by_extension)
        object.__setattr__(self, "_image_folders", tuple(_compile(glob) for glob in self.image_folders))
        object.__setattr__(self, "_ignored", tuple(_compile(glob) for glob in self.ignore))

    @classmethod
    def of(
        cls, extensions: Iterable[str], image_folders: Iterable[str] = (), marker: str = "", ignore: Iterable[str] = ()
    ) -> Filters:
        """Return the filters for settings as a person writes them (`.JPG` for `jpg`, `stills/` for `stills`).

        Raises ValueError with a sentence for an extension, glob or marker that can match nothing.
        """
        cleaned = [extension.strip().removeprefix(".").lower() for extension in extensions]
        for extension in cleaned:
            if not _EXTENSION.fullmatch(extension):
                raise ValueError(f"{extension!r} is no file extension: write the letters after the last dot, as in jpg")
        if "/" in marker or marker in {".", ".."}:
            raise ValueError(f"{marker!r} cannot be a ready marker: it must be a file's name without a folder")
        folders, ignored = (tuple(glob.strip() for glob in globs) for globs in (image_folders, ignore))
        return cls(frozenset(cleaned), folders, marker, ignored)

    def classify(self, name: str) -> Name:
        """Return what a file's name makes of it: the marker first, then temporary, hidden, image, other."""
        if name == self.marker:
            return Name.MARKER
        if name[0] in ODD or name[-1] == "~":
            if temporary(name):
                return Name.TEMPORARY
            if hidden(name):
                return Name.HIDDEN
        _, dot, extension = name.rpartition(".")
        return self._by_extension.get(extension.lower(), Name.OTHER) if dot else Name.OTHER

    def enters(self, folder_name: str) -> bool:
        """Tell whether a subfolder of this name is walked: neither hidden nor temporary, nor a system's own."""
        return not hidden(folder_name) and temporary(folder_name) is None and folder_name.lower() not in SYSTEM_FOLDERS

    def ignores(self, path: str) -> bool:
        """Tell whether the settings say that a file, or a folder with all below it, is nobody's drop."""
        return any(pattern.fullmatch(f"{path}/") for pattern in self._ignored)

    def kind(self, folder: str) -> Kind:
        """Return what the images directly in `folder` are: units of their own, or the frames of one sequence."""
        if not folder or any(pattern.fullmatch(f"{folder}/") for pattern in self._image_folders):
            return Kind.IMAGE
        return Kind.SEQUENCE

    def explain(self, path: str, *, is_folder: bool = False) -> str | None:
        """Return a sentence that says why the file or folder at `path` never is a unit by its name, or None."""
        reason = self._why_not_entered(path, path if is_folder else parent(path))
        if reason is not None or is_folder:
            return reason
        name = basename(path)
        match self.classify(name):
            case Name.IMAGE:
                return None
            case Name.MARKER:
                return f"{shown(name)} is the ready marker: it says that its folder is complete and is not sent itself"
            case Name.OTHER:
                allowed = ", ".join(sorted(self.extensions))
                return f"{shown(name)} has no image extension (IMAGE_EXTENSIONS allows {allowed})"
            case Name.TEMPORARY | Name.HIDDEN:
                return _reason(name)

    def _why_not_entered(self, path: str, folder: str) -> str | None:
        """Say why nothing at or below a path is taken, by the names on the way to it."""
        parts = path.split("/")
        ignored = next(
            (above for above in map("/".join, (parts[: end + 1] for end in range(len(parts)))) if self.ignores(above)),
            None,
        )
        if ignored is not None:
            return f"{shown(ignored)} is left alone: IGNORE names it"
        closed = next((name for name in folder.split("/") if name and not self.enters(name)), None)
        return None if closed is None else f"the folder {_reason(closed)}"


def _reason(name: str) -> str:
    pattern = temporary(name)
    if name.lower() in SYSTEM_FOLDERS:
        return f"{shown(name)} is a system's or a NAS's own: what it keeps there is nobody's drop"
    if pattern is None:
        return f"{shown(name)} is hidden: names that begin with a dot are never sent"
    return f"{shown(name)} is a copy tool's temporary name ({pattern}): it is looked at once it has its final name"


def _compile(glob: str) -> re.Pattern[str]:
    """Return the pattern that fully matches a folder with a `/` behind it. Raises ValueError with a sentence."""
    parts = glob.removesuffix("/").split("/")
    if any(part in {"", ".", ".."} for part in parts):
        raise ValueError(f"{glob!r} is no folder glob: it must be relative to the watch folder, without '.' or '..'")
    if any("**" in part and part != "**" for part in parts):
        raise ValueError(f"{glob!r} is no folder glob: '**' must stand alone between slashes, as in stills/**")
    try:
        # Every part ends in its slash, so that `**` can match no folder at all without special cases.
        return re.compile("".join("(?:[^/]+/)*" if part == "**" else _part(part) + "/" for part in parts))
    except (re.error, ValueError) as error:
        raise ValueError(f"{glob!r} is no folder glob: {error}; write [[] for a bracket itself") from None


def _part(part: str) -> str:
    """Translate one folder's name of a glob. Raises ValueError for a bracket that is not closed."""
    pieces = []
    at = 0
    while at < len(part):
        char = part[at]
        at += 1
        if char == "*":
            pieces.append("[^/]*")
        elif char == "?":
            pieces.append("[^/]")
        elif char == "[":
            negated = part.startswith("!", at)
            start = at + negated
            # A bracket right at the start of a set is one of its characters, as in the shell.
            end = part.find("]", start + 1)
            if end < 0:
                raise ValueError("a '[' is not closed")
            members = "".join(char if char == "-" else re.escape(char) for char in part[start:end])
            pieces.append(f"[^/{members}]" if negated else f"[{members}]")
            at = end + 1
        else:
            pieces.append(re.escape(char))
    return "".join(pieces)
