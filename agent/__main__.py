"""`playment-agent`, and `python -m agent`."""

from __future__ import annotations

from agent.commands import cli


def main() -> None:
    """Run the command line; the process's exit code is the command's."""
    cli(prog_name="playment-agent")


if __name__ == "__main__":
    main()
