"""The rooms of the house: who imports whom, on which floors, and what is spoken where.

A room is what stands at the top of `agent/`: a package, or a module by itself. Imports for the type checker count.
`python -m tests.layout` prints the figures, and each room with those that it imports; `test_layout` holds the rules.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from dataclasses import dataclass
from functools import cache, cached_property
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import agent

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(agent.__file__).parent

# From the top down; a room imports those on lower lines only, never one on its own line.
LAYERS = (
    {"__main__"},
    {"commands"},
    {"page"},
    {"reporting", "demo"},
    {"service"},
    {"noticing", "sending"},
    {"reading", "publishing", "results", "fleet", "news"},
    {"folder", "ledger", "settings", "targets", "terminal"},
    {"core", "host", "http", "sandbox"},
    {"model", "errors"},
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}

SQL_MODULES = frozenset({"sqlite3", "sqlite_utils", "psycopg"})
SQL_ATTRIBUTES = frozenset({"sql", "execute", "executemany", "executescript"})
SQL_TEXT = re.compile(
    r"\bselect\b.+\bfrom\b|\binsert\s+(or\s+\w+\s+)?into\b|\bupdate\s+\w+\s+set\b|\bdelete\s+from\b"
    r"|\b(create|drop|alter)\s+(table|view|index|trigger)\b|\bpragma\s+\w+",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class Module:
    """A module of ours, by its path below `agent/` without `.py`."""

    name: str
    source: str

    @property
    def room(self) -> str:
        """What it stands in at the top of `agent/`."""
        return self.name.split("/")[0]

    @cached_property
    def _tree(self) -> ast.Module:
        return ast.parse(self.source)

    def imports(self) -> set[str]:
        """Return the full names of what it imports. Raises AssertionError for one that is relative."""
        found = set()
        for node in ast.walk(self._tree):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.name} imports relatively"
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
        return found

    def imported_rooms(self) -> set[str]:
        """Return the other rooms that it imports from."""
        ours = {name.split(".")[1] for name in self.imports() if name.startswith("agent.")}
        return ours & LEVEL.keys() - {self.room}

    def texts(self) -> Iterator[str]:
        """Yield its strings, docstrings too; of one with values in it all that is written down."""
        pieces: set[int] = set()
        for node in ast.walk(self._tree):
            if isinstance(node, ast.JoinedStr):
                written = [part for part in node.values if isinstance(part, ast.Constant)]
                pieces |= {id(part) for part in written}
                yield "?".join(str(part.value) for part in written)
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in pieces:
                yield node.value

    def sql(self) -> list[str]:
        """Return what in it speaks SQL: modules that it imports, attributes that it asks for, statements."""
        named = [name for name in sorted(self.imports()) if name.split(".")[0] in SQL_MODULES]
        asked = [f".{node.attr}" for node in ast.walk(self._tree) if isinstance(node, ast.Attribute)]
        return [
            *named,
            *(attribute for attribute in asked if attribute[1:] in SQL_ATTRIBUTES),
            *(text for text in self.texts() if SQL_TEXT.search(text)),
        ]

    def collaborators(self) -> Iterator[tuple[str, int]]:
        """Yield each class with the number of things that its making is handed; records hold values and have none."""
        for node in ast.walk(self._tree):
            if isinstance(node, ast.ClassDef):
                for method in node.body:
                    if isinstance(method, ast.FunctionDef) and method.name == "__init__":
                        given = method.args
                        yield node.name, len(given.posonlyargs + given.args + given.kwonlyargs) - 1


@cache
def modules() -> list[Module]:
    """Return every module of `agent/`, but for the one that is the package itself."""
    files = (file for file in sorted(PACKAGE.rglob("*.py")) if file != PACKAGE / "__init__.py")
    return [Module(str(file.relative_to(PACKAGE).with_suffix("")), file.read_text(encoding="utf-8")) for file in files]


def arrows() -> dict[str, set[str]]:
    """Return the rooms, each with those that it imports."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for module in modules():
        found[module.room] |= module.imported_rooms()
    return dict(found)


def floors(graph: dict[str, set[str]]) -> int:
    """Return the number of rooms on the longest way down. Raises graphlib.CycleError where there is a circle."""
    height: dict[str, int] = {}
    for room in TopologicalSorter(graph).static_order():
        height[room] = 1 + max((height[other] for other in graph[room]), default=0)
    return max(height.values())


def figures() -> str:
    """Return the figures as one line."""
    graph = arrows()
    below = {room: others for room, others in graph.items() if room != "__main__"}
    return (
        f"agent/: {len(graph)} rooms with __main__, {sum(map(len, graph.values()))} arrows between them, "
        f"{floors(below)} floors below __main__, {len(modules())} modules"
    )


if __name__ == "__main__":
    lines = [f"{room:<12} {', '.join(sorted(others))}" for room, others in arrows().items()]
    sys.stdout.write("\n".join([figures(), *sorted(lines, key=lambda line: LEVEL[line.split()[0]]), ""]))
