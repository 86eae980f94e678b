"""Each method is called in the thread that its class's docstring names: watched while an agent does its work."""

from __future__ import annotations

import inspect
import threading
from collections import defaultdict
from functools import wraps
from typing import TYPE_CHECKING, Any

import pytest

from agent.core.listing_queue import ListingQueue
from agent.core.settling import Settling
from agent.noticing.compare import Comparison
from agent.noticing.decide import LedgerDecider, Verdicts
from agent.noticing.detector import Detector
from agent.noticing.intake import Intake
from agent.noticing.ledger_book import LedgerBook
from agent.noticing.lister import Lister
from agent.noticing.rest import Rest
from agent.noticing.rounds import Rounds
from agent.service.start import OtherWriters
from tests.support import Agent, Playment, command, environ, eventually, frames, image, query, settings, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LOOP, LEDGER, READER = "the loop's thread's", "the ledger's thread's", "a reader's thread's"
CLASSES = {
    LOOP: (Rounds, Detector, Lister, Comparison, Intake, LedgerBook, Rest),
    LEDGER: (Verdicts, OtherWriters),
    READER: (LedgerDecider,),
}
WITHOUT_WORDS = {LOOP: (ListingQueue, Settling)}  # pure: whoever has one says whose it is
NAMES = {LOOP: ("service",), LEDGER: ("ledger",), READER: ("read-",)}
"""How the threads of a running agent are called."""


@pytest.mark.parametrize(("whose", "one"), [(whose, one) for whose, classes in CLASSES.items() for one in classes])
def test_the_docstring_says_whose_they_are(whose: str, one: type) -> None:
    assert whose in " ".join(str(one.__doc__).split())


def _watch(one: type, seen: dict[type, set[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every method of a class, but for its making, note in which thread it is called."""

    def noting(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def noted(*args: Any, **more: Any) -> Any:
            seen[one].add(threading.current_thread().name)
            return method(*args, **more)

        return noted

    for name, method in vars(one).items():
        if inspect.isfunction(method) and not name.startswith("__"):
            monkeypatch.setattr(one, name, noting(method))
        elif isinstance(method, property) and method.fget is not None:
            monkeypatch.setattr(one, name, property(noting(method.fget)))


def test_it_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[type, set[str]] = defaultdict(set)
    groups = [*CLASSES.items(), *WITHOUT_WORDS.items()]
    whose: dict[type, str] = {one: words for words, classes in groups for one in classes}
    for one in whose:
        _watch(one, seen, monkeypatch)
    with Playment() as playment, Agent(settings(tmp_path, playment.url)) as agent:
        write(agent.inbox / "whole.jpg", image(1))
        write(agent.inbox / "cut.jpg", image(2)[:-9])
        frames(agent.inbox / "s", 140, seed=3)
        agent.becomes("whole.jpg", "submitted")
        agent.becomes("cut.jpg", "invalid")
        agent.becomes("s", "submitted")
        (agent.inbox / "whole.jpg").rename(agent.inbox / "s" / "moved.jpg")
        (agent.inbox / "cut.jpg").unlink()
        agent.becomes("cut.jpg", "gone")
        eventually(lambda: query(tmp_path / "ledger.db", "select 1 from jobs where path = 's' and state = 'held'"))
        command("dismiss", str(agent.inbox / "s"), environ=environ(tmp_path, playment.url), cwd=tmp_path)
    assert seen.keys() == whose.keys()
    for one, names in seen.items():
        assert all(name.startswith(NAMES[whose[one]]) for name in names), f"{one.__name__}: {sorted(names)}"


def test_a_thread_that_is_anothers_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[type, set[str]] = defaultdict(set)
    _watch(Settling, seen, monkeypatch)
    waiting = Settling()
    other = threading.Thread(target=waiting.settled, name="another")
    other.start()
    other.join()
    assert seen[Settling] == {"another"}
