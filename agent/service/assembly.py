"""The one place that builds the parts which reach the world, from the settings (`folder`: those that only look)."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import urlsplit

from agent.core.spend_guard import Limits
from agent.errors import SettingsError
from agent.host import mounts
from agent.host.clock import utc_now
from agent.host.workers import Pools
from agent.ledger.batches import LedgerBatches
from agent.ledger.reads import Reads
from agent.model.hosts import is_loopback
from agent.publishing.base_url import BaseUrl
from agent.publishing.probe import Probe
from agent.results.download import Download
from agent.sending.batches import Batches
from agent.sending.context import SendingContext
from agent.sending.submitter import Submitter
from agent.service.names import called
from agent.settings import targets
from agent.settings.parts import (
    batch_chooser,
    batch_namer,
    fleet_host_of,
    fleet_project_of,
    how_to_mend_the_key,
    is_probed,
    limits_of,
    origin_of,
    rules_of,
    terms_of,
    uploads,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from agent.core.folder_rules import FolderRulesSource
    from agent.fleet.client import Fleet
    from agent.fleet.records import Budget
    from agent.folder.scanner import Scanner
    from agent.host.meters import Meters
    from agent.ledger.writer import LedgerWriter
    from agent.model import Kind
    from agent.publishing import Publisher
    from agent.results.fetcher import ResultsFetcher
    from agent.service.membership import Membership
    from agent.settings.settings import Settings
    from agent.targets import Target
    from agent.targets.gate import Gate
    from agent.targets.label_studio.client import LabelStudio

Follow: TypeAlias = "Callable[[Callable[[Settings], object]], object]"
"""Has what it is handed be called with new settings, while the agent runs."""


def target_of(settings: Settings) -> Target:
    """Return who takes the jobs of the settings' project. Raises SettingsError."""
    return _MAKERS[settings.target](settings)


def _playment(settings: Settings) -> Target:
    from agent.targets.playment.client import Playment  # noqa: PLC0415 - a service has one target, and holds one
    from agent.targets.playment.target import PlaymentTarget  # noqa: PLC0415 - the same

    client = Playment(
        settings.playment_base_url,
        settings.playment_project_id,
        settings.playment_api_key.reveal(),
        settings.edition,
    )
    # From a target on loopback, such as a sandbox, results may come from anywhere.
    download = Download(allow_private=is_loopback(urlsplit(settings.playment_base_url).hostname or ""))
    return PlaymentTarget(client, download.fetch, how_to_mend_the_key(settings))


def _label_studio(settings: Settings) -> Target:
    from agent.targets.label_studio.search import Projects  # noqa: PLC0415 - as above
    from agent.targets.label_studio.target import LabelStudioTarget  # noqa: PLC0415 - the same

    projects = Projects(int(settings.label_studio_image_project), int(settings.label_studio_sequence_project))
    return LabelStudioTarget(label_studio_of(settings), projects, how_to_mend_the_key(settings))


def label_studio_of(settings: Settings) -> LabelStudio:
    """Return the client of Label Studio. Raises SettingsError."""
    from agent.targets.label_studio.client import LabelStudio  # noqa: PLC0415 - as above

    return LabelStudio(settings.label_studio_url, settings.label_studio_token.reveal())


_MAKERS: Final[Mapping[str, Callable[[Settings], Target]]] = {
    targets.PLAYMENT: _playment,
    targets.LABEL_STUDIO: _label_studio,
}


def publisher_of(settings: Settings, scanner: Scanner) -> Publisher:
    """Return the place where files are published; nothing is asked of it yet.

    Raises SettingsError where the extra for object stores is missing, or the credentials are no whole key.
    """
    if not uploads(settings):
        return BaseUrl(settings.publish_to)
    from agent.publishing import s3_credentials  # noqa: PLC0415 - what is published from here needs none

    try:
        from agent.publishing.object_store import ObjectStore  # noqa: PLC0415 - needs the extra, which may be missing
    except ModuleNotFoundError as error:
        if error.name != "obstore":
            raise
        raise SettingsError(
            ["PUBLISH_TO is an object store, and what uploads to it is not installed: pip install 'obstore<0.13'."]
        ) from None
    aws = {name: secret.reveal() for name, secret in settings.aws.items()}
    return ObjectStore(
        settings.publish_to,
        s3_credentials.find(aws),
        scanner,
        endpoint=settings.publish_endpoint or aws.get("AWS_ENDPOINT_URL_S3") or aws.get("AWS_ENDPOINT_URL") or "",
        region=settings.publish_region,
        style=settings.publish_urls,
        signed_seconds=settings.publish_signed_seconds,
    )


def probe_of(settings: Settings) -> Probe:
    """Return what fetches files as the target, or the page that shows them, would."""
    return Probe(called(settings.target), origin_of(settings))


