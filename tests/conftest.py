"""For every test: no thread may outlive it, no example is timed, and who runs it if many do.

For the tests of sending: a clock of their own, and a Playment by it. For those of Label Studio: projects of their own.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.targets.label_studio.target import LabelStudioTarget
    from tests.cutting import Cutting
    from tests.label_studio import Server as LabelStudioServer
    from tests.postgres import Postgres, Shared
    from tests.sending import Clock, Server
    from tests.serving import Served
    from tests.targets import LabelStudios

GRACE_SECONDS = 5.0

# Hypothesis fails an example that takes longer than 200 ms: on a noisy machine that says nothing of the program.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


TOGETHER = (
    "tests/integration/test_systemd_boot.py",
    "tests/integration/test_object_store.py",
    "tests/integration/test_page_job.py",
    "tests/integration/test_page_pictures.py",
    "tests/integration/test_package.py",
)
"""Modules that one process runs each: a system that is booted, a store, a browser and a package take long."""
AT_LABEL_STUDIO = (
    "tests/faults/test_label_studio",
    "tests/integration/test_label_studio",
    "tests/integration/test_targets",
)
"""How the modules begin that one process runs together: they share a server of 400 MB."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Hand out one test after the other to whoever is free: by the hundred, as is usual, those that wait pile up.

    `--dist=loadgroup` is meant for that, but xdist 3.8 sees no groups under pytest 9.2, and does not say so.
    """
    from xdist.scheduler.loadscope import LoadScopeScheduling  # noqa: PLC0415 (tests run without it, too)

    scheduling = LoadScopeScheduling(config, log)
    scheduling._split_scope = _unit
    return scheduling


def _unit(nodeid: str) -> str:
    module = nodeid.partition("::")[0]
    if module.startswith(AT_LABEL_STUDIO):
        return "at Label Studio"
    return module if module in TOGETHER else nodeid


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Fail a test that leaves a thread behind which was not there before it."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + GRACE_SECONDS
    while left := [thread for thread in threading.enumerate() if thread not in before and thread.is_alive()]:
        if time.monotonic() > deadline:
            pytest.fail(f"threads outlive the test: {', '.join(thread.name for thread in left)}")
        left[0].join(0.05)


@pytest.fixture
def clock() -> Clock:
    """Give a clock that stands still until it is advanced."""
    from tests.sending import Clock  # noqa: PLC0415 (a test that needs no agent runs where that cannot be imported)

    return Clock()


@pytest.fixture
def server(clock: Clock) -> Iterator[Server]:
    """Give a Playment that keeps every call with the time by that clock."""
    from tests.sending import Server  # noqa: PLC0415 (the same)

    with Server(clock) as running:
        yield running


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Give a PostgreSQL for all tests, which leave it as it was; without a disk to be sure of: none pulls it out."""
    from tests.postgres import MISSING, Postgres, programs  # noqa: PLC0415 (it needs psycopg)

    if programs() is None:
        pytest.skip(MISSING)
    with Postgres("-c", "fsync=off") as running:
        yield running


@pytest.fixture
def shared(postgres: Postgres) -> Iterator[Shared]:
    """Give a fleet's database."""
    postgres.restart_if_down()
    with postgres.shared() as database:
        yield database


@pytest.fixture(scope="session")
def label_studio() -> Iterator[LabelStudioServer]:
    """Give a Label Studio for all tests of a run: they make projects of their own in it."""
    from tests.label_studio import MISSING, running  # noqa: PLC0415 (as above)

    with running() as server:
        if server is None:
            pytest.skip(MISSING)
        yield server


@pytest.fixture
def proxy(label_studio: LabelStudioServer) -> Iterator[Cutting]:
    """Give a way to Label Studio on which answers can be lost."""
    from tests.cutting import Cutting  # noqa: PLC0415 (as above)

    with Cutting(label_studio.port, seed=18) as running:
        yield running


@pytest.fixture
def world(label_studio: LabelStudioServer, proxy: Cutting) -> LabelStudios:
    """Give projects of a test's own in Label Studio."""
    from tests.targets import LabelStudios  # noqa: PLC0415 (as above)

    return LabelStudios(label_studio, proxy)


@pytest.fixture
def target(world: LabelStudios) -> Iterator[LabelStudioTarget]:
    """Give the target that sends into these projects."""
    with contextlib.closing(world.target()) as given:
        yield given


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """Give who serves the files below `tmp_path/inbox`."""
    from tests.serving import Served  # noqa: PLC0415 (as above)

    (tmp_path / "inbox").mkdir()
    with Served(tmp_path / "inbox") as running:
        yield running
