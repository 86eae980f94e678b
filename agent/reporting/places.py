"""Where what a person names lies in the watch folder. I/O."""

from __future__ import annotations

import os


def relative(watch_dir: str, path: str, cwd: str) -> str | None:
    """Return a path relative to the watch folder, or None where it is outside. Links are resolved but for the last."""
    absolute = os.path.normpath(os.path.join(cwd, path))
    folder, name = os.path.split(absolute)
    absolute = os.path.join(os.path.realpath(folder), name)
    if absolute == watch_dir:
        return ""
    return absolute[len(watch_dir) + 1 :] if absolute.startswith(f"{watch_dir}/") else None
