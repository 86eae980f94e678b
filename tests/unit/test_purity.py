"""Pure modules import no clock, disk, network, database or chance, be it by themselves or through each other."""

from __future__ import annotations

import ast
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.pure import PACKAGE, PURE, file_of, module_of

if TYPE_CHECKING:
    from pathlib import Path

# Whole modules in which nothing reads or changes the world.
ALLOWED = frozenset(
    {
        "__future__",
        "array",
        "bisect",
        "collections",
        "collections.abc",
        "dataclasses",
        "difflib",
        "enum",
        "functools",
        "hashlib",
        "heapq",
        "html",
        "ipaddress",
        "itertools",
        "json",
        "math",
        "natsort",
        "operator",
        "re",
        "string",
        "textwrap",
        "tomllib",
        "types",
        "typing",
        "unicodedata",
        "urllib.parse",
    }
)

# Modules of which only these names are pure.
ALLOWED_NAMES = {
    "datetime": frozenset({"UTC", "date", "datetime", "timedelta", "timezone"}),
    "marshal": frozenset({"dumps"}),
    "os": frozenset({"fsdecode", "fsencode"}),
    "shlex": frozenset({"quote", "split"}),
    "uuid": frozenset({"UUID"}),
    "xml.parsers": frozenset({"expat"}),
}

# Reading a clock without importing one, and what reaches the world with no import at all.
CLOCK_METHODS = frozenset({"now", "today", "utcnow"})
IMPURE_BUILTINS = frozenset({"__import__", "breakpoint", "eval", "exec", "input", "open", "print"})
FILE_READERS = frozenset({"file_digest"})


def impurities(source: str) -> list[str]:
    """Return what in a module's source is not pure. Imports for the type checker alone are never carried out."""
    found = []
    for node in _carried_out(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                found += [f"import {alias.name}" for alias in names if not _pure(alias.name)]
            case ast.ImportFrom(module=module, names=names, level=level):
                allowed = ALLOWED_NAMES.get(module or "", frozenset())
                found += [
                    f"from {'.' * level}{module or ''} import {alias.name}"
                    for alias in names
                    if level
                    or not (_pure(module or "") or alias.name in allowed or (module, f"{module}.{alias.name}") in _OURS)
                    or alias.name in FILE_READERS
                ]
            case ast.Attribute(attr=name) if name in CLOCK_METHODS | FILE_READERS:
                found.append(f".{name}")
            case ast.Name(id=name) if name in IMPURE_BUILTINS:
                found.append(name)
    return found


_OURS = frozenset((module.rpartition(".")[0], module) for module in PURE)


def _pure(module: str) -> bool:
    return module in ALLOWED or (module in PURE and module != "agent")


def _carried_out(tree: ast.AST) -> list[ast.AST]:
    nodes: list[ast.AST] = [tree]
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            nodes += [node for statement in child.orelse for node in _carried_out(statement)]
        else:
            nodes += _carried_out(child)
    return nodes


def _claims(path: Path) -> bool:
    first_paragraph = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").partition("\n\n")[0]
    return first_paragraph.endswith("Pure.")


EXISTING = sorted(PURE)


@pytest.mark.parametrize("module", EXISTING)
def test_a_pure_module_names_nothing_impure(module: str) -> None:
    assert impurities(file_of(module).read_text(encoding="utf-8")) == []


def test_a_module_that_calls_itself_pure_is_checked() -> None:
    assert {module_of(path) for path in PACKAGE.rglob("*.py") if _claims(path)} <= PURE


@pytest.mark.parametrize("module", EXISTING)
def test_importing_a_pure_module_loads_nothing_impure(module: str) -> None:
    # What an interpreter loads before it runs anything (an editable install's finder, for one) does not count.
    program = (
        "import sys; before = set(sys.modules); import importlib; importlib.import_module(sys.argv[1]);"
        "print(*sorted(set(sys.modules) - before))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program, module], capture_output=True, text=True, check=True, timeout=30
    ).stdout.split()
    assert module in loaded
    ours = {name for name in loaded if name.partition(".")[0] == "agent"}
    assert ours <= PURE
    roots = {name.partition(".")[0] for name in loaded}
    assert not roots & {
        "PIL", "_sqlite3", "asyncio", "click", "dotenv", "http", "multiprocessing", "requests", "rich", "select",
        "socket", "sqlite3", "sqlite_utils", "ssl", "subprocess", "urllib3", "watchdog",
    }  # fmt: skip


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "import os",
        "import random",
        "import threading",
        "import sqlite3",
        "import requests",
        "import agent",
        "import agent.ledger",
        "import os.path",
        "from os import stat",
        "from os import fsencode, getenv",
        "from agent import ledger",
        "from agent.ledger import Ledger",
        "from . import model",
        "from .model import Kind",
        "from time import monotonic",
        "from pathlib import Path",
        "from uuid import uuid4",
        "from hashlib import file_digest",
        "def late():\n    import time",
        "if True:\n    import time",
        "if TYPE_CHECKING:\n    pass\nelse:\n    import time",
        "from datetime import datetime\ndatetime.now()",
        "from datetime import datetime\nclock = datetime.utcnow",
        "import datetime",
        "open('x')",
        "print('x')",
        "__import__('time')",
        "import hashlib\nhashlib.file_digest",
    ],
)
def test_what_is_impure_is_found(source: str) -> None:
    assert impurities(source) != []


@pytest.mark.parametrize(
    "source",
    [
        "import re\nfrom os import fsdecode, fsencode",
        "from agent.model import Kind",
        "from agent import model",
        "from datetime import UTC, datetime\ndatetime.fromisoformat('2026-11-01').astimezone(UTC)",
        "if TYPE_CHECKING:\n    import random\n    from pathlib import Path",
        "from collections.abc import Iterable",
    ],
)
def test_what_is_pure_passes(source: str) -> None:
    assert impurities(source) == []
