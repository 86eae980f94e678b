"""What a command imports: a person waits for it each time, and a service holds it for all its life."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from agent.commands import MODULES, cli
from agent.core.image_format import EXTENSIONS
from tests.support import Playment, environ, frames, image, used_ledger, write

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
# What an interpreter loads before it runs anything (an editable install's finder, for one) does not count.
PROGRAM = """
import atexit, os, sys
before = set(sys.modules)
def tell():
    with open(os.environ["TOLD"], "w") as file:
        print(*(name for name in set(sys.modules) - before if sys.modules[name]), file=file)
atexit.register(tell)
from agent.__main__ import main
main()
"""
# As `run` and its commands make the target of the settings; no target is asked anything for that.
MAKER = """
import os, sys
from pathlib import Path
from agent.service.assembly import target_of
from agent.service.names import DEFAULTS
from agent.settings.load import load
target_of(load(os.environ, Path.cwd(), None, defaults=DEFAULTS)).close()
print(*sys.modules)
"""
TARGETS = {"playment", "label_studio"}
OF_LABEL_STUDIO = {
    "TARGET": "label-studio", "LABEL_STUDIO_URL": "http://127.0.0.1:9", "LABEL_STUDIO_TOKEN": "0" * 40,
    "LABEL_STUDIO_IMAGE_PROJECT": "1", "LABEL_STUDIO_SEQUENCE_PROJECT": "2", "PUBLISH_PROBE": "all",
}  # fmt: skip
HEAVY = {
    "PIL", "apprise", "charset_normalizer", "matplotlib", "natsort", "numpy", "obstore", "prometheus_client", "psycopg",
    "requests", "rich", "simplejpeg", "sqlite_utils", "urllib3", "watchdog",
}  # fmt: skip


def imported(place: Path, *arguments: str, settings: Mapping[str, str]) -> set[str]:
    """Return what a command has imported when it ends, well."""
    told = place / "imported"
    subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        env={**os.environ, **settings, "TOLD": str(told)},
        cwd=place,
        capture_output=True,
        timeout=60,
        check=True,
    )
    return set(told.read_text(encoding="utf-8").split())


def ours(modules: set[str]) -> set[str]:
    return {module for module in modules if module.startswith("agent.")}


def roots(modules: set[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A watch folder with one image, and a ledger that is not new."""
    place = tmp_path_factory.mktemp("imports")
    write(place / "inbox" / "a.jpg", image(1))
    used_ledger(place)
    return place


@pytest.fixture(scope="module")
def settings(place: Path) -> dict[str, str]:
    return environ(place, "http://127.0.0.1:9")


def test_the_version_is_told_with_three_modules_of_ours(place: Path, settings: dict[str, str]) -> None:
    modules = imported(place, "--version", settings=settings)
    assert ours(modules) == {"agent.__main__", "agent.commands"}
    assert len(modules) <= 130, sorted(modules)


def test_the_status_needs_neither_all_settings_nor_what_the_stages_ask(place: Path, settings: dict[str, str]) -> None:
    modules = imported(place, "status", settings=settings)
    assert len(ours(modules)) <= 42, sorted(ours(modules))
    assert len(modules) <= 190, sorted(modules)
    assert not roots(modules) & {*HEAVY, "dotenv", "hashlib", "logging", "natsort", "socket"}


def test_an_explanation_reads_and_sends_nothing(place: Path, settings: dict[str, str]) -> None:
    modules = imported(place, "explain", "a.jpg", settings=settings)
    assert len(ours(modules)) <= 125, sorted(ours(modules))
    assert not roots(modules) & {*HEAVY, "hashlib", "subprocess"}


@pytest.mark.parametrize(("target", "given"), [("playment", {}), ("label_studio", OF_LABEL_STUDIO)])
def test_one_target_brings_nothing_of_another(
    target: str, given: dict[str, str], place: Path, settings: dict[str, str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MAKER],
        env={**os.environ, **settings, **given},
        cwd=place,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    modules = set(done.stdout.split())
    assert f"agent.targets.{target}.target" in modules
    (other,) = TARGETS - {target}
    assert not {name for name in modules if name.startswith(f"agent.targets.{other}.")}
    assert not roots(modules) & (HEAVY - {"charset_normalizer", "requests", "urllib3", "watchdog"})


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What the service has imported before there is anything to do, with a new ledger."""
    place = tmp_path_factory.mktemp("idle")
    with Playment() as playment:
        return imported(place, "run", "--once", settings=environ(place, playment.url))


def test_the_service_holds_no_extra_whatever_extras_there_will_be(idle: set[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    named = {_named(line) for extra in extras.keys() - {"bench", "test"} for line in extras[extra]}
    modules = {
        module for module, owners in packages_distributions().items() if named & {_named(owner) for owner in owners}
    }
    assert {"apprise", "obstore", "prometheus_client", "psycopg", "simplejpeg", "starlette"} <= modules
    assert not roots(idle) & modules
    assert not {name for name in idle if name.startswith(("agent.page", "agent.news", "agent.ledger.news"))}


def _named(requirement: str) -> str:
    """Return a distribution's name as all spell it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement, maxsplit=1)[0]).lower()


def test_the_service_holds_nothing_that_only_people_need(idle: set[str]) -> None:
    assert not roots(idle) & (HEAVY - {"requests", "urllib3", "watchdog"})
    assert not {name for name in idle if name.startswith(("agent.reporting", "agent.demo", "agent.sandbox"))}
    others = {"agent.commands", "agent.commands.configured", "agent.commands.run", "agent.commands.shell"}
    assert {name for name in idle if name.startswith("agent.commands")} == others
    assert {name for name in idle if name.startswith("agent.terminal")} == {"agent.terminal"}
    assert not {
        name for name in idle if name.startswith(("agent.fleet.client", "agent.fleet.schema", "agent.publishing.obj"))
    }
    assert not {name for name in idle if name.startswith("agent.targets.label_studio.")}


def test_the_service_imports_nothing_later_that_might_be_another_versions(idle: set[str], tmp_path: Path) -> None:
    for number, form in enumerate(EXTENSIONS):
        write(tmp_path / "inbox" / f"{form}.{EXTENSIONS[form][0]}", image(number, form=form.upper()))
    frames(tmp_path / "inbox" / "drive", 3, seed=1)
    with Playment() as playment:
        all_of_them = environ(tmp_path, playment.url, IMAGE_FORMATS=",".join(EXTENSIONS))
        busy = imported(tmp_path, "run", "--once", settings=all_of_them)
        assert len(playment.jobs) == len(EXTENSIONS) + 1
    assert ours(busy) == ours(idle)
    assert roots(busy) & HEAVY == roots(idle) & HEAVY, "Pillow comes with the first doubtful picture, and none is"


def test_every_command_is_found_by_its_name() -> None:
    for name in MODULES:
        command = cli.commands[name]
        assert isinstance(command, click.Command)
        assert command.name == name


def test_the_help_lists_every_command_with_its_line() -> None:
    told = CliRunner().invoke(cli, ["--help"], terminal_width=300).output
    for name in MODULES:
        assert f"\n  {name:<12}  {cli.commands[name].get_short_help_str(300)}\n" in told


def test_a_name_that_is_nearly_one_is_told() -> None:
    told = CliRunner().invoke(cli, ["statsu"])
    assert told.exit_code == 2
    assert "No such command 'statsu'" in told.output
