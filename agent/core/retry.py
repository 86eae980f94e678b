"""When to try again, and when to give up. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from agent.core.states import State
from agent.errors import AccessRefused, RemoteError, TryLater

LONGEST_BACKOFF = 300.0
GIVE_UP_ATTEMPTS = 50
UNREACHABLE_FILE_PATIENCE = 24 * 3600.0  # a fresh upload can lag, a bucket grant can come late
LOOKUP_PATIENCE = 3600.0  # the target's lists may lag behind a creation


def backoff(failures: int, random: float) -> float:
    """Return how many seconds to wait after the `failures`-th failure in a row (1 is the first).

    Full jitter: anywhere between nothing and 1 s doubling to 5 minutes; `random` is uniform in [0, 1).
    """
    return random * min(LONGEST_BACKOFF, 2.0 ** min(failures - 1, 30))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a failed try means for its job.

    `delay` is the number of seconds until the next try (None: no other try). `nothing_made` tells that the answer
    proves that this try made no job; where it is False, the target may have the job.
    """

    state: State
    reason: str
    error_code: str
    nothing_made: bool
    delay: float | None = None


def verdict(error: RemoteError, *, attempts: int, trying_for: float, passed_by: int, random: float) -> Verdict:
    """Decide what becomes of a job whose `attempts`-th try ended in `error`.

    `trying_for` is the number of seconds since its first try; `passed_by` is how many of its tries failed while another
    job was accepted: in an outage, nobody's tries count. An AccessRefused puts the job back untouched: that nothing can
    be sent is not the job's fault.
    """
    reason = str(error)
    if isinstance(error, AccessRefused):
        return Verdict(State.PENDING, reason, error.code, nothing_made=True, delay=0.0)
    if not isinstance(error, TryLater):
        return Verdict(State.FAILED, reason, error.code, nothing_made=True)
    if error.patience is not None and trying_for >= error.patience:
        sentence = f"{reason} (for {error.patience / 3600:g} hours)"
        return Verdict(State.FAILED, sentence, error.code, nothing_made=error.refused)
    if passed_by >= GIVE_UP_ATTEMPTS:
        sentence = f"given up after {attempts} tries while other jobs went through: {reason}"
        return Verdict(State.FAILED, sentence, error.code, nothing_made=error.refused)
    delay = max(backoff(attempts, random), error.retry_after or 0.0)
    return Verdict(State.PENDING, reason, error.code, nothing_made=error.refused, delay=delay)