def fleet_of(settings: Settings) -> Fleet | None:
    """Return the way to what the hosts of the project share, None where this one is alone; nothing is asked of it yet.

    Raises SettingsError where the extra for it is missing, FleetRefused for what is no address.
    """
    if settings.fleet_dsn is None:
        return None
    from agent.fleet.joining import join  # noqa: PLC0415 - most hosts are alone

    fleet = join(settings.fleet_dsn.reveal(), fleet_project_of(settings), fleet_host_of(settings))
    fleet.budget = _budget(settings)
    return fleet


def member_of(
    settings: Settings, fleet: Fleet, ledger: LedgerWriter, gate: Gate, monotonic: Callable[[], float]
) -> Membership:
    """Return this host's part in its fleet."""
    from agent.service.membership import Membership  # noqa: PLC0415 - most hosts are alone

    folder = mounts.shared_place(settings.watch_dir)
    return Membership(
        fleet, ledger, gate, host=fleet_host_of(settings), folder=folder, now=utc_now, monotonic=monotonic
    )


def _budget(settings: Settings) -> Budget:
    from agent.fleet.records import Budget  # noqa: PLC0415 - most hosts are alone

    return Budget(settings.submit_jobs_per_minute, limits_of(settings))


@contextlib.contextmanager
def sending(
    settings: Settings,
    ledger: LedgerWriter,
    gate: Gate,
    *,
    meters: Meters,
    member: Membership | None,
    scanner: Scanner,
    publisher: Publisher,
    folders: FolderRulesSource,
    monotonic: Callable[[], float],
    on_changed: Callable[[str, Kind], None],
    fingerprint: Callable[[str, str | None], bytes | None],
    follow: Follow,
) -> Iterator[Submitter]:
    """Give a submitter that runs, and close what it uses in the end; the submitter itself is the caller's to close.

    Of a `member` of a fleet the rate, and what may be spent, are the fleet's.

    `on_changed` is told of a unit whose files changed under way; `fingerprint` is as in SendingContext.
    """
    with contextlib.ExitStack() as stack:
        target = stack.enter_context(contextlib.closing(target_of(settings)))
        probe = stack.enter_context(contextlib.closing(probe_of(settings))) if is_probed(settings) else None
        reads = stack.enter_context(Reads.open(settings.ledger_path))
        context = SendingContext(
            target=target,
            batches=Batches(target, LedgerBatches(ledger)),
            publisher=publisher,
            probe=probe,
            probe_all=settings.publish_probe == "all",
            scanner=scanner,
            terms=terms_of(settings),
            limits=Limits() if member else limits_of(settings),
            rules=rules_of(settings),
            batch_name=batch_namer(settings),
            batch_of=batch_chooser(settings),
            folders=folders,
            now=utc_now,
            monotonic=monotonic,
            on_changed=on_changed,
            fingerprint=fingerprint,
            meters=meters,
        )
        pools = Pools.of_threads(publish=settings.publish_workers, post=settings.submit_workers)
        submitter = Submitter(context, ledger, reads, gate, pools, grantor=member)
        follow(partial(_obey, target, submitter, member))
        submitter.start()
        yield submitter


def _obey(target: Target, submitter: Submitter, member: Membership | None, settings: Settings) -> None:
    target.use_key(settings.key.reveal())
    submitter.knock()
    if member is None:
        submitter.limit(limits_of(settings))
    else:
        member.limit(_budget(settings))


@contextlib.contextmanager
def results_of(
    settings: Settings,
    folder: Path,
    ledger: LedgerWriter,
    gate: Gate,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    *,
    follow: Follow = lambda _obey: None,
) -> Iterator[ResultsFetcher]:
    """Give what does rounds into `folder`, with connections of its own."""
    from agent.results.fetcher import ResultsFetcher  # noqa: PLC0415 - many fetch no results
    from agent.results.files import ResultFiles  # noqa: PLC0415 - the same
    from agent.results.poller import END_SECONDS  # noqa: PLC0415 - the same

    with (
        contextlib.closing(target_of(settings)) as target,
        Reads.open(settings.ledger_path) as reads,
    ):
        follow(lambda new: target.use_key(new.key.reveal()))
        results = ResultsFetcher(
            target,
            ledger,
            reads,
            gate,
            files=ResultFiles(folder, target.name, settings.results_mode),
            delay=settings.results_poll_seconds,
            now=utc_now,
            progress=progress,
        )
        try:
            yield results
        finally:
            results.close(END_SECONDS)


@contextlib.contextmanager
def collecting(settings: Settings, ledger: LedgerWriter, gate: Gate, follow: Follow) -> Iterator[None]:
    """Fetch results as long as the block runs, where RESULTS_DIR is set."""
    if settings.results_dir is None:
        yield
        return
    from agent.results.poller import END_SECONDS, ResultsPoller  # noqa: PLC0415 - as above

    with results_of(settings, settings.results_dir, ledger, gate, follow=follow) as results:
        poller = ResultsPoller(results, settings.results_poll_seconds)
        poller.start()
        try:
            yield
        finally:
            poller.close(END_SECONDS)
