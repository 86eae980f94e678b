"""What is a vendor's is said in its target alone: its codes, address and words, and its name in what people read."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

from agent.targets import label_studio, playment
from tests.pure import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WORDS = re.compile(
    r"""
    \b(FS|GE)_\d | BATCH_CREATION | auth-failure | core\.webutil | resource_error | unauthorized | invalid_request_error
    | \bapi_error | api\.playment | page_token | x-api-key | (?<!playment_)\bwork_flow_id | image_url | video_data
    """,
    re.VERBOSE,
)
OTHER_WORDS = re.compile(
    r"""
    api/tasks | api/projects | api/token | api/jwt | label_config | item_index | valueList | resolve_uri
    | filter:tasks | total_annotations | was_cancelled | RectangleLabels
    """,
    re.VERBOSE,
)
TARGET = "targets/playment/"
OTHER_TARGET = "targets/label_studio/"
ITS_LIKENESS = ("sandbox/", "demo/proof.py")
"""The vendor's part, played on loopback, and who looks into what that was sent."""
PLAYS = ("sandbox/", "demo/", "commands/sandbox.py", "commands/demo.py")
"""Texts that speak of that one, and not of the target."""
OTHER_PLAYS = ("demo/label_studio/", "commands/demo.py")
"""Texts about a real one on this machine."""
SETTINGS = ("settings/",)
"""Settings are Playment's by name, and so are the sentences about them."""
NAMES_ONE = re.compile(r"playment|label-studio|PLAYMENT|LABEL_STUDIO|(Playment|LabelStudio)\w*")
PICKS = {"service/assembly.py", "service/names.py"}
"""The places that pick the target, and what it is."""

FILES = sorted(PACKAGE.rglob("*.py"))


def _name(file: Path) -> str:
    return file.relative_to(PACKAGE).as_posix()


def _texts(tree: ast.Module) -> Iterator[str]:
    """Yield what a module may say at run time: its texts, but for docstrings (of commands, click shows them)."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("file", FILES, ids=_name)
def test_no_module_beside_it_speaks_the_vendors_words(file: Path) -> None:
    if not _name(file).startswith((TARGET, *ITS_LIKENESS)):
        assert not [match[0] for match in WORDS.finditer(file.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("file", FILES, ids=_name)
def test_no_module_beside_it_speaks_the_other_vendors_words(file: Path) -> None:
    if not _name(file).startswith(OTHER_TARGET):
        assert not [match[0] for match in OTHER_WORDS.finditer(file.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("file", FILES, ids=_name)
def test_a_text_names_the_vendor_by_the_targets_own_name_alone(file: Path) -> None:
    if not _name(file).startswith((TARGET, *PLAYS, *SETTINGS)):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        assert not [text for text in _texts(tree) if re.search(rf"\b{playment.NAME}\b", text)]
    if not _name(file).startswith((OTHER_TARGET, *OTHER_PLAYS, *SETTINGS)):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        assert not [text for text in _texts(tree) if re.search(rf"\b{label_studio.NAME}\b", text)]


@pytest.mark.parametrize("file", sorted((PACKAGE / "commands").rglob("*.py")), ids=_name)
def test_no_help_of_a_command_speaks_of_the_one_target_alone(file: Path) -> None:
    if not _name(file).startswith(PLAYS):
        assert not re.search(rf"\b{playment.NAME}\b", file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", FILES, ids=_name)
def test_nobody_asks_which_target_it_is(file: Path) -> None:
    if not _name(file).startswith(("targets/", *SETTINGS)):
        assert not [*_askers(ast.parse(file.read_text(encoding="utf-8")))]


def test_who_asks_is_seen() -> None:
    asked = "if a.target == 'playment' or x in (targets.LABEL_STUDIO,) or isinstance(t, PlaymentTarget): pass"
    assert len([*_askers(ast.parse(asked))]) == 3
    assert not [*_askers(ast.parse("x = {targets.PLAYMENT: PlaymentTarget}[settings.target]"))]


def _askers(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield what compares with the name of a target, and what asks for its class."""
    for node in ast.walk(tree):
        is_asking = isinstance(node, ast.Compare | ast.match_case) or (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"isinstance", "type"}
        )
        if is_asking and any(NAMES_ONE.fullmatch(each) for each in _words(node)):
            yield node


def _words(node: ast.AST) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.Name | ast.Attribute):
            yield each.id if isinstance(each, ast.Name) else each.attr
        elif isinstance(each, ast.Constant):
            yield str(each.value)


def test_the_assembly_alone_picks_the_target() -> None:
    knows = {
        _name(file)
        for file in FILES
        if not _name(file).startswith(TARGET)
        and any(
            name.startswith("agent.targets.playment") for name in _imported(ast.parse(file.read_text(encoding="utf-8")))
        )
    }
    assert knows == PICKS


def test_the_words_are_found_where_they_are_said() -> None:
    said = "".join(file.read_text(encoding="utf-8") for file in FILES if _name(file).startswith(TARGET))
    for word in ("FS_0001", "GE_0001", "api.playment", "page_token", "x-api-key", '"work_flow_id"', "image_url"):
        assert word in said
        assert WORDS.search(word)
    other = "".join(file.read_text(encoding="utf-8") for file in FILES if _name(file).startswith(OTHER_TARGET))
    for word in ("api/tasks", "api/token", "label_config", "item_index", "valueList", "filter:tasks"):
        assert word in other
        assert OTHER_WORDS.search(word)
    assert not WORDS.search("settings.playment_work_flow_id or PLAYMENT_WORK_FLOW_ID")
    function = "def f():\n    'Playment.'\n    return f'{x} of Playment', 'b'"
    assert sorted(_texts(ast.parse(function))) == [" of Playment", "b"]
