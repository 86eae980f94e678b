from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from agent.settings.settings import PLACES

UNITS = Path(__file__).parents[2] / "systemd"
NAMES = ["playment-agent.service", "playment-agent@.service"]
PAGE = "playment-agent-page.service"
SANDBOX = "# --- The sandbox"

analyze = shutil.which("systemd-analyze")
needs_analyze = pytest.mark.skipif(analyze is None, reason="systemd-analyze is not installed")


def text(name: str) -> str:
    return (UNITS / name).read_text(encoding="utf-8")


def directives(name: str) -> list[str]:
    return [line for line in text(name).splitlines() if re.match(r"[A-Z]", line)]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    assert analyze is not None
    return subprocess.run([analyze, *command], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "directive",
    [
        "Type=notify",
        "NotifyAccess=main",
        "WatchdogSec=60",
        "Restart=always",
        "RestartPreventExitStatus=2 3",
        "TimeoutStopSec=30",
        "ExecReload=/bin/sh -c 'kill -HUP \"$MAINPID\"'",
        "User=playment-agent",
        "StateDirectoryMode=0700",
        "UMask=0077",
        "WantedBy=multi-user.target",
    ],
)
def test_the_unit_says_what_it_must(name: str, directive: str) -> None:
    assert directives(name).count(directive) == 1


def test_each_instance_has_its_own_settings_key_ledger_and_mount() -> None:
    own = [line for line in directives(NAMES[1]) if "%i" in line]
    assert own == [
        "Description=Turns files dropped into a folder into annotation jobs (%i)",
        "RequiresMountsFor=/srv/inboxes/%i",
        "ExecStart=/opt/playment-agent/bin/playment-agent --env-file /etc/playment-agent/%i.env run",
        "LoadCredential=playment_api_key:/etc/playment-agent/%i.api_key",
        "StateDirectory=playment-agent/%i",
        "WorkingDirectory=%S/playment-agent/%i",
    ]


def test_the_two_units_differ_in_nothing_else() -> None:
    one, many = (text(name).partition("[Unit]\n")[2] for name in NAMES)
    for instance, single in [
        (" (%i)\n", "\n"),
        ("/srv/inboxes/%i", "/srv/inbox"),
        ("/%i.env", "/agent.env"),
        ("/%i.api_key", "/api_key"),
        ("playment-agent/%i\n", "playment-agent\n"),
    ]:
        assert instance in many
        many = many.replace(instance, single)
    assert many == one


@pytest.mark.parametrize("name", [*NAMES, PAGE])
def test_no_setting_goes_through_systemds_own_reading_of_files(name: str) -> None:
    assert not [line for line in directives(name) if line.startswith("EnvironmentFile")]


@pytest.mark.parametrize("name", [*NAMES, PAGE])
def test_each_directive_of_the_sandbox_has_its_reason_above_it(name: str) -> None:
    sandbox = text(name).partition(SANDBOX)[2].partition("[Install]")[0].strip().splitlines()[1:]
    lines = [line for line in sandbox if line]
    assert len([line for line in lines if not line.startswith("#")]) > 25
    for above, line in zip(["", *lines], lines, strict=False):
        assert line.startswith("#") or above.startswith("#"), f"no reason stands above {line}"


def test_the_page_has_no_key_and_speaks_to_this_host_alone() -> None:
    lines = directives(PAGE)
    assert not [line for line in lines if line.startswith("LoadCredential")]
    assert {"IPAddressDeny=any", "IPAddressAllow=localhost"} <= {*lines}
    (unset,) = [line.partition("=")[2].split() for line in lines if line.startswith("UnsetEnvironment=")]
    secrets = {place.variable for place in PLACES} | {place.file for place in PLACES}
    assert secrets <= {*unset}


def test_the_page_sees_no_file_that_the_agents_unit_has_a_secret_in() -> None:
    given = re.findall(r"LoadCredential=\w+:(\S+)", (UNITS / "playment-agent.service").read_text())
    (hidden,) = [line.partition("=")[2].split() for line in directives(PAGE) if line.startswith("InaccessiblePaths=")]
    assert len(given) == 3
    assert {f"-{path}" for path in given} == {*hidden}


@needs_analyze
@pytest.mark.parametrize("name", [*NAMES, PAGE])
def test_the_exposure_is_at_most_one_and_a_half(name: str) -> None:
    scored = run("security", "--offline=true", "--threshold=15", str(UNITS / name))
    assert scored.returncode == 0, scored.stdout[-300:] + scored.stderr


def test_the_drop_in_for_a_newer_systemd_has_it_send_the_signal() -> None:
    assert directives("notify-reload.conf") == ["Type=notify-reload", "ExecReload="]


def test_the_check_in_the_sandbox_leaves_out_what_a_check_cannot_have() -> None:
    script = text("check")
    for line in ("Type=oneshot", "Restart=no", "WatchdogSec=0", "ExecReload="):
        assert f"\n{line}\n" in script
    pattern = re.search(r"s/(.*)/(.*)/' ", script)
    assert pattern is not None
    expression = pattern[1].replace("\\(", "(").replace("\\)", ")")
    for name in NAMES:
        checked = [re.sub(expression, pattern[2], line) for line in directives(name)]
        assert [line.rpartition(" ")[2] for line in checked if line.startswith("ExecStart=")] == ["check"]


@needs_analyze
@pytest.mark.parametrize("name", [*NAMES, "playment-agent-backup.service", PAGE])
def test_systemd_knows_every_directive(name: str, tmp_path: Path) -> None:
    for program in ("opt/playment-agent/bin/playment-agent", "bin/sh", "usr/bin/find"):
        command = tmp_path / program
        command.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy("/bin/true", command)
    units = tmp_path / "etc/systemd/system"
    units.mkdir(parents=True)
    unit = name.replace("@", "@cam-1")
    verify = ("verify", f"--root={tmp_path}", "--recursive-errors=no", unit)
    (units / name).write_text(text(name))
    verified = run(*verify)
    assert (verified.returncode, verified.stderr) == (0, "")
    (units / name).write_text(text(name).replace("ProtectHome=", "ProtectHom="))
    assert run(*verify).returncode != 0
