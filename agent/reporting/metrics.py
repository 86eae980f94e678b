"""How it stands as Prometheus reads it: for `status --prometheus`, and for who serves `/metrics`.

Names and units: https://prometheus.io/docs/practices/naming/. A moment is told, never how long ago it is: what was read
a minute ago stays right. There is no label of a path, a job or a person: how many series there are is fixed.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from agent.core import past
from agent.core.life import Life, life
from agent.core.post_outcomes import PostOutcome
from agent.core.states import State
from agent.host import disk, meters

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from agent.ledger.numbers import Numbers
    from agent.ledger.reads_for_people import ReadsForPeople

CONTENT_TYPE = CONTENT_TYPE_LATEST
"""The type under which a server answers with an exposition."""
P = "playment_agent_"
AWAY = {"target": "outage", "store": "unpublished", "fleet": "fleet"}
"""What may be away, with the key by which the agent says so."""

F = TypeVar("F", GaugeMetricFamily, CounterMetricFamily)


def exposition(reads: ReadsForPeople, now: datetime) -> bytes:
    """Return all numbers as text. Raises LedgerUnreadable."""
    return _text(_families(reads.numbers(), now))


def nothing_known() -> bytes:
    """Return the text where the ledger cannot be read, or is not there: that alone is told."""
    return _text([_readable(value=False)])


class _Given(Collector):
    """Has what it was given collected."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """Yield it."""
        yield from self._families


def _text(families: Iterable[Metric]) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Given(list(families)))
    return generate_latest(registry)


def _families(numbers: Numbers, now: datetime) -> Iterator[Metric]:
    yield _readable(value=True)
    yield from _of_jobs(numbers)
    yield from _of_the_agent(numbers, now)
    yield from _of_the_ledger(numbers)
    yield from _counters(numbers.counters)


def _of_jobs(numbers: Numbers) -> Iterator[Metric]:
    states = [state.value for state in State]
    yield _labelled(
        GaugeMetricFamily(f"{P}jobs", "Jobs by state.", labels=["state"]),
        {state: numbers.jobs.get(state, 0) for state in states},
    )
    yield _labelled(
        GaugeMetricFamily(f"{P}frames", "Files of the jobs by state; an image is one.", labels=["state"]),
        {state: numbers.frames.get(state, 0) for state in states},
    )
    yield _gauge("attention_jobs", "Jobs that wait for a person, and troubles that are about all.", numbers.attention)
    yield _gauge("open_sequences", "Folders of frames that are not complete yet.", numbers.open_sequences)
    yield from _moment(
        "oldest_waiting_timestamp_seconds",
        "When the unit was noticed that waits longest to be sent; not there where none waits.",
        numbers.oldest_waiting,
    )


def _of_the_agent(numbers: Numbers, now: datetime) -> Iterator[Metric]:
    agent = numbers.agent
    about = {key: agent.get(key, "") for key in ("version", "target", "watch_mode")}
    yield InfoMetricFamily(P.rstrip("_"), "The agent's version, who takes its jobs, and how it notices files.", about)
    yield from _moment("start_timestamp_seconds", "When the agent was started last.", agent.get("started_at"))
    yield from _moment(
        "heartbeat_timestamp_seconds", "The agent's last sign of life, every 20 seconds.", agent.get("heartbeat_at")
    )
    yield from _moment(
        "last_scan_timestamp_seconds", "When the agent had last looked at all folders.", agent.get("last_scan_at")
    )
    is_stopped = life(agent, numbers.last, now) in (Life.STOPPED, Life.NEVER_RAN)
    yield _gauge("stopped", "1 where the agent was stopped as it was asked to, or has not run yet.", is_stopped)
    yield _gauge("blocked", "1 where nothing is sent until a person mends why.", _is(agent, "blocked"))
    yield _gauge("paused", "1 where sending is paused.", bool(past.why_paused(agent)))
    yield _labelled(
        GaugeMetricFamily(
            f"{P}breaker_open",
            "1 where the target, the place of the files or the fleet's database is away, so that one job at a time is "
            "tried, or none.",
            labels=["remote"],
        ),
        {remote: _is(agent, key) for remote, key in AWAY.items()},
    )


def _of_the_ledger(numbers: Numbers) -> Iterator[Metric]:
    free, size = disk.room(numbers.path)
    yield _gauge("ledger_bytes", "The size of the ledger's file.", numbers.path.stat().st_size)
    yield _gauge("ledger_wal_bytes", "The size of the ledger's write-ahead log.", numbers.wal_bytes)
    yield _gauge("ledger_disk_free_bytes", "What is free on the ledger's disk.", free)
    yield _gauge("ledger_disk_size_bytes", "The size of the ledger's disk.", size)
    is_writable = not disk.why_unwritable(numbers.path)
    yield _gauge("ledger_writable", "0 where the ledger's disk is full or read-only: nothing is sent.", is_writable)


def _counters(counters: Mapping[tuple[str, str], float]) -> Iterator[Metric]:
    def counted(name: str, label: str = "") -> float:
        return counters.get((name, label), 0.0)

    yield _labelled(
        CounterMetricFamily(f"{P}posts", "Requests for jobs by what came of them.", labels=["outcome"]),
        {outcome.value: counted(meters.POSTS, outcome) for outcome in PostOutcome},
    )
    yield _post_duration(counters)
    yield _counter("retries", "Requests for jobs that were not the first for their job.", counted(meters.REPEATED))
    yield _counter("uploads", "Files that were uploaded.", counted(meters.UPLOADS))
    yield _counter("uploaded_bytes", "Bytes of the files that were uploaded.", counted(meters.UPLOADED_BYTES))


def _post_duration(counters: Mapping[tuple[str, str], float]) -> HistogramMetricFamily:
    """Return how long requests took; what another version counted by other bounds is under the next larger one."""
    counts = [(float(label), value) for (name, label), value in counters.items() if name == meters.POST_COUNT]
    buckets = [(_bound(bound), sum(value for least, value in counts if least <= bound)) for bound in meters.BOUNDS]
    family = HistogramMetricFamily(f"{P}post_duration_seconds", "How long requests for jobs took.")
    family.add_metric([], buckets=buckets, sum_value=counters.get((meters.POST_SECONDS, ""), 0.0))
    return family


def _bound(seconds: float) -> str:
    return "+Inf" if math.isinf(seconds) else str(seconds)


def _is(agent: Mapping[str, str], key: str) -> bool:
    return bool(agent.get(key))


def _readable(*, value: bool) -> Metric:
    return _gauge("ledger_readable", "0 where the ledger cannot be read, or is not there.", value)


def _gauge(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(P + name, documentation, value=float(value))


def _counter(name: str, documentation: str, value: float) -> Metric:
    return CounterMetricFamily(P + name, documentation, value=value)


def _labelled(family: F, values: Mapping[str, float]) -> F:
    for label, value in values.items():
        family.add_metric([label], float(value))
    return family


def _moment(name: str, documentation: str, at: str | None) -> Iterator[Metric]:
    """Yield a moment, nothing where there is none."""
    if at:
        yield _gauge(name, documentation, datetime.fromisoformat(at).astimezone(UTC).timestamp())
