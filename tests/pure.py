"""The pure modules: `test_purity` proves them pure, and their coverage is counted together.

`python -m tests.pure` prints their files for `coverage report --include`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import agent

PACKAGE = Path(agent.__file__).parent

# Every module of these is pure, also those that are yet to come.
FOLDERS = ("core", "model")

# Pure where they stand, beside others that are not.
SINGLE = frozenset(
    {
        "agent",
        "agent.demo",
        "agent.demo.label_studio",
        "agent.demo.label_studio.words",
        "agent.errors",
        "agent.fleet",
        "agent.fleet.records",
        "agent.folder",
        "agent.folder.covered",
        "agent.news",
        "agent.news.kept",
        "agent.news.pace",
        "agent.news.troubles",
        "agent.news.words",
        "agent.page",
        "agent.page.chart",
        "agent.page.gates",
        "agent.page.overlay",
        "agent.publishing",
        "agent.publishing.object_errors",
        "agent.publishing.object_keys",
        "agent.settings",
        "agent.settings.changes",
        "agent.settings.folder_toml",
        "agent.settings.parsers",
        "agent.settings.places",
        "agent.settings.secret",
        "agent.settings.settings",
        "agent.settings.targets",
        "agent.settings.variable",
        "agent.settings.variables",
        "agent.targets",
        "agent.targets.label_studio",
        "agent.targets.label_studio.answers",
        "agent.targets.label_studio.body",
        "agent.targets.label_studio.error_table",
        "agent.targets.label_studio.labelling",
        "agent.targets.label_studio.pages",
        "agent.targets.label_studio.queries",
        "agent.targets.label_studio.shapes",
        "agent.targets.playment",
        "agent.targets.playment.answers",
        "agent.targets.playment.body",
        "agent.targets.playment.error_table",
        "agent.targets.playment.shapes",
    }
)


def module_of(file: Path) -> str:
    """Return the module that a file of ours holds."""
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def file_of(module: str) -> Path:
    """Return the file of one of our modules, of a package its `__init__.py`."""
    path = PACKAGE.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


PURE = SINGLE | {module_of(file) for folder in FOLDERS for file in (PACKAGE / folder).rglob("*.py")}

if __name__ == "__main__":
    files = (file_of(module).relative_to(PACKAGE.parent) for module in PURE if module != "agent")
    sys.stdout.write(",".join(sorted(map(str, files))))
