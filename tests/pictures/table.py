"""What was seen, as tables: good files by encoder, and damages by kind and format."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.table import Table

from tests.pictures.damage import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.pictures.judging import Shares, Verdict


def good(verdicts: Sequence[Verdict], missing: Mapping[str, str]) -> Table:
    """Return how many whole files of each encoder passed."""
    shown = Table("encoder", "files", "passed", "refused", "told", "warned", "formats", title="Good files")
    for encoder in dict.fromkeys(verdict.good.encoder for verdict in verdicts):
        _row(shown, encoder, [verdict for verdict in verdicts if verdict.good.encoder == encoder])
    for encoder in missing:
        shown.add_row(encoder, "NOT RUN")
    shown.add_section()
    _row(shown, "all", verdicts)
    return shown


def _row(shown: Table, name: str, verdicts: Sequence[Verdict]) -> None:
    refused = sum(verdict.is_refused for verdict in verdicts)
    told = sum(verdict.is_told for verdict in verdicts)
    warned = sum(verdict.problem is None and verdict.warning is not None for verdict in verdicts)
    groups = Counter(verdict.group for verdict in verdicts)
    formats = ", ".join(f"{group} {count}" for group, count in sorted(groups.items()))
    counts = (len(verdicts), len(verdicts) - refused - told, refused, told, warned)
    shown.add_row(name, *(f"{count:,}" for count in counts), formats)


def found(shares: Shares) -> Table:
    """Return how many damages of each kind were found."""
    shown = Table("format", *Kind, title="Damaged files that are found")
    for group in shares.groups():
        shown.add_row(group, *(_cell(shares, group, kind) for kind in Kind))
    return shown


def _cell(shares: Shares, group: str, kind: Kind) -> str:
    told = shares.told(group, kind)
    return told if shares.is_reached(group, kind) else f"{told} NOT"
