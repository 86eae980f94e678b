"""`agent/README.md` shows the tree and its layers as they are, and names no file that is gone."""

from __future__ import annotations

import re

from tests.layout import LAYERS, PACKAGE

TEXT = (PACKAGE / "README.md").read_text(encoding="utf-8")
TREE, LAYERS_SHOWN, FLOW = re.findall(r"^```\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)


def test_the_tree_is_the_real_one() -> None:
    shown = re.findall(r"^[├└]── (\S+)", TREE, flags=re.MULTILINE)
    folders = {f"{path.name}/" for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    modules = {path.name for path in PACKAGE.glob("*.py") if not path.name.startswith("__")}
    assert len(shown) == len(set(shown))
    assert set(shown) == folders | modules


def test_the_layers_are_those_that_are_held() -> None:
    shown = [set(line.split(" | ")) for line in LAYERS_SHOWN.splitlines()]
    assert shown == [set(line) for line in LAYERS[1:]]


def test_every_file_that_is_named_is_there() -> None:
    named = set(re.findall(r"`([\w/]+/(?:\w+\.py)?)`", TEXT))
    root = PACKAGE.parent
    gone = {name for name in named if not (PACKAGE / name).exists() and not (root / name).exists()}
    assert named
    assert gone == set()


def test_every_stage_of_the_flow_is_a_module() -> None:
    stages = re.findall(r"\b((?:folder|service|ledger|noticing|reading|sending|results)/\w+)", FLOW)
    assert stages
    assert [stage for stage in stages if not (PACKAGE / f"{stage}.py").exists()] == []
