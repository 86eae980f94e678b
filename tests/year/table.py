"""A year as a table: a row a month."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from tests.year.judging import Month
    from tests.year.life import Year

HEAD = (
    "drops",
    "jobs paid",
    "outages",
    "restarts",
    "kills",
    "RSS MiB",
    "open files",
    "WAL MiB",
    "ledger bytes a job",
    "log lines",
)


def table(year: Year) -> Table:
    """Return a year."""
    shown = Table("month", title=f"a year, seed {year.seed}")
    for name in HEAD:
        shown.add_column(name, justify="right")
    for number, month in enumerate(year.months, start=1):
        shown.add_row(str(number), *_cells(month))
    return shown


def told(month: Month) -> str:
    """Return a month as one line."""
    return ", ".join(f"{name} {value}" for name, value in zip(HEAD, _cells(month), strict=True))


def _cells(month: Month) -> list[str]:
    return [
        f"{month.drops:,}",
        f"{month.paid:,}",
        str(month.outages),
        str(month.restarts),
        str(month.kills),
        f"{month.rss_mib:.1f}",
        str(month.open_files),
        f"{month.wal_mib:.1f}",
        f"{month.bytes_a_job:,.0f}",
        f"{month.log_lines:,}",
    ]
