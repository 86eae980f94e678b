"""Stage 5: who takes the jobs. What every target must do, and what must be known of it. Pure.

A target is a package beside this page (`playment/`, `label_studio/`); `service/assembly.py` picks it, and whatever
sends, fetches or reports knows this page alone. The vendor's words, codes and addresses stay in the package, and its
table of errors turns them into `errors.RemoteError`s, by whose class and facts everybody decides. All calls may be made
by any thread. None of them waits to be let through (`gate.py`), and none tries again: that is for those who call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from agent.model import Job
    from agent.model.jobs import FailedJob, Found, Lookup, SentJob

T = TypeVar("T")

Fetch = Callable[[BinaryIO], None]
"""Writes a result, as JSON, into a file. Raises RemoteError (code `result`), and OSError where it cannot be written."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is so of every project at a target: see `Target`."""

    name: str
    refuses_duplicates: bool
    copies_files: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """A group of the project's jobs."""

    id: str
    name: str
    is_default: bool


@dataclass(frozen=True, slots=True)
class Project:
    """What the target tells of our project: what people call it, or its parts, and its batches, where it knows any."""

    names: tuple[str, ...]
    batches: tuple[Batch, ...]


@dataclass(frozen=True, slots=True)
class Twins:
    """What a second look at a reference_id has shown: the job that stays, and the others of the same reference_id.

    `removed` are gone; `left` are there still, since somebody has worked on them or they hold something else.
    """

    kept: Found
    removed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


class Awaited(Protocol):
    """The jobs that were sent and are not known as completed or failed, as the ledger has them when it is asked."""

    def open_batches(self) -> Mapping[str | None, int]:
        """Return how many each batch has; None stands for the default one."""

    def open_jobs(self, batch_id: str | None) -> list[SentJob]:
        """Return those of a batch."""

    def still_open(self, jobs: Iterable[SentJob]) -> list[SentJob]:
        """Return those of these jobs that are awaited."""


class Ask(Protocol):
    """Makes one request when it may leave, again where it fails passingly. Raises what ends the round, too."""

    def __call__(self, call: Callable[[], T], /) -> T:
        """Return what `call` returns."""


class Target(Protocol):
    """One project at a target. Every call but `is_outage` and `close` raises RemoteError."""

    @property
    def name(self) -> str:
        """What people call it: the one way by which a text for them names the target."""

    @property
    def refuses_duplicates(self) -> bool:
        """Whether a second job of one reference_id is refused for ever, so that sending one again costs nothing.

        Else nothing is sent again before a look-up, made when the request must be over, has not found it.
        """

    @property
    def post_seconds(self) -> float:
        """How long `create` waits for an answer at most; its request may be on its way for longer, or for ever."""

    @property
    def copies_files(self) -> bool:
        """Whether `create` copies a job's files: once it is done they may be deleted, and their URLs may end.

        Else they must stay as long as somebody annotates.
        """

    def create(self, job: Job) -> str:
        """Create a job by one request, and return the id that the target gives it, as text.

        Its frames have the `src` that the target reads; `edition`, `tag`, `batch_id` and `priority_weight` are what the
        job's intent has frozen, and mean what the target makes of them. Raises DuplicateReference where a job of this
        reference_id is there: without `refuses_duplicates` one that `may_be_there` is looked for first. Raises
        TryLater, `refused` only where it is certain that nothing was made.
        """

    def check_access(self) -> Project:
        """Ask for the project, and leave nothing there. Raises AccessRefused where we, or our jobs, are not let in."""

    def use_key(self, api_key: str) -> None:
        """Ask with another key from now on. Raises SettingsError where it cannot be sent."""

    def find(self, wanted: Sequence[Lookup], may_go: Callable[[], bool]) -> dict[str, Found] | None:
        """Look for jobs, by as few requests as serve all of them, and return what was found, by reference_id.

        `may_go` is asked before each request; None where it said no. What is not found may be there all the same for
        a while, where lists lag behind `create`.
        """

    def twins(self, reference_ids: Iterable[str], may_go: Callable[[], bool]) -> dict[str, Twins] | None:
        """Look again for jobs that may be there more than once, and remove those that nobody has worked on.

        Returns, by reference_id, what is there; None where `may_go`, which is asked before each request, said no. What
        stays depends on the target alone, so that every host keeps the same one: of those that were worked on, else of
        all, the oldest, which may be another than the one that the ledger has. May be asked again at any time. Where
        duplicates are refused there is nothing to do, and the answer is empty.
        """

    def group(self, name: str) -> str:
        """Return the id of the batch called `name`, which is made, or found where it exists already.

        Raises TryLater where it exists and cannot be found yet. Asked once for a name: `sending/batches.py` remembers.
        """

    def listed(self, may_go: Callable[[], bool] = ...) -> Iterator[tuple[Batch, Sequence[Found]]]:
        """Yield all jobs of the project, up to a hundred at a time, with the batch in whose list they stand.

        `may_go` is asked before each request; where it says no that is all.
        """

    def completed(self, awaited: Awaited, ask: Ask) -> Iterator[Sequence[SentJob | FailedJob]]:
        """Yield those of the awaited jobs that are completed, or have failed since they were taken.

        That is done request by request: what one shows is written before the next.

        What cannot be asked for is told in the log and left for the next round.
        """

    def skipped(self, awaited: Awaited, ask: Ask) -> Iterator[Sequence[SentJob]]:
        """Yield those of the awaited jobs that an annotator has put aside: nothing will come unless that is undone.

        Where it ends without an error these are all.
        """

    def result(self, job_id: str, ask: Ask, image: str = "") -> Fetch:
        """Return what fetches a completed job's annotations, which say of which frame they are.

        `image` is the frame_id of an image's job, '' for a sequence.

        Raises TryLater with code `result` where there are none yet.
        """

    def server_time(self) -> float | None:
        """Return the time by the target's clock in seconds since 1970, None where its answer tells none."""

    def is_outage(self, code: str) -> bool:
        """Tell whether a code that the ledger has kept is of the target's own trouble, as `TryLater.is_outage` does."""

    def close(self) -> None:
        """Close all connections."""
