"""Tries whether the service's user can run the program, where root asks: for root every file can be read."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from typing import TYPE_CHECKING

from agent.reporting.checks import fail, ok

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.reporting.checks import Check

PROGRAM = "program"
USER = "playment-agent"
"""The user that the units in `systemd/` name."""


def check_program() -> Iterator[Check]:
    """Start it as the service's user; nothing is said where there is none, or where not root asks."""
    if os.geteuid() != 0:
        return
    try:
        user = pwd.getpwnam(USER)
    except KeyError:
        return
    if _can_run(user):
        yield ok(PROGRAM, f"the user {USER} can run it")
    else:
        yield fail(
            PROGRAM,
            f"the user {USER} cannot run {sys.executable}, so the service cannot start. After umask 077: "
            f"chmod -R go+rX {sys.prefix}. By a Python in a home: make it anew with /usr/bin/python3",
        )


def _can_run(user: pwd.struct_passwd) -> bool:
    try:
        done = subprocess.run(
            [sys.executable, "-c", "import agent.commands"],
            user=user.pw_uid,
            group=user.pw_gid,
            extra_groups=os.getgrouplist(user.pw_name, user.pw_gid),
            cwd="/",
            env={},
            capture_output=True,
            timeout=60,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0
