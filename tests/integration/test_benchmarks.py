"""The benchmarks still run, in their small form: every row is there, and the chart; what was measured is not judged."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.__main__ import BENCHMARKS, NAMED
from tests.benchmarks.images import FORMATS
from tests.postgres import programs

ROOT = Path(__file__).parents[2]
ALL = [*BENCHMARKS, *NAMED]


@pytest.mark.timeout(240)
def test_every_benchmark_still_runs(tmp_path: Path) -> None:
    written, out = tmp_path / "figures.json", tmp_path / "out"
    run = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", "--small", "--json", str(written), "--out", str(out), *ALL],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=230,
    )
    assert run.returncode == 0, run.stderr
    rows = json.loads(written.read_text("utf-8"))["rows"]
    assert list(dict.fromkeys(row["benchmark"] for row in rows)) == ALL
    missing = {row["benchmark"]: row["missing"] for row in rows if row["missing"]}
    needed = {
        **({} if shutil.which("watchman") else {"burst": "reference missing: apt-get install watchman"}),
        **({} if programs() else dict.fromkeys(("fleet", "sharing"), "reference missing: apt-get install postgresql")),
    }
    assert missing == needed
    assert all(row["ok"] is None for row in rows)
    judged = [row for row in rows if row["benchmark"] != "latency"]  # which is beyond what a bare request took
    assert all(figure["value"] >= 0 for row in judged for figure in row["figures"])
    pictures = [row for row in rows if row["benchmark"] == "images"]
    assert len(pictures) == len(FORMATS)
    assert all({"ratio", "memory"} <= {figure["name"] for figure in row["figures"]} for row in pictures)
    assert all(row["benchmark"] in run.stdout for row in rows)
    if importlib.util.find_spec("matplotlib"):
        assert "<svg" in (out / "growth.svg").read_text("utf-8")
    else:
        assert "The chart is left out: pip install 'matplotlib>=3.8'" in run.stderr
        assert not (out / "growth.svg").exists()
