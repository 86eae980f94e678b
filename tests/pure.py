"""The pure modules: `test_purity` proves them pure, and their coverage is counted together.

`python -m tests.pure` prints their files for `coverage report --include`.
"""

from __future__ import annotations

import sys

PURE = frozenset(
    {
        "agent",
        "agent.agenda",
        "agent.answers",
        "agent.config",
        "agent.error_table",
        "agent.errors",
        "agent.filters",
        "agent.folder_settings",
        "agent.model",
        "agent.once",
        "agent.payload",
        "agent.plan",
        "agent.publishers",
        "agent.publishers.keys",
        "agent.publishers.store_errors",
        "agent.quiet",
        "agent.reference",
        "agent.sequence",
        "agent.settle",
        "agent.spend",
        "agent.states",
        "agent.values",
        "agent.variables",
    }
)

if __name__ == "__main__":
    sys.stdout.write(",".join(sorted(f"{module.replace('.', '/')}.py" for module in PURE if module != "agent")))
