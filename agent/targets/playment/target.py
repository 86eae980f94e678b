"""Playment as a target: the client, the searches and the batches behind the one protocol."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from agent.errors import AccessRefused, TryLater
from agent.targets import Batch, Project
from agent.targets.playment import FACTS, NAME, batches, error_table, search
from agent.targets.playment.body import body
from agent.targets.playment.completed import completed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from agent.model import Job
    from agent.model.jobs import FailedJob, Found, Lookup, SentJob
    from agent.targets import Ask, Awaited, Fetch, Twins
    from agent.targets.playment.client import Playment


class PlaymentTarget:
    """The project of `client`; see `agent.targets.Target` for what each call promises.

    `fetch` writes what a signed address holds into a file, without the key; `how_to_mend` says what to do where we are
    not let in.
    """

    name = FACTS.name
    refuses_duplicates = FACTS.refuses_duplicates
    copies_files = FACTS.copies_files

    def __init__(self, client: Playment, fetch: Callable[[str, BinaryIO], None], how_to_mend: str = "") -> None:
        self.client = client
        self._fetch = fetch
        self._how_to_mend = how_to_mend

    @property
    def post_seconds(self) -> float:
        """The client's."""
        return self.client.post_seconds

    def create(self, job: Job) -> str:
        """Create a job."""
        return self.client.create_job(body(job))

    def check_access(self) -> Project:
        """Ask for the project's details."""
        try:
            details = self.client.details()
        except AccessRefused as error:
            if type(error) is AccessRefused and self._how_to_mend:
                raise AccessRefused(f"{error}. {self._how_to_mend}", code=error.code) from None
            raise
        batches = tuple(Batch(batch.id, batch.name, batch.is_default) for batch in details.batches)
        return Project((details.name,) if details.name else (), batches)

    def use_key(self, api_key: str) -> None:
        """Ask with another key from now on."""
        self.client.use_key(api_key)

    def find(self, wanted: Sequence[Lookup], may_go: Callable[[], bool]) -> dict[str, Found] | None:
        """Look through the batches' lists."""
        return search.search(self.client, wanted, may_go)

    def twins(self, reference_ids: Iterable[str], may_go: Callable[[], bool]) -> dict[str, Twins]:
        """Return nothing: duplicates are refused."""
        del reference_ids, may_go
        return {}

    def group(self, name: str) -> str:
        """Make or find a batch."""
        return batches.made_or_found(self.client, name)

    def listed(self, may_go: Callable[[], bool] = lambda: True) -> Iterator[tuple[Batch, Sequence[Found]]]:
        """Go through every batch's list."""
        return search.listed(self.client, self.check_access().batches if may_go() else (), may_go)

    def completed(self, awaited: Awaited, ask: Ask) -> Iterator[Sequence[SentJob | FailedJob]]:
        """Ask how the jobs stand, by their batches' lists or one by one."""
        return completed(self.client, awaited, ask)

    def skipped(self, awaited: Awaited, ask: Ask) -> Iterator[Sequence[SentJob]]:
        """Yield nothing: no job is put aside."""
        del awaited, ask
        return iter(())

    def result(self, job_id: str, ask: Ask, image: str = "") -> Fetch:
        """Ask where a job's result is; it names the frames itself."""
        del image
        details = ask(partial(self.client.job, job_id))
        if not details.result:
            raise TryLater(f"{NAME} names no result yet", code="result")
        return partial(self._fetch, ask(partial(self.client.attachment, details.result)))

    def server_time(self) -> float | None:
        """Return the time by Playment's clock."""
        return self.client.server_time()

    def is_outage(self, code: str) -> bool:
        """Tell whether a kept code is of Playment's own trouble."""
        return error_table.is_outage(code)

    def close(self) -> None:
        """Close the client's connections."""
        self.client.close()
