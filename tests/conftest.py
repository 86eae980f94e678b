"""For every test: no thread may outlive it, no example is timed, and who runs it if many do.

For the tests of sending: a clock of their own, and a Playment by it. For those of Label Studio: projects of their own.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from agent.targets.label_studio.target import LabelStudioTarget
    from tests.cutting import Cutting
    from tests.label_studio import Server as LabelStudioServer
    from tests.postgres import Postgres, Shared
    from tests.sending import Clock, Server
    from tests.serving import Served
    from tests.targets import LabelStudios

ROOT = Path(__file__).parents[1]
GRACE_SECONDS = 5.0

# Some surroundings forbid it: then each of the hundreds of interpreters that are started here compiles the agent anew,
# which is more than half of what its start takes. Read before a worker is started, which has it from its starter.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Hypothesis fails an example that takes longer than 200 ms: on a noisy machine that says nothing of the program.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


AT_LABEL_STUDIO = (
    "tests/faults/test_label_studio",
    "tests/integration/test_label_studio",
    "tests/integration/test_targets",
)
"""How the modules begin of which one process runs each folder's together: they share a server of 400 MB.

One process for both folders took longer for these than all others for the rest.
"""
SHARES = 'scope="module"'
"""What stands in a module that one process runs, one test after the other: what its tests share is made once."""
OF_RULES = "tests/unit/"
"""What is short, and often reads the same sources as the test before it: handed out by the module, too."""
COMPUTE = (
    OF_RULES,
    *(f"tests/faults/test_{name}" for name in ("bursts", "ledger_lost", "short_lived")),
    *(
        f"tests/integration/test_{name}"
        for name in (
            "avif", "detector", "formats", "full_check", "jpeg", "kept", "orders_in_bulk", "package", "page_decoding",
            "pictures", "png", "processes", "whole_",
        )
    ),
)  # fmt: skip
"""How the modules begin whose tests compute for more than a quarter of the time they take; all others wait."""
COMPUTING = 2
"""So many processes compute from the beginning on, while the others wait: one for each processor of a small machine."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what one process runs alone, which takes longest, then what waits; what computes stands at the end."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    module = item.nodeid.partition("::")[0]
    if module.startswith(AT_LABEL_STUDIO):
        return 0
    if module.startswith(COMPUTE):
        return 4 if _shares(module) else 3
    return 1 if _shares(module) else 2


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Hand out one test after the other to whoever is free: by the hundred, as is usual, those that wait pile up.

    `--dist=loadgroup` is meant for that, but xdist 3.8 sees no groups under pytest 9.2, and does not say so.
    """
    from xdist.scheduler.loadscope import LoadScopeScheduling  # noqa: PLC0415 (tests run without it, too)

    class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # it has no types
        def _split_scope(self, nodeid: str) -> str:
            return _unit(nodeid)

        def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
            """Forget what a process has done: with each test all is counted that any was ever given."""
            super().mark_test_complete(node, item_index, duration)
            given = self.assigned_work[node]
            unit = _unit(self.registered_collections[node][item_index])
            if all(given[unit].values()):
                del given[unit]

        def _assign_work_unit(self, node: Any) -> None:
            """Let some processes begin at the end of the queue, where what computes stands."""
            if self.nodes.index(node) < COMPUTING < len(self.nodes):
                self.workqueue.move_to_end(next(reversed(self.workqueue)), last=False)
            super()._assign_work_unit(node)

    config.option.loadscopereorder = False  # else by how many they are, not by how long they take
    return Scheduling(config, log)


def _unit(nodeid: str) -> str:
    module = nodeid.partition("::")[0]
    if module.startswith(AT_LABEL_STUDIO):
        return f"at Label Studio, {os.path.dirname(module)}"
    return module if module.startswith(OF_RULES) or _shares(module) else nodeid


@functools.cache
def _shares(module: str) -> bool:
    return SHARES in (ROOT / module).read_text(encoding="utf-8")


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Measure what the pure modules run when they are imported, and nothing while tests are looked for.

    What is made meanwhile stays to the end: it is looked through for garbage neither now nor later.
    """
    gc.disable()
    if (coverage := _coverage(session.config)) is not None:
        from tests.pure import PURE  # noqa: PLC0415 (not before the measuring has begun)

        for module in sorted(PURE):
            importlib.import_module(module)
        coverage.pause()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Measure in the tests of rules alone: only of the pure modules is anything asked, and it slows all others."""
    is_measured = item.nodeid.startswith(OF_RULES)
    if (coverage := _coverage(item.config)) is not None and coverage.started != is_measured:
        (coverage.resume if is_measured else coverage.pause)()
    return (yield)


def _coverage(config: pytest.Config) -> Any:
    """Return what measures, None where nothing does."""
    plugin: Any = config.pluginmanager.getplugin("_cov")
    return plugin and plugin.cov_controller


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
