"""Tries whether the target lets us in, by reading calls alone, and whether what is published can be fetched."""

from __future__ import annotations

import contextlib
from itertools import count
from typing import TYPE_CHECKING

from agent.errors import (
    AccessRefused,
    AgentError,
    FileChanged,
    LedgerError,
    Refused,
    RemoteError,
    SettingsError,
    TryLater,
)
from agent.ledger.reads import Reads
from agent.model import shown
from agent.publishing.probe import MISSING
from agent.reading.examiner import FileExaminer
from agent.reading.reader import Reader
from agent.reporting.checks import fail, ok, warn
from agent.service.assembly import probe_of, publisher_of, target_of
from agent.service.folder import scanner_of
from agent.service.names import called
from agent.settings.parts import BATCH_WORDS, is_probed, rules_of
from agent.settings.targets import TARGETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agent.folder.scanner import Scanner
    from agent.model import Frame
    from agent.publishing import Publisher
    from agent.reporting.checks import Check
    from agent.settings.settings import Settings
    from agent.targets import Project, Target

BATCH, CLOCK, LEDGER, PUBLISH = "batch", "clock", "ledger", "publishing"
SKEW_SECONDS = 60.0
MOST_PAGES = 20


def check_target(settings: Settings, wall: Callable[[], float]) -> Iterator[Check]:
    """Ask for the project's details with the key; `wall` gives the time in seconds since 1970."""
    name = called(settings.target)
    try:
        target = target_of(settings)
    except SettingsError as error:
        for problem in error.problems:
            yield fail(name, problem, error.exit_code)
        return
    with contextlib.closing(target):
        try:
            project = target.check_access()
        except AccessRefused as error:
            named = _named(settings.project_ids, "project", "projects")
            yield fail(name, f"{settings.address}, {named}: {error}", error.exit_code)
        except TryLater as error:
            yield fail(
                name,
                f"{error}. Look at {TARGETS[settings.target].address}, the network and its proxy, or try again later",
            )
            return
        except Refused as error:
            of = TARGETS[settings.target]
            yield fail(name, f"{error}. Look at {', '.join(of.projects)} and {of.address}")
        else:
            word, names = TARGETS[settings.target].key.word, [repr(each) for each in project.names]
            names = names or [repr(each) for each in settings.project_ids]
            named = _named(names, "project is", "projects are")
            yield ok(name, f"{settings.address} takes the {word}; the {named}")
            if project.batches:
                yield _batch(settings, project)
            yield from _past(settings, target)
        yield _clock(target, wall)


def _named(names: Sequence[str], one: str, many: str) -> str:
    """Return the words for one thing, or for several, and their names."""
    return f"{many if len(names) > 1 else one} {' and '.join(names)}"


def _past(settings: Settings, target: Target) -> Iterator[Check]:
    """Say where the ledger is new and the project is not: its first pages of jobs tell."""
    if not _is_new(settings):
        return
    reader, asked = rules_of(settings).reader, count(1)
    try:
        ids = (job.reference_id for _, some in target.listed(lambda: next(asked) <= MOST_PAGES) for job in some)
        ours = next(filter(reader.read, ids), None)
    except RemoteError as error:
        yield warn(LEDGER, f"it is new, and whether the project has jobs of it already cannot be told: {error}")
    else:
        if ours is not None:
            yield warn(
                LEDGER,
                f"it is new, and the project has jobs with ids of REFERENCE_ID already, such as {ours!r}: the first "
                "run sends nothing until a person has said 'resume'. Is LEDGER_PATH right?",
            )


def _is_new(settings: Settings) -> bool:
    if not settings.ledger_path.exists() or not settings.ledger_path.stat().st_size:
        return True
    with contextlib.suppress(LedgerError), Reads.open(settings.ledger_path) as reads:
        return reads.has_no_past()
    return False  # what is wrong with it is said by its own check


def _batch(settings: Settings, project: Project) -> Check:
    batch = settings.playment_batch
    if batch in BATCH_WORDS:
        return ok(BATCH, f"jobs go to a batch for each {batch}, named {settings.playment_batch_name}, made when needed")
    if batch is None:
        default = next((listed.name for listed in project.batches if listed.is_default), None)
        return ok(BATCH, f"jobs go to the project's default batch{f', {default!r}' if default else ''}")
    named = next((listed.name for listed in project.batches if listed.id.lower() == batch), None)
    if named is None:
        return fail(
            BATCH,
            f"the project has no batch {batch}, which PLAYMENT_BATCH names: give the id of one of its "
            f"{len(project.batches):,} batches, or leave it empty for the default one",
        )
    return ok(BATCH, f"jobs go to the batch {named!r}")


