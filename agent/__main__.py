"""`playment-agent`, and `python -m agent`."""

from __future__ import annotations

import gc
import sys
import warnings

from agent.commands import cli

CYCLES_AFTER = 50_000
"""New objects after which Python looks for cycles among them, in place of 700. A sequence of 1,000 frames makes a
hundred thousand, and none in a cycle: looking took a fifth of the processor time of sending sequences, and takes a
twentieth of that of imports (measured)."""


def main() -> None:
    """Run the command line; the process's exit code is the command's."""
    gc.set_threshold(CYCLES_AFTER)
    _guess_no_encodings()
    cli(prog_name="playment-agent")


def _guess_no_encodings() -> None:
    """Have requests do without what guesses a text's encoding, 3 MiB: all that is read here says its own, or is UTF-8.

    requests works without (`Response.apparent_encoding` is UTF-8 then), but warns of it as it is imported.
    """
    for name in ("charset_normalizer", "chardet"):
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # "it is not there"
    warnings.filterwarnings("ignore", message="Unable to find acceptable character detection dependency")


if __name__ == "__main__":
    main()
