"""What `demo --label-studio` says before it fetches anything, and where it cannot go on: one sentence each."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from agent.demo.label_studio.installing import installation, server_environ
from agent.demo.label_studio.words import NEEDED_MB, ON_DISK_MB, PIP, VERSION, announced, no_room, why_not
from agent.errors import AgentError

# As pip 23.2 and Debian's python3 say it.
REFUSED = """\
WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after connection broken by \
'NewConnectionError('<pip._vendor.urllib3.connection.HTTPSConnection object at 0x7f01a0393210>: Failed to establish a \
new connection: [Errno -3] Temporary failure in name resolution')': /simple/label-studio/
ERROR: Could not find a version that satisfies the requirement label-studio==1.23.2 (from versions: none)
ERROR: No matching distribution found for label-studio==1.23.2
"""
FULL = """\
pip._vendor.urllib3.exceptions.ProtocolError: ("Connection broken: OSError(28, 'No space left on device')", \
OSError(28, 'No space left on device'))
"""
NO_VENV = """\
The virtual environment was not created successfully because ensurepip is not
available.  On Debian/Ubuntu systems, you need to install the python3-venv
package using the following command.

    apt install python3.11-venv
"""
OLD_PYTHON = """\
ERROR: Ignored the following versions that require a different python version: 0.9.0 Requires-Python >=3.5, <3.9; \
1.23.1 Requires-Python <4,>=3.10; 1.23.2 Requires-Python <4,>=3.10
ERROR: Could not find a version that satisfies the requirement label-studio==1.23.2 (from versions: 0.4.1, 0.4.2)
ERROR: No matching distribution found for label-studio==1.23.2
"""
OLD_INDEX = OLD_PYTHON.replace("; 1.23.2 Requires-Python <4,>=3.10", "")
NO_WHEEL = """\
  Failed to build lxml
ERROR: Could not build wheels for lxml, which is required to install pyproject.toml-based projects
"""
OTHER = "Traceback (most recent call last):\n  File x\ndjango.db.utils.OperationalError: unable to open database file\n"


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (REFUSED, ["could not reach", "PIP_INDEX_URL", "LOG"]),
        (FULL, ["The disk is full", "make room"]),
        (NO_VENV, ["Python 3.14", "apt install python3-venv"]),
        ("/usr/bin/python3: No module named venv\n", ["apt install python3-venv"]),
        (OLD_PYTHON, [f"Label Studio {VERSION} does not run with Python 3.14", "3.12"]),
        (OLD_INDEX, ["there is no label-studio==1.23.2 for Python 3.14", "PIP_INDEX_URL", "LOG"]),
        ("ERROR: No matching distribution found for pyarrow<25.0.0,>=24.0.0\n", ["no pyarrow<25.0.0,>=24.0.0 for"]),
        (NO_WHEEL, ["could not build it", "Python 3.11, 3.12 or 3.13", "LOG"]),
        (OTHER, [f"{VERSION} could not be installed: unable to open database file", "LOG"]),
        ("", [f"{VERSION} could not be installed", "LOG"]),
    ],
)
def test_why_it_could_not_be_made_is_one_sentence(output: str, words: list[str]) -> None:
    told = why_not(output, "3.14", "LOG")
    assert [word for word in words if word not in told] == []
    assert "\n" not in told
    assert told.endswith(".")


def test_what_is_fetched_is_said_before() -> None:
    what, _, command = announced("/home/ann/.cache/playment-agent").partition("\n")
    assert [word for word in (VERSION, "pip", "230 MB", "1 GB", "3 to 6 minutes") if word not in what] == []
    assert command == " rm -r /home/ann/.cache/playment-agent"
    assert NEEDED_MB > ON_DISK_MB
    assert "1,300 MB below /c" in no_room("/c", 12)


def test_pip_asks_nothing_and_fetches_the_one_version() -> None:
    assert PIP[-1] == f"label-studio=={VERSION}"
    assert "--no-input" in PIP


def test_it_goes_into_the_users_folder_for_caches() -> None:
    made = installation({"XDG_CACHE_HOME": "/c"})
    assert made.cache == Path("/c/playment-agent")
    assert made.folder.name == f"label-studio-{VERSION}-py{sys.version_info[0]}{sys.version_info[1]}"
    assert {made.python.parents[2], made.database.parent} == {made.folder}


@pytest.mark.parametrize("environ", [{}, {"XDG_CACHE_HOME": ""}, {"XDG_CACHE_HOME": "relative"}])
def test_without_one_it_goes_into_the_home_folder(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/h")
    assert installation(environ).cache == Path("/h/.cache/playment-agent")


def test_a_user_without_a_home_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError

    monkeypatch.setattr(Path, "home", no_home)
    with pytest.raises(AgentError, match="XDG_CACHE_HOME"):
        installation({})


def test_the_server_is_told_nothing_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LABEL_STUDIO_USERNAME", "DJANGO_DB", "POSTGRE_HOST", "PLAYMENT_API_KEY", "PYTHONPATH", "HOST"):
        monkeypatch.setenv(name, "x")
    environ = server_environ(Path("/d"))
    assert set(environ) <= {
        "PATH", "LANG", "LC_ALL", "TZ", "HOME", "COLLECT_ANALYTICS", "SENTRY_RATE", "SENTRY_DSN", "FRONTEND_SENTRY_DSN",
        "LATEST_VERSION_CHECK",
    }  # fmt: skip
    assert (environ["SENTRY_DSN"], environ["FRONTEND_SENTRY_DSN"], environ["HOME"]) == ("", "", "/d")
    assert (environ["COLLECT_ANALYTICS"], environ["LATEST_VERSION_CHECK"]) == ("false", "false")