def _clock(target: Target, wall: Callable[[], float]) -> Check:
    """Compare our clock with the server's: the ids of a day's batch, and signed URLs, depend on ours."""
    before = wall()
    try:
        theirs = target.server_time()
    except TryLater as error:
        return warn(CLOCK, f"it could not be compared with {target.name}'s: {error}")
    if theirs is None:
        return ok(CLOCK, f"{target.name}'s answer tells no time to compare it with")
    skew = (before + wall()) / 2 - theirs
    if abs(skew) > SKEW_SECONDS:
        return warn(
            CLOCK,
            f"this machine's clock is {abs(skew):,.0f} s {'ahead of' if skew > 0 else 'behind'} {target.name}'s: "
            "set it, and keep it right (timedatectl set-ntp true)",
        )
    return ok(CLOCK, f"within a minute of {target.name}'s")


def check_publishing(settings: Settings, image: str | None) -> Iterator[Check]:
    """Publish one real image and fetch its URL as the agent would before it sends a job, and compare its length."""
    scanner = scanner_of(settings)
    try:
        publisher = publisher_of(settings, scanner)
        publisher.check_access()
    except SettingsError as error:
        for problem in error.problems:
            yield fail(PUBLISH, problem, error.exit_code)
        return
    except RemoteError as error:
        yield fail(PUBLISH, str(error), error.exit_code)
        return
    if publisher.caution:
        yield warn(PUBLISH, publisher.caution)
    if image is None:
        yield _answers(settings, publisher)
        yield warn(PUBLISH, "the watch folder holds no image to try it with: put one there and run check again")
        return
    try:
        frame = _frame(settings, scanner, publisher, image)
        publisher.publish(frame, expected=False)
    except RemoteError as error:
        yield fail(PUBLISH, str(error), error.exit_code)
    except AgentError as error:
        yield warn(PUBLISH, f"{shown(image)} could not serve to try it: {error}. Run check again, or put another there")
    else:
        yield _fetched(settings, publisher, frame)


def _answers(settings: Settings, publisher: Publisher) -> Check:
    """Fetch what is there without an image: of a folder that is served, whether anybody answers at its URL."""
    if not is_probed(settings):
        return ok(PUBLISH, "no URL was fetched: the settings say so")
    source, size = publisher.sample()
    try:
        with contextlib.closing(probe_of(settings)) as probe:
            if size is not None:
                probe.check(publisher.address(source), size)
                return ok(PUBLISH, f"{source} can be fetched, {size:,} bytes as were uploaded")
            status = probe.status(source)
    except RemoteError as error:
        return fail(PUBLISH, str(error))
    if status == MISSING or status >= 500:
        return warn(PUBLISH, f"{source} answered {status}: look whether PUBLISH_TO is the URL of WATCH_DIR")
    return ok(PUBLISH, f"a server answers at {source} ({status}); whether it serves WATCH_DIR, an image will show")


def _fetched(settings: Settings, publisher: Publisher, frame: Frame) -> Check:
    source = frame.src or ""
    if not is_probed(settings):
        why = (
            "PUBLISH_PROBE is off"
            if settings.publish_probe == "off"
            else f"nobody but {called(settings.target)} can fetch such URLs"
        )
        done = "was uploaded" if publisher.uploads else "would be"
        return ok(PUBLISH, f"no URL was fetched, since {why}; {shown(frame.path)} {done} as {source}")
    try:
        with contextlib.closing(probe_of(settings)) as probe:
            probe.check(publisher.address(source), frame.stamp.size)
    except RemoteError as error:
        return fail(PUBLISH, str(error))
    return ok(PUBLISH, f"{source} can be fetched, {frame.stamp.size:,} bytes as here")


def _frame(settings: Settings, scanner: Scanner, publisher: Publisher, image: str) -> Frame:
    """Return an image as it would be published. Raises FileChanged, FolderUnavailable, Refused."""
    stamp = scanner.stamp(image)
    if stamp is None:
        raise FileChanged("it is gone")
    (frame,) = Reader(FileExaminer(scanner), settings.sequence_gaps).image(image, stamp).frames
    return frame._replace(src=publisher.source(image, frame.digest))
