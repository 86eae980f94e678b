"""What the `.playment.toml` files of a folder and of those above it say about the units in it. Pure.

Each key is inherited downwards: the nearest file that sets it wins. A file that is bad says nothing at all, and holds
what is in its folder and below: nobody knows what it was to say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from agent.model import Kind, parent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


NAME = ".playment.toml"
MOST_BYTES = 65_536
KINDS = {"images": Kind.IMAGE, "sequence": Kind.SEQUENCE}


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """One file, by its path relative to the watch folder: the values it sets, or what is wrong with it.

    `unheeded` are the keys in it that mean nothing where the jobs go.
    """

    path: str
    given: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None
    unheeded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FolderRules:
    """What holds for the units of one folder; None: nothing is said about it.

    `batch` is '' (the default batch), `day`, `folder`, a UUID or a batch's name. `ready_marker` '' means that none is
    waited for. `order` is one of SEQUENCE_ORDER's values. `problem` is a sentence about a bad file, which holds the
    units. `sources` names, for each value that is set, the file that says it; `unheeded` does for the keys that mean
    nothing where the jobs go.
    """

    ignore: bool = False
    tag: str | None = None
    batch: str | None = None
    kind: Kind | None = None
    expected_frames: int | None = None
    ready_marker: str | None = None
    order: str | None = None
    problem: str | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    unheeded: Mapping[str, str] = field(default_factory=dict)

    def told(self) -> list[str]:
        """Return a sentence for each value, with the file that says it."""
        said = [f"{key} = {as_written(getattr(self, key))}, says {file}" for key, file in sorted(self.sources.items())]
        return said + [f"{key} has no effect in {file}" for key, file in sorted(self.unheeded.items())]

    def kind_in(self, folder: str, otherwise: Kind) -> Kind:
        """Return what the images directly in `folder` are; in the watch folder itself they are always single ones."""
        return otherwise if self.kind is None or not folder else self.kind

    def why_held(self, images: int = 0) -> str | None:
        """Say why the units of the folder, or its sequence of so many images, are held; None where they are not."""
        if self.problem is not None:
            return f"{self.problem}: mend the file, and it goes on"
        if self.expected_frames is not None and images > self.expected_frames:
            file = self.sources["expected_frames"]
            return f"it has {images:,} frames, and {file} expects {self.expected_frames:,}: mend the one or the other"
        return None

    @property
    def is_stop(self) -> bool:
        """Whether nothing in the folder is to be looked at."""
        return self.ignore or self.problem is not None

    @property
    def why_ignored(self) -> str:
        """Why the units are left alone, '' where they are not."""
        return f"ignored: {self.sources['ignore']} says so" if self.ignore else ""


NOTHING = FolderRules()


class FolderRulesSource(Protocol):
    """Says what holds in a folder."""

    def of(self, folder: str) -> FolderRules:
        """Return what holds for the units of a folder now. Raises FolderUnavailable where that cannot be told."""


class NoFolders:
    """What holds where FOLDER_SETTINGS is off: nothing is looked for."""

    def of(self, _folder: str) -> FolderRules:
        """Return that nothing is said."""
        return NOTHING


NO_FOLDERS = NoFolders()


def inherit(files: Iterable[SettingsFile]) -> FolderRules:
    """Return what holds in the innermost folder, from the files on the way to it, the outermost first."""
    given: dict[str, Any] = {}
    sources: dict[str, str] = {}
    unheeded: dict[str, str] = {}
    for file in files:
        if file.problem is not None:
            return FolderRules(problem=file.problem)
        given.update(file.given)
        sources.update(dict.fromkeys(file.given, file.path))
        unheeded.update(dict.fromkeys(file.unheeded, file.path))
    return FolderRules(**given, sources=sources, unheeded=unheeded) if given or unheeded else NOTHING


def places(folder: str) -> list[str]:
    """Return the folders whose files bear on `folder`, the watch folder ('') first, itself last."""
    found = [folder]
    while found[-1]:
        found.append(parent(found[-1]))
    return found[::-1]


def as_written(value: object) -> str:
    """Return a value as it stands in a file, not endless."""
    if isinstance(value, Kind):
        return next(f'"{word}"' for word, kind in KINDS.items() if kind is value)
    if isinstance(value, bool):
        return str(value).lower()
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 100 else text[:100] + "…"
