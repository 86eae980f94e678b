"""Who waits for a signal is woken by it, however many come at once."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from agent.service.signals import Stops

if TYPE_CHECKING:
    from collections.abc import Iterator

HAIL = """
import os, signal, threading
from agent.service.signals import Stops

stops = Stops((signal.SIGINT, signal.SIGTERM))

def hail():
    for _ in range(20000):
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), number)

thrown = threading.Thread(target=hail, daemon=True)
thrown.start()
while thrown.is_alive():
    stops.wait(0.01)
print("over")
"""


@pytest.fixture
def as_before() -> Iterator[None]:
    """Have the handlers of the tests' own process come back."""
    kept = signal.getsignal(signal.SIGUSR1)
    yield
    signal.signal(signal.SIGUSR1, kept)


@pytest.mark.usefixtures("as_before")
def test_a_signal_is_waited_for() -> None:
    stops = Stops((signal.SIGUSR1,))
    assert not stops.wait(0)
    signal.raise_signal(signal.SIGUSR1)
    assert stops.wait()
    assert not stops.wait(0)


def test_signals_that_come_within_each_other_hold_nothing_up() -> None:
    # With an Event in its place it waits for ever.
    run = subprocess.run([sys.executable, "-c", HAIL], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout == "over\n"
