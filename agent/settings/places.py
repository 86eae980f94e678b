"""The places that settings name: what is wrong with them, and what is only not there yet. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import NotThereYet, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import Any


class Absent(str):
    """A problem that may pass by itself: what a setting names is not there, or cannot be had now."""

    __slots__ = ()


def about(what: str, problem: str) -> str:
    """Return a problem with what it is about in front; whether it may pass stays."""
    return type(problem)(f"{what}: {problem}")


def quoted(text: str) -> str:
    """Return the text as it is shown in a problem: control characters escaped, and not endless."""
    return repr(text if len(text) <= 200 else text[:200] + "…")


def refused(problems: Sequence[str], found: Mapping[str, Any]) -> SettingsError:
    """Return the error for problems with settings, of which so much was `found`."""
    if all(isinstance(problem, Absent) for problem in problems):
        return NotThereYet(problems, found["log_level"], found["log_format"])
    return SettingsError(problems)


def ledger_text(given: Mapping[str, str]) -> str:
    """Return the ledger's path as it is set: LEDGER_PATH, else ledger.db in the first of systemd's $STATE_DIRECTORY.

    systemd.exec(5): several state directories are separated by colons. '' where LEDGER_PATH is no path at all.
    """
    if text := given.get("LEDGER_PATH"):
        return "" if "\0" in text else text
    folder = given.get("STATE_DIRECTORY", "").partition(":")[0]
    return f"{folder}/ledger.db" if folder else "ledger.db"


def results_dir(
    text: str | None,
    resolve: Callable[[str], Path],
    results_problem: Callable[[Path], str | None],
    problems: list[str],
) -> Path | None:
    """Return the folder for results, None where it is not set."""
    if text is None:
        return None
    folder = resolve(text)
    if problem := results_problem(folder):
        problems.append(about(f"RESULTS_DIR is {quoted(text)}", problem))
    return folder


def overlap(watch_dir: Path, results_dir: Path | None) -> list[str]:
    """Return a problem where the one folder lies in the other: results would be noticed, or images mixed with them."""
    if results_dir is None or not (results_dir.is_relative_to(watch_dir) or watch_dir.is_relative_to(results_dir)):
        return []
    both = f"RESULTS_DIR ({quoted(str(results_dir))}) and WATCH_DIR ({quoted(str(watch_dir))}) lie in each other"
    return [f"{both}: results would be noticed as if they were dropped, and served. Name a folder beside WATCH_DIR."]
