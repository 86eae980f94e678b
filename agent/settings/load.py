"""The settings' shell: reads the environment, the file of settings and the places they name, for `config`.

The environment wins over the file, also where it holds an empty text (that is how one run does without a setting).
"""

from __future__ import annotations

import logging
import os
import stat
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.errors import SettingsError
from agent.host import mounts
from agent.settings.places import Absent, ledger_text, quoted
from agent.settings.secret import FLEET, secret_of
from agent.settings.settings import Settings, parse, unknown_names
from agent.settings.targets import TARGETS
from agent.settings.variables import VARIABLES
from agent.settings.written import written_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.settings.secret import Secret

log = logging.getLogger(__package__)

NONE: Mapping[str, str] = {}


def load(
    environ: Mapping[str, str],
    cwd: Path,
    env_file: Path | None,
    *,
    needs_key: bool = True,
    defaults: Mapping[str, str] = NONE,
) -> Settings:
    """Return the settings from `environ` and from `env_file`, or `.env` in `cwd` where that exists.

    Relative paths are taken from `cwd`; `defaults` are as in `settings.parse`. The key is not read where it is not
    needed: with a systemd credential only the service can. Logs a warning where others can read a key in the file.
    Raises SettingsError with every problem, also those of the places that the settings name; NotThereYet where each is
    one that time alone may mend.
    """
    file, written, problems = written_in(cwd, env_file)
    given = {**written, **environ}
    if file and any(written.get(target.key.variable) for target in TARGETS.values()):
        _warn_of_readers(file)
    problems += unknown_names(written)

    def resolve(path: str) -> Path:
        return Path(os.path.realpath(cwd / path))

    try:
        settings = parse(
            given,
            defaults=defaults,
            read_text=_reader(cwd),
            resolve=resolve,
            watch_problem=_watch_problem,
            ledger_problem=_ledger_problem,
            results_problem=_results_problem,
            env_file=resolve(str(file)) if file else None,
            needs_key=needs_key,
        )
    except SettingsError as error:
        if not problems:
            raise
        raise SettingsError([*problems, *error.problems]) from None
    if problems:
        raise SettingsError(problems)
    return settings


def load_fleet_dsn(environ: Mapping[str, str], cwd: Path, env_file: Path | None) -> Secret | None:
    """Return the fleet's address for who makes its database, None where none is set; no other setting is looked at.

    Raises SettingsError where it, or the file of settings, cannot be read.
    """
    _, written, problems = written_in(cwd, env_file)
    found = secret_of(FLEET, {**written, **environ}, _reader(cwd), problems)
    if problems:
        raise SettingsError(problems)
    return found


@dataclass(frozen=True, slots=True)
class PageSettings:
    """What the page asks of the settings: each is as in `Settings`, and a folder is None where it is not set."""

    ledger_path: Path
    watch_dir: Path | None
    results_dir: Path | None
    price_per_image: float | None
    price_per_frame: float | None
    page_orders: bool
    page_names: frozenset[str]


def load_page(environ: Mapping[str, str], cwd: Path, env_file: Path | None) -> PageSettings:
    """Return what the page needs; no other setting is looked at, no key, and whether its folders are there neither.

    Raises SettingsError.
    """
    _, written, problems = written_in(cwd, env_file)
    given = {**written, **environ}
    wanted = {field.name for field in fields(PageSettings)} - {"ledger_path"}
    found: dict[str, Any] = {}
    for variable in VARIABLES:
        if variable.field in wanted:
            text = variable.text(given, {})
            try:
                found[variable.field] = variable.read(text) if text else variable.unset
            except ValueError as error:
                problems.append(f"{variable.name} is {quoted(variable.show(text))}: {error}.")
    if problems:
        raise SettingsError(problems)
    folders = {name: found[name] and Path(os.path.realpath(cwd / found[name])) for name in ("watch_dir", "results_dir")}
    return PageSettings(**{**found, **folders}, ledger_path=Path(os.path.realpath(cwd / ledger_text(given))))


def load_address_and_key(
    target: str, environ: Mapping[str, str], cwd: Path, env_file: Path | None
) -> tuple[str, Secret]:
    """Return a target's address and key for commands that need nothing else; no other setting is looked at.

    Raises SettingsError.
    """
    _, written, problems = written_in(cwd, env_file)
    given, of_target = {**written, **environ}, TARGETS[target]
    (variable,) = [each for each in of_target.variables if each.name == of_target.address]
    address = ""
    try:
        address = str(variable.read(given.get(variable.name, "")))
    except ValueError as error:
        problems.append(f"{variable.name} is {quoted(variable.show(given.get(variable.name, '')))}: {error}.")
    key = secret_of(of_target.key, given, _reader(cwd), problems)
    if problems or key is None:
        raise SettingsError(problems)
    return address, key


def _reader(cwd: Path) -> Callable[[str], str]:
    return lambda path: (cwd / path).read_text(encoding="utf-8")


def _warn_of_readers(file: Path) -> None:
    if os.stat(file).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        log.warning("%s holds a key or a token, and others than its owner may read it: run chmod 600 on it", file)


def _watch_problem(folder: Path) -> str | None:
    """Return what is wrong with the watch folder, as the end of a sentence."""
    try:
        with os.scandir(folder):
            return None
    except (FileNotFoundError, PermissionError) as error:
        if setting := mounts.hidden(folder):
            return _hidden_by(setting, f"BindReadOnlyPaths={folder}")
        if isinstance(error, PermissionError):
            return _unlisted(error)
        return Absent("there is no such folder. It must be an existing folder.")
    except NotADirectoryError:
        return "this is no folder. It must be an existing folder."
    except OSError as error:
        return _unlisted(error)


def _unlisted(error: OSError) -> str:
    return Absent(f"it cannot be listed ({error.strerror}). This user must be able to read and enter it.")


def _hidden_by(setting: str, bind: str) -> str:
    """Return the end of a sentence about a folder that a setting of systemd's keeps out of the service's sight."""
    keep, _, value = setting.partition("=")
    shown = " and ProtectHome=tmpfs" if value == "yes" and keep == "ProtectHome" else ""
    return (
        f"{setting} in the service's unit hides it from the service. Give the unit {bind}{shown} in a drop-in "
        "(systemctl edit), and start it again."
    )


def _ledger_problem(path: Path) -> str | None:
    """Return what is wrong with the ledger's place, as the end of a sentence."""
    kind = mounts.filesystem_kind(path.parent)
    if kind.network:
        # https://www.sqlite.org/wal.html: 'WAL does not work over a network filesystem'.
        return (
            f"it lies on a network file system ({kind.name}), where SQLite can lose data. It must be on a local disk."
        )
    return "it is a folder. It must be a file's path." if os.path.isdir(path) else None


def _results_problem(folder: Path) -> str | None:
    """Return what is wrong with the place for results, as the end of a sentence."""
    missing = "it is no folder that is there. It must be an existing folder."
    try:
        if not stat.S_ISDIR(os.stat(folder).st_mode):
            return missing
    except OSError as error:
        if setting := mounts.hidden(folder):
            return _hidden_by(setting, f"BindPaths={folder}")
        if isinstance(error, FileNotFoundError):
            return Absent(missing)
        return Absent(f"it cannot be looked at ({error.strerror}). This user must be able to enter it.")
    if not os.access(folder, os.W_OK | os.X_OK):
        return "this user may not write there. Give it the right to (under systemd: ReadWritePaths= in a drop-in)."
    return None
