"""`playment-agent`, and `python -m agent`."""

from __future__ import annotations

import gc

from agent.commands import cli

CYCLES_AFTER = 50_000
"""New objects after which Python looks for cycles among them, in place of 700. A sequence of 1,000 frames makes a
hundred thousand, and none in a cycle: looking took a fifth of the processor time of sending sequences, and takes a
twentieth of that of imports (measured)."""


def main() -> None:
    """Run the command line; the process's exit code is the command's."""
    gc.set_threshold(CYCLES_AFTER)
    cli(prog_name="playment-agent")


if __name__ == "__main__":
    main()
