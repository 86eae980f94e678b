"""The watch folder as the settings see it: its listings, and what the names and the files of settings make of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.folder_rules import NO_FOLDERS

if TYPE_CHECKING:
    from agent.core.folder_rules import FolderRules, FolderRulesSource
    from agent.core.names import Filters
    from agent.folder.scanner import Scanner
    from agent.model import Kind


class Tree:
    """The scanner of the watch folder, the filters of names, and the rules of folders; safe in any thread."""

    def __init__(self, scanner: Scanner, filters: Filters, folders: FolderRulesSource = NO_FOLDERS) -> None:
        self.scanner = scanner
        self.filters = filters
        self.rules = folders

    @property
    def has_rules(self) -> bool:
        """Whether files of settings in the folders are obeyed."""
        return self.rules is not NO_FOLDERS

    def kind(self, folder: str, rules: FolderRules) -> Kind:
        """Return what the images of a folder are, by the rules that hold in it."""
        return rules.kind_in(folder, self.filters.kind(folder))

    def enters(self, folder: str) -> bool:
        """Tell whether a folder is one that is listed: none of its parts is hidden."""
        return all(self.filters.enters(part) for part in folder.split("/") if part)
