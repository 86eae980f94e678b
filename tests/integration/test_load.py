from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.errors import SettingsError
from agent.host import mounts
from agent.service.names import DEFAULTS
from agent.settings import load, variables
from agent.settings.written import load_ledger_path

ROOT = Path(__file__).parents[2]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    return {
        "PLAYMENT_API_KEY": "s3cret",
        "PLAYMENT_PROJECT_ID": "p1",
        "PLAYMENT_TAG": "car",
        "WATCH_DIR": str(inbox),
        "PUBLISH_TO": "https://images.example.com/inbox/",
    }


def problems(environ: dict[str, str], cwd: Path, env_file: Path | None = None) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load.load(environ, cwd, env_file, defaults=DEFAULTS)
    return caught.value.problems


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_the_example_in_the_repository_is_the_table() -> None:
    assert (ROOT / ".env.example").read_text(encoding="utf-8") == variables.example(DEFAULTS)


def test_the_environment_alone_is_enough(tmp_path: Path, environ: dict[str, str]) -> None:
    settings = load.load(environ, tmp_path, None, defaults=DEFAULTS)
    assert settings.watch_dir == tmp_path / "inbox"
    assert settings.ledger_path == tmp_path / "ledger.db"


def test_the_environment_wins_over_the_file_and_nothing_is_interpolated(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    del environ["PLAYMENT_API_KEY"]
    write(tmp_path / ".env", "PLAYMENT_API_KEY='a${PLAYMENT_TAG}$b'\nPLAYMENT_TAG=bus\nexport LOG_LEVEL=debug # loud\n")
    settings = load.load(environ, tmp_path, None, defaults=DEFAULTS)
    assert settings.playment_api_key.reveal() == "a${PLAYMENT_TAG}$b"
    assert settings.playment_tag == "car"
    assert settings.log_level == "DEBUG"


def test_an_empty_text_in_the_environment_switches_the_files_setting_off(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    write(tmp_path / ".env", "LOG_LEVEL=debug\n")
    assert load.load({**environ, "LOG_LEVEL": ""}, tmp_path, None, defaults=DEFAULTS).log_level == "INFO"


def test_a_named_file_is_read_in_place_of_the_one_in_the_folder(tmp_path: Path, environ: dict[str, str]) -> None:
    write(tmp_path / ".env", "LOG_LEVEL=debug\n")
    write(tmp_path / "other.env", "SETTLE_SECONDS=7\n")
    settings = load.load(environ, tmp_path, Path("other.env"), defaults=DEFAULTS)
    assert (settings.log_level, settings.settle_seconds) == ("INFO", 7.0)


def test_a_named_file_that_is_not_there_is_a_problem_beside_the_others(tmp_path: Path) -> None:
    found = problems({}, tmp_path, tmp_path / "no.env")
    assert found[0] == f"{tmp_path}/no.env is not there: --env-file must name a file of settings."
    assert {problem.split()[0] for problem in found[1:]} == {
        "PLAYMENT_PROJECT_ID",
        "WATCH_DIR",
        "PUBLISH_TO",
        "PLAYMENT_API_KEY",
        "Neither",
    }


def test_lines_that_cannot_be_read_and_misspelt_names_are_problems(tmp_path: Path, environ: dict[str, str]) -> None:
    write(tmp_path / ".env", "# fine\nPLAYMENT_TAG\nSETLE_SECONDS=3\nHTTPS_PROXY=x\nLOG_LEVEL='debug\n")
    found = problems(environ, tmp_path)
    assert [problem.removeprefix(f"{tmp_path}/.env, ").split(":")[0] for problem in found] == [
        "line 2",
        "line 5",
        "SETLE_SECONDS is no setting of this version",
    ]


def test_a_file_that_is_no_text_is_a_problem(tmp_path: Path, environ: dict[str, str]) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe\x00")
    assert problems(environ, tmp_path) == (f"{tmp_path}/.env is not UTF-8 text: save it as UTF-8.",)
    (tmp_path / "folder").mkdir()
    assert "cannot be read (Is a directory)" in problems(environ, tmp_path, tmp_path / "folder")[0]


def test_a_file_of_settings_in_the_watch_folder_is_refused_also_through_a_link(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    inbox = tmp_path / "inbox"
    write(inbox / ".env", "")
    (tmp_path / "link").symlink_to(inbox)
    assert problems(environ, inbox)[0].startswith("The file of settings lies in the watch folder")
    assert problems(environ, tmp_path / "link")[0].startswith("The file of settings lies in the watch folder")


def test_a_ledger_in_the_watch_folder_is_refused_also_through_a_link(tmp_path: Path, environ: dict[str, str]) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "inbox")
    (found,) = problems({**environ, "LEDGER_PATH": "link/ledger.db"}, tmp_path)
    assert found.startswith("LEDGER_PATH lies in the watch folder")
    (found,) = problems({**environ, "LEDGER_PATH": str(tmp_path)}, tmp_path)
    assert found.endswith("it is a folder. It must be a file's path.")


def test_a_watch_folder_that_cannot_be_watched_is_a_problem(tmp_path: Path, environ: dict[str, str]) -> None:
    (found,) = problems({**environ, "WATCH_DIR": "gone"}, tmp_path)
    assert found == "WATCH_DIR is 'gone': there is no such folder. It must be an existing folder."
    write(tmp_path / "file", "")
    (found,) = problems({**environ, "WATCH_DIR": "file"}, tmp_path)
    assert found == "WATCH_DIR is 'file': this is no folder. It must be an existing folder."


def test_a_watch_folder_that_this_user_may_not_list_is_a_problem(tmp_path: Path, environ: dict[str, str]) -> None:
    if os.geteuid() == 0:
        nobody = 65534
        # Root may read everything, so another user asks; it needs a way in to the code and to the folder.
        (tmp_path / "inbox").chmod(0o700)
        for folder in [tmp_path, *tmp_path.parents[:-2]]:
            folder.chmod(folder.stat().st_mode | 0o011)
        program = (
            "import os, sys\nfrom pathlib import Path\n"
            "from agent.settings.load import load\nfrom agent.errors import SettingsError\n"
            f"os.setgroups([]); os.setgid({nobody}); os.setuid({nobody})\n"
            "defaults = {'PLAYMENT_BASE_URL': 'https://host'}\n"
            "try:\n    load(dict(os.environ), Path(sys.argv[1]), None, defaults=defaults)\n"
            "except SettingsError as error:\n    sys.exit(str(error))\n"
        )
        asked = subprocess.run(
            [sys.executable, "-c", program, tmp_path],
            env={**environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        found = asked.stderr.strip()
    else:
        (tmp_path / "inbox").chmod(0)
        (found,) = problems(environ, tmp_path)
        (tmp_path / "inbox").chmod(0o700)
    assert found.endswith("it cannot be listed (Permission denied). This user must be able to read and enter it.")


@pytest.mark.parametrize(
    ("mode", "key", "warned"), [(0o640, "k", True), (0o604, "k", True), (0o600, "k", False), (0o644, "", False)]
)
def test_a_key_that_others_can_read_is_warned_of(
    tmp_path: Path, environ: dict[str, str], caplog: pytest.LogCaptureFixture, mode: int, key: str, warned: bool
) -> None:
    write(tmp_path / ".env", f"PLAYMENT_API_KEY={key}\n", mode)
    with caplog.at_level(logging.WARNING):
        load.load(environ, tmp_path, None, defaults=DEFAULTS)
    assert ("chmod 600" in caplog.text) is warned


def test_the_key_is_read_from_its_file_and_from_the_credential(tmp_path: Path, environ: dict[str, str]) -> None:
    del environ["PLAYMENT_API_KEY"]
    write(tmp_path / "playment_api_key", "from-credential\n")
    write(tmp_path / "key", "from-file\n")
    environ["CREDENTIALS_DIRECTORY"] = str(tmp_path)
    assert load.load(environ, tmp_path, None, defaults=DEFAULTS).playment_api_key.reveal() == "from-credential"
    environ["PLAYMENT_API_KEY_FILE"] = "key"
    assert load.load(environ, tmp_path, None, defaults=DEFAULTS).playment_api_key.reveal() == "from-file"
    (tmp_path / "key").write_bytes(b"\xff\xfe")
    assert "is not a text file" in problems(environ, tmp_path)[0]


def test_the_ledgers_path_alone_needs_no_other_setting(tmp_path: Path) -> None:
    assert load_ledger_path({}, tmp_path, None) == tmp_path / "ledger.db"
    assert load_ledger_path({"STATE_DIRECTORY": "/var/lib/x"}, tmp_path, None) == Path("/var/lib/x/ledger.db")
    write(tmp_path / ".env", "LEDGER_PATH=l/l.db\nSETLE_SECONDS=no\n")
    assert load_ledger_path({}, tmp_path, None) == tmp_path / "l/l.db"
    with pytest.raises(SettingsError, match="is not there"):
        load_ledger_path({}, tmp_path, Path("no.env"))


def test_a_command_that_asks_playment_nothing_needs_no_key(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    given = {
        "PLAYMENT_PROJECT_ID": "p1",
        "PLAYMENT_TAG": "boxes",
        "WATCH_DIR": "inbox",
        "PUBLISH_TO": "https://files.example.com/",
        "PLAYMENT_API_KEY_FILE": "only-for-the-service",
    }
    with pytest.raises(SettingsError, match="PLAYMENT_API_KEY_FILE"):
        load.load(given, tmp_path, None, defaults=DEFAULTS)
    assert load.load(given, tmp_path, None, needs_key=False, defaults=DEFAULTS).playment_api_key.reveal() == ""


def test_a_folder_that_the_services_sandbox_hides_is_told_from_one_that_is_not_there(
    tmp_path: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    environ |= {"WATCH_DIR": "/gone/inbox", "RESULTS_DIR": "/gone/results"}
    watch, results = sorted(problems(environ, tmp_path), reverse=True)
    assert "there is no such folder" in watch
    assert "no folder that is there" in results
    monkeypatch.setattr(mounts, "hidden", lambda _path: "ProtectHome=yes")
    watch, results = sorted(problems(environ, tmp_path), reverse=True)
    end = "ProtectHome=yes in the service's unit hides it from the service. Give the unit {} and ProtectHome=tmpfs"
    assert end.format("BindReadOnlyPaths=/gone/inbox") in watch
    assert end.format("BindPaths=/gone/results") in results
    monkeypatch.setattr(mounts, "hidden", lambda _path: "PrivateTmp=yes")
    assert "Give the unit BindPaths=/gone/results in a drop-in" in "".join(problems(environ, tmp_path))
