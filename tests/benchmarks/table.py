"""Rows as a table for a person, and as JSON to keep."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.benchmarks.measure import Row


def table(rows: Sequence[Row], *, judged: bool) -> Table:
    """Return the table; where figures are not `judged` they only show that the benchmark runs."""
    shown = Table("benchmark", "", "ratio", "figures", "reference", "must reach", "ok")
    for row in rows:
        ratio = "".join(figure.told.removeprefix("ratio ") for figure in row.figures if figure.name == "ratio")
        others = ", ".join(figure.told for figure in row.figures if figure.name != "ratio")
        bounds = ", ".join(figure.bound.removeprefix("ratio ") for figure in row.figures if figure.bound)
        shown.add_row(
            row.benchmark, row.case, ratio, row.missing or others, row.reference, bounds, _verdict(row, judged=judged)
        )
    return shown


def _verdict(row: Row, *, judged: bool) -> str:
    if row.is_met is None or not judged:
        return ""
    return "ok" if row.is_met else "NOT"


def write_json(path: Path, rows: Sequence[Row], *, judged: bool) -> None:
    """Write the rows, each with what was found, and what they were measured on."""
    machine = {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()}
    written = [{**asdict(row), "ok": row.is_met if judged else None} for row in rows]
    path.write_text(json.dumps({"machine": machine, "rows": written}, indent=1, ensure_ascii=False) + "\n", "utf-8")
