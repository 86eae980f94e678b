"""The cost of a file against the number of files, as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.measure import Missing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    Points = Sequence[tuple[int, float]]

INSTALL = "pip install 'matplotlib>=3.8' (the extra 'bench')"


def draw(path: Path, lines: Mapping[str, Points]) -> None:
    """Write an SVG of lines through (files, microseconds a file). Raises Missing without matplotlib."""
    try:
        import matplotlib as mpl  # noqa: PLC0415 (only the chart needs it)
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise Missing(INSTALL) from error
    mpl.rcParams["svg.hashsalt"] = "growth"  # else no two pictures of the same figures would be equal
    figure = Figure(figsize=(6, 3.2), layout="constrained")
    axes = figure.subplots()
    for name, points in lines.items():
        axes.plot(*zip(*points, strict=True), marker="o", label=name)
    sizes = sorted({size for points in lines.values() for size, _ in points})
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.set_xlabel("files, 1,000 to a folder")
    axes.set_ylabel("µs a file")
    axes.legend()
    figure.savefig(path, metadata={"Date": None})
