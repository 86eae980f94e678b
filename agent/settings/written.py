"""What is written in the file of settings, and the one setting that many commands need: where the ledger is. I/O.

They start in half the time without what all settings are read by.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import SettingsError
from agent.settings.places import ledger_text

if TYPE_CHECKING:
    from collections.abc import Mapping


def load_ledger_path(environ: Mapping[str, str], cwd: Path, env_file: Path | None) -> Path:
    """Return the ledger's path for commands that need nothing else; no other setting is looked at.

    Raises SettingsError where the file of settings cannot be read.
    """
    _, written, problems = written_in(cwd, env_file)
    if problems:
        raise SettingsError(problems)
    return Path(os.path.realpath(cwd / ledger_text({**written, **environ})))


def written_in(cwd: Path, env_file: Path | None) -> tuple[Path | None, dict[str, str], list[str]]:
    """Return the file of settings that is there, what is written in it, and what is wrong with it."""
    file = cwd / (env_file or ".env")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        missing = [f"{file} is not there: --env-file must name a file of settings."] if env_file else []
        return None, {}, missing
    except OSError as error:
        return None, {}, [f"{file} cannot be read ({error.strerror}): it must be a file that this user may read."]
    except UnicodeDecodeError:
        return file, {}, [f"{file} is not UTF-8 text: save it as UTF-8."]
    from dotenv.parser import parse_stream  # noqa: PLC0415 - a sixth of `status`, and where systemd sets all there is no file

    written, problems = {}, []
    # Not dotenv_values: it only logs the lines that it cannot read, and a setting would be lost.
    for binding in parse_stream(io.StringIO(text)):
        if binding.error or (binding.key is not None and binding.value is None):
            line = binding.original.line
            problems.append(f"{file}, line {line}: it must be NAME=value, with quotes closed, or begin with '#'.")
        elif binding.key is not None:
            written[binding.key] = binding.value or ""
    return file, written, problems
