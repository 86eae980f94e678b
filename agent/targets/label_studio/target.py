"""Label Studio as a target: the client, the searches and the projects' configurations behind the one protocol."""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from agent.errors import AccessRefused, DuplicateReference, Refused, RemoteError, TryLater
from agent.model import Kind
from agent.targets import Batch, Project
from agent.targets.label_studio import FACTS, NAME, error_table, search
from agent.targets.label_studio.body import body, resolved
from agent.targets.label_studio.completed import Completion
from agent.targets.label_studio.labelling import REFERENCE_ID, Keys, UnfitError, keys_of
from agent.targets.label_studio.proof import Proof

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from agent.model import Job
    from agent.model.jobs import Found, Lookup, SentJob
    from agent.targets import Ask, Awaited, Fetch, Twins
    from agent.targets.label_studio.answers import ProjectDetails
    from agent.targets.label_studio.client import LabelStudio
    from agent.targets.label_studio.search import Projects

log = logging.getLogger(__package__)


class LabelStudioTarget:
    """The projects of `client`; see `agent.targets.Target` for what each call promises.

    A job's tag, batch and priority have no meaning here. `how_to_mend` says what to do where we are not let in.
    """

    name = FACTS.name
    refuses_duplicates = FACTS.refuses_duplicates
    copies_files = FACTS.copies_files

    def __init__(self, client: LabelStudio, projects: Projects, how_to_mend: str = "") -> None:
        self.client = client
        self.projects = projects
        self._how_to_mend = how_to_mend
        self._keys: dict[int, Keys] = {}
        self._proofs = {project: Proof(client, project) for project in projects.each()}
        self._reading = threading.Semaphore(2)  # what is read takes ten times as much memory as its text
        self._completion = Completion(client, projects.each())

    @property
    def post_seconds(self) -> float:
        """The client's."""
        return self.client.post_seconds

    def create(self, job: Job) -> str:
        """Create a task, in a project that is known to find it again."""
        project = self.projects.of(job.kind)
        keys = self._ready(project, job.kind)
        if job.may_be_there:
            self._look_for(job.reference_id, project)
        try:
            return str(self.client.create_task(body(job, project, keys)))
        except Refused:
            # The configuration may have been changed since it was read, and then asks for another key.
            self._keys.pop(project, None)
            if self._ready(project, job.kind) == keys:
                raise
            sentence = f"the labelling configuration of {NAME}'s project {project} was changed"
            raise TryLater(sentence, code=error_table.UNFIT, refused=True) from None

    def check_access(self) -> Project:
        """Ask for both projects' configurations, and have them find a task."""
        try:
            details = {project: self.client.project(project) for project in self.projects.each()}
            for kind in Kind:
                project = self.projects.of(kind)
                self._proofs[project].prove(self._learn(details[project], kind))
                self._proofs[project].tidy()
        except AccessRefused as error:
            if self._how_to_mend and error.code in error_table.OF_THE_TOKEN:
                raise AccessRefused(f"{error}. {self._how_to_mend}", code=error.code) from None
            raise
        return Project(tuple(each.title for each in details.values()), batches=())

    def use_key(self, api_key: str) -> None:
        """Ask with another token from now on."""
        self.client.use_token(api_key)

    def find(self, wanted: Sequence[Lookup], may_go: Callable[[], bool]) -> dict[str, Found] | None:
        """Ask the projects for tasks of these ids."""
        return search.find(self.client, self.projects, wanted, may_go)

    def twins(self, reference_ids: Iterable[str], may_go: Callable[[], bool]) -> dict[str, Twins] | None:
        """Ask the projects for tasks of these ids, and remove all but one of each."""
        twins = search.twins(self.client, self.projects, reference_ids, may_go)
        if twins is not None:
            for project in self.projects.each():
                self._tidy(project)
        return twins

    def group(self, name: str) -> str:
        """Return the name: there are no batches."""
        return name

    def listed(self, may_go: Callable[[], bool] = lambda: True) -> Iterator[tuple[Batch, Sequence[Found]]]:
        """Go through every task of both projects."""
        for project in self.projects.each():
            if not may_go():
                return
            batch = Batch(str(project), self.client.project(project).title, is_default=True)
            for found in search.listed(self.client, project, may_go):
                yield batch, found

    def completed(self, awaited: Awaited, ask: Ask) -> Iterator[Sequence[SentJob]]:
        """Ask what was completed since the last time. What the projects ask for is asked again before the next job."""
        self._keys.clear()
        return self._completion.completed(awaited, ask)

    def skipped(self, awaited: Awaited, ask: Ask) -> Iterator[Sequence[SentJob]]:
        """Ask what was skipped."""
        return self._completion.skipped(awaited, ask)

    def result(self, job_id: str, ask: Ask, image: str = "") -> Fetch:
        """Ask for the task, which holds its annotations, and say of which frame each is."""
        if not job_id.isascii() or not job_id.isdigit():
            raise Refused(f"{NAME} has no task {job_id!r}", code="result")
        content = ask(partial(self._result, int(job_id), image))
        if content is None:
            raise TryLater(f"{NAME} has no annotation yet", code="result")
        return partial(_write, content)

    def server_time(self) -> float | None:
        """Return the time by the server's clock."""
        return self.client.server_time(self.projects.image)

    def is_outage(self, code: str) -> bool:
        """Tell whether a kept code is of Label Studio's own trouble."""
        return error_table.is_outage(code)

    def close(self) -> None:
        """Close the client's connections."""
        self.client.close()

    def _result(self, task_id: int, image: str) -> bytes | None:
        """Return what was made of a task, None where nothing was yet."""
        with self._reading:
            task = self.client.task(task_id).whole
            annotations = task.get("annotations")
            if not isinstance(annotations, list) or not any(_is_given(each) for each in annotations):
                return None
            return json.dumps(resolved(task, image), ensure_ascii=False).encode(errors="backslashreplace")

    def _look_for(self, reference_id: str, project: int) -> None:
        """Raise DuplicateReference where a task of this id is there; TryLater (`refused`) where that cannot be told."""
        try:
            found = search.by_reference(self.client, project, [reference_id], lambda: True)
        except TryLater as error:
            raise error.of_another() from None
        if found:
            raise DuplicateReference(f"{NAME} has a task of this {REFERENCE_ID}", code=error_table.IN_USE)

    def _ready(self, project: int, kind: Kind) -> Keys:
        """Return what a project asks for, asked once; it has proven by then that it finds its tasks.

        Where a request fails after others that have told something, it goes on at once: of so many in a row one is
        soon lost, and each try that ends so makes the job wait longer. Raises TryLater (`refused`: the job itself was
        not sent).
        """
        while True:
            before = self._known(project)
            try:
                keys = self._keys.get(project) or self._learn(self.client.project(project), kind)
                self._proofs[project].prove(keys)
                break
            except TryLater as error:
                if self._known(project) == before or error.retry_after or error.is_too_often:
                    raise error.of_another() from None
            except Refused as error:  # of the trial, say, where the configuration was changed: not of the job
                self._keys.pop(project, None)
                raise TryLater(str(error), code=error.code, refused=True) from None
        self._tidy(project)
        return _fit(project, keys, kind)

    def _known(self, project: int) -> tuple[bool, int]:
        return project in self._keys, self._proofs[project].steps

    def _learn(self, details: ProjectDetails, kind: Kind) -> Keys:
        try:
            keys = replace(keys_of(details.config), people=details.people)
        except UnfitError as error:
            raise _unfit(details.id, str(error)) from None
        self._keys[details.id] = _fit(details.id, keys, kind)
        return keys

    def _tidy(self, project: int) -> None:
        """Remove what was tried with; no job and no look is to fail for that."""
        try:
            self._proofs[project].tidy()
        except RemoteError as error:
            log.info("what project %d was tried with is removed later: %s", project, error)


def _fit(project: int, keys: Keys, kind: Kind) -> Keys:
    if kind is Kind.SEQUENCE and not keys.is_list:
        raise _unfit(project, 'shows one image, where sequences need <Image … valueList="$frames"/>')
    return keys


def _unfit(project: int, reason: str) -> AccessRefused:
    return AccessRefused(
        f"the labelling configuration of {NAME}'s project {project} {reason}: mend it there, or make projects with "
        "'playment-agent label-studio init'",
        code=error_table.UNFIT,
        is_of_all=True,
    )


def _is_given(annotation: object) -> bool:
    return isinstance(annotation, dict) and not annotation.get("was_cancelled")


def _write(content: bytes, into: BinaryIO) -> None:
    into.write(content)
