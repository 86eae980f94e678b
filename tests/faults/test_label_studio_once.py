"""One task for each unit in a real Label Studio, which has no unique key, whatever becomes of the answers.

The rule is the target's page: nothing is sent again before a look-up that was made when the request must be over, and
all that was tried more than once is looked at again. `SOAK=1` does the same with more of everything.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from typing import TYPE_CHECKING

import pytest

from agent.errors import TryLater
from tests.cutting import BAD_GATEWAY, CUT, LATE, Cutting
from tests.label_studio import MISSING, on_postgres
from tests.soak import LONG
from tests.support import eventually
from tests.targets import LabelStudios, job_of, lookup_of, yes

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.model import Job
    from agent.targets import Twins
    from agent.targets.label_studio.target import LabelStudioTarget
    from tests.postgres import Postgres

pytestmark = pytest.mark.timeout(1800 if LONG else 900)  # whoever comes first installs the server

IMAGES, SEQUENCES = (200, 50) if LONG else (24, 6)
SECONDS = 120.0


class Sender:
    """Sends jobs as the rule has it, in four threads; `sent` and `tries` tell of each reference_id."""

    def __init__(self, target: LabelStudioTarget) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._random = random.Random(18)
        self.sent: dict[str, str] = {}
        self.tries: dict[str, int] = {}
        self.adopted = 0
        self.wait = threading.Event()

    def send_all(self, jobs: list[Job]) -> None:
        queue = list(jobs)

        def work() -> None:
            while True:
                with self._lock:
                    if not queue:
                        return
                    job = queue.pop()
                self._send(job)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _send(self, job: Job) -> None:
        is_open = False
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            try:
                if is_open:
                    found = self._target.find([lookup_of(job)], yes)
                    assert found is not None
                    if job.reference_id in found:
                        self.sent[job.reference_id] = found[job.reference_id].job_id
                        self.adopted += 1
                        return
                self.tries[job.reference_id] = self.tries.get(job.reference_id, 0) + 1
                self.sent[job.reference_id] = self._target.create(job)
            except TryLater as error:
                is_open = is_open or not error.refused
                self.wait.wait(self._random.random() / 10)
            else:
                return

    def look_again(self) -> int:
        """Take the second look, and return how many twins it removed."""
        doubtful = [reference_id for reference_id, tries in self.tries.items() if tries > 1]
        twins = patiently(lambda: self._target.twins(doubtful, yes))
        self.sent |= {reference_id: each.kept.job_id for reference_id, each in twins.items()}
        return sum(len(each.removed) for each in twins.values())


def patiently(call: Callable[[], dict[str, Twins] | None]) -> dict[str, Twins]:
    """Return what `call` gives as soon as it is answered."""

    def given() -> dict[str, dict[str, Twins]]:
        try:
            answer = call()
        except TryLater:
            return {}
        assert answer is not None
        return {"answer": answer}

    return eventually(given, 120.0)["answer"]


def units() -> list[Job]:
    return [job_of(f"i{n}~1") for n in range(IMAGES)] + [job_of(f"s{n}~1", 12) for n in range(SEQUENCES)]


def is_each_once(world: LabelStudios, sender: Sender, jobs: list[Job]) -> None:
    assert world.references() == sorted(job.reference_id for job in jobs)
    assert sender.sent == world.job_ids()


@pytest.mark.parametrize("kind", [CUT, BAD_GATEWAY])
def test_four_of_ten_answers_are_lost(world: LabelStudios, kind: str) -> None:
    lose_four_of_ten(world, kind)


def lose_four_of_ten(world: LabelStudios, kind: str) -> None:
    target = world.target()
    target.check_access()
    world.proxy.kind, world.proxy.rate = kind, 0.4
    sender, jobs = Sender(target), units()
    sender.send_all(jobs)
    sender.look_again()
    target.close()
    assert sender.adopted
    is_each_once(world, sender, jobs)


def test_four_of_ten_requests_come_late(world: LabelStudios) -> None:
    target = world.target(post_seconds=0.7)
    for _ in range(20):  # the server may be slower than this at its first requests
        with contextlib.suppress(TryLater):
            target.check_access()
            break
    world.proxy.kind, world.proxy.rate, world.proxy.methods, world.proxy.late_seconds = LATE, 0.4, ("POST",), 3.0
    sender, jobs = Sender(target), units()
    sender.send_all(jobs)
    world.proxy.settle()  # a request that was given up arrives for all that, after the look-up that did not find it
    twice = len(world.references()) - len(jobs)
    assert twice > 0
    assert sender.look_again() == twice
    target.close()
    is_each_once(world, sender, jobs)


@pytest.mark.skipif(not LONG, reason="SOAK=1: the first start on PostgreSQL takes two minutes")
def test_four_of_ten_answers_are_lost_on_postgresql(postgres: Postgres) -> None:
    with on_postgres(postgres) as server:
        if server is None:
            pytest.skip(MISSING)
        for kind in (CUT, BAD_GATEWAY):
            with Cutting(server.port, seed=18) as proxy:
                lose_four_of_ten(LabelStudios(server, proxy), kind)


def test_two_that_know_nothing_of_each_other_keep_the_same_tasks(world: LabelStudios) -> None:
    jobs = units()[:8]
    senders = [Sender(world.target()) for _ in range(2)]
    threads = [threading.Thread(target=sender.send_all, args=(jobs,)) for sender in senders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(world.references()) == 2 * len(jobs)
    for sender in senders:
        sender.tries = dict.fromkeys(sender.tries, 2)
        sender.look_again()
        sender._target.close()
    for sender in senders:
        is_each_once(world, sender, jobs)


def test_the_server_is_killed_while_it_makes_tasks(world: LabelStudios) -> None:
    target = world.target()
    target.check_access()
    sender, jobs = Sender(target), units()
    sending = threading.Thread(target=sender.send_all, args=(jobs,))
    sending.start()
    for number in range(1, (3 if LONG else 1) + 1):
        eventually(lambda number=number: len(world.proxy.requests) > number * 12, 60.0)  # type: ignore[misc]
        world.server.kill()
        world.server.start()
    sending.join()
    sender.look_again()
    target.close()
    is_each_once(world, sender, jobs)
