"""When to wait and try again, and when to give up: every policy of it is here, by its name. Pure.

`agent/README.md` shows them as a table. What is no answer to a failure or a refusal has its figures where it is used:
rhythms (sweeps, quiet times, polling) and time limits (of one answer, of a stop).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from agent.core.states import State
from agent.errors import AccessRefused, RemoteError, TryLater

DAY = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Policy:
    """How `what` is waited for, in seconds.

    The wait after the first failure in a row is `first`, each after it `growth` times the last, none beyond `longest`.
    Where `first` is another's to say, `asked` tells whose. With `jitter` a wait ends at random before that. `kept`
    tells whether waiting goes on over a restart. After `tries` tries, or `patience` seconds, it is given up.
    """

    what: str
    first: float | None
    growth: float = 1.0
    longest: float = math.inf
    asked: str = ""
    jitter: bool = False
    kept: bool = False
    tries: int = 0
    patience: float = math.inf

    def seconds(self, failures: int = 1, first: float | None = None) -> float:
        """Return how long to wait after the `failures`-th failure in a row (1 is the first), but for the jitter."""
        begin = self.first if first is None else first
        assert begin is not None, "whoever says it must hand it in"
        return min(self.longest, begin * self.growth ** min(failures - 1, 30))


JOB = Policy("a job whose try failed passingly", 1.0, 2.0, 300.0, jitter=True, kept=True, tries=50)
"""Only tries during which other jobs went through count: in an outage, nobody's do. Nor do those for which a file could
not be read."""
UNREACHABLE_FILE = replace(JOB, what="a job with a file that the target cannot fetch", patience=DAY)
"""A fresh upload can lag, a bucket grant can come late."""
ASKED = Policy(
    "all that is sent, where the server asks for it", None, longest=DAY, asked="as `Retry-After` says", kept=True
)
"""A server's broken clock must not stop all sending for years, nor one of ours that was set back."""
BREAKER = Policy("one job, to see whether the target, or the place of the files, is back", 1.0, 2.0, 60.0)
"""While one of them is away nothing else leaves, whatever waits (`core/breaker.py`)."""
ACCESS = Policy("whether we are let in again, where the key, project or bucket was refused", 60.0)
UNSET_CLOCK = Policy("all that is sent, where the clock is not set", 1.0)
GATHERING = Policy("a job to be looked up, for others that one pass over the lists serves too", 30.0)
LOOKUP = Policy("a job that no list shows, and that may be there", 10.0, 2.0, 3600.0, kept=True, patience=3600.0)
"""The lists may lag behind a creation. A wait is as long as it has been looked for already."""
UNANSWERED = Policy(
    "a job whose answer is missing, where it could be made twice",
    None,
    asked="as long as a request may take",
    kept=True,
)
"""It is looked for at once; it is sent again once a look after that time has not found it."""
TWINS = Policy("a job that is there twice, both worked on", 3600.0, kept=True)
"""It is looked at again, until a person has removed one."""
LISTS = Policy("lists that could not be read", 1.0, 2.0, 300.0)
PAST = Policy("what a project has, where the ledger is new", 1.0, 2.0, 10.0)
STORE = Policy("a request to an object store", 0.1, 2.0, 15.0, jitter=True, tries=3, patience=120.0)
QUESTION = Policy("a question about results", 1.0, tries=3)
RESULT = Policy("a result that could not be fetched", None, 2.0, DAY, asked="`RESULTS_POLL_SECONDS`", kept=True)
FLEET = Policy("all that is sent, where the fleet's database does not answer", 1.0)
TAKEN = Policy("a unit that another host of the fleet reads, or a job that it is sending", 1.0, 2.0, 60.0)
LEDGER = Policy("what sending writes to a ledger that cannot be written", 2.0)
LOCKED_LEDGER = Policy("a ledger that another process is writing to", None, asked="SQLite's own", patience=10.0)
NEWS = Policy("news that could not be told", 60.0, 2.0, 3600.0, kept=True)
"""What is new meanwhile is told with them."""
START = Policy("a start, for a folder or a key file that is not there yet", 2.0)
LOOP = Policy("the loop, where the ledger or the folder cannot be used", 2.0)
WATCH_FOLDER = Policy("a watch folder that is away", 2.0)
FOLDER = Policy("a folder that cannot be listed", 5.0)
READ_AGAIN = Policy("a unit that changed while it was read or before it was sent", 2.0, 2.0, 600.0)
"""The first wait is the unit's own quiet time, where it has one."""
READING = Policy("a unit that cannot be read", 2.0, 2.0, 600.0)
"""At every start all are tried at once."""
UNIT = Policy("a unit whose look came to nothing", 1.0)
SIGHTS = Policy("what was seen, for what was seen before it to be committed", 0.01)
PROCESSES = Policy("processes that read frames, where none can be started: so long without work", 60.0)
ONCE = Policy("`run --once`, for any job to move", None, asked="as above", patience=60.0)
ONCE_SENDING = Policy("`run --once`, while a request is on its way", None, asked="as above", patience=150.0)
"""A POST's answer may take 120 s, since the target may copy the files first."""

POLICIES = (
    JOB,
    UNREACHABLE_FILE,
    ASKED,
    BREAKER,
    ACCESS,
    UNSET_CLOCK,
    GATHERING,
    LOOKUP,
    UNANSWERED,
    TWINS,
    LISTS,
    PAST,
    STORE,
    QUESTION,
    RESULT,
    FLEET,
    TAKEN,
    LEDGER,
    LOCKED_LEDGER,
    NEWS,
    START,
    LOOP,
    WATCH_FOLDER,
    FOLDER,
    READ_AGAIN,
    READING,
    UNIT,
    SIGHTS,
    PROCESSES,
    ONCE,
    ONCE_SENDING,
)

TELL_SECONDS = 120.0
"""What cannot be read, or listed, needs attention once that has lasted for so long."""

OUTAGE_SECONDS = 30.0
"""So long nothing but failures of more than one job is an outage, however few wait; what it has put off is due at once
when it is over, which of shorter trouble is left to each job's back-off."""


def backoff(failures: int, random: float) -> float:
    """Return how many seconds a job waits after the `failures`-th failure in a row (1 is the first).

    Full jitter: anywhere between nothing and 1 s doubling to 5 minutes; `random` is uniform in [0, 1).
    """
    return random * JOB.seconds(failures)


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
    if passed_by >= JOB.tries and not error.is_local:
        sentence = f"given up after {attempts} tries while other jobs went through: {reason}"
        return Verdict(State.FAILED, sentence, error.code, nothing_made=error.refused)
    delay = max(backoff(attempts, random), error.retry_after or 0.0)
    return Verdict(State.PENDING, reason, error.code, nothing_made=error.refused, delay=delay)
