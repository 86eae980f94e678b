"""What the settings ask for, as parts: one place that knows how the program is put together."""

from __future__ import annotations

import re
import socket
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from agent.core.folder_rules import NO_FOLDERS
from agent.core.names import Filters
from agent.core.plan import Rules
from agent.core.quiet_times import Quiet
from agent.core.spend_guard import Limits
from agent.errors import SettingsError
from agent.folder.settings_files import FolderFiles
from agent.ledger.due import Terms
from agent.ledger.store import iso
from agent.publishing import s3_credentials as credentials
from agent.publishing.base_url import BaseUrl
from agent.results.download import Download
from agent.settings import parsers as values
from agent.targets.playment.client import Playment

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.core.folder_rules import Folders
    from agent.folder.scanner import Scanner
    from agent.ledger.store import Ledger
    from agent.ledger.writer import LedgerThread
    from agent.publishing import Publisher
    from agent.settings.settings import Settings

BATCH_WORDS = ("day", "folder")


def world_of(settings: Settings) -> dict[str, str]:
    """Return what a ledger is bound to."""
    return {
        "project_id": settings.playment_project_id,
        "base_url": settings.playment_base_url,
        "watch_dir": str(settings.watch_dir),
        "reference_id_template": settings.reference_id,
    }


def filters_of(settings: Settings) -> Filters:
    """Return the filters that the settings ask for."""
    return Filters.of(settings.image_extensions, settings.image_folders, settings.sequence_ready_marker or "")


def quiet_of(settings: Settings) -> Quiet:
    """Return the quiet times that the settings ask for."""
    return Quiet(settings.settle_seconds, settings.sequence_settle_seconds, settings.sequence_ready_marker or "")


def rules_of(settings: Settings) -> Rules:
    """Return the rules that the settings ask for."""
    return Rules(settings.reference_id, socket.gethostname())


def playment_of(settings: Settings) -> Playment:
    """Return a client for the settings' project."""
    return Playment(
        settings.playment_base_url,
        settings.playment_project_id,
        settings.playment_api_key.reveal(),
        settings.edition,
    )


def limits_of(settings: Settings) -> Limits:
    """Return the spend guard's limits."""
    return Limits(settings.submit_limit_jobs_per_day, settings.submit_limit_frames_per_day)


def download_of(settings: Settings) -> Download:
    """Return what fetches results; from a Playment on loopback they may come from anywhere."""
    return Download(allow_private=values.is_loopback(urlsplit(settings.playment_base_url).hostname or ""))


def uploads(settings: Settings) -> bool:
    """Tell whether files are published by uploading them to an object store."""
    return settings.publish_to.startswith("s3://")


def is_probed(settings: Settings) -> bool:
    """Tell whether URLs are fetched before a job is posted: an `s3://` URL can be fetched by nobody but Playment."""
    return settings.publish_probe != "off" and not (uploads(settings) and settings.publish_urls == "native")


def publisher_of(settings: Settings, scanner: Scanner) -> Publisher:
    """Return the place where files are published; nothing is asked of it yet.

    Raises SettingsError where the extra for object stores is missing, or the credentials are no whole key.
    """
    if not uploads(settings):
        return BaseUrl(settings.publish_to)
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
        credentials.find(aws),
        scanner,
        endpoint=settings.publish_endpoint or aws.get("AWS_ENDPOINT_URL_S3") or aws.get("AWS_ENDPOINT_URL") or "",
        region=settings.publish_region,
        style=settings.publish_urls,
        signed_seconds=settings.publish_signed_seconds,
    )


def utc_now() -> datetime:
    """Return the time by the clock, in UTC."""
    return datetime.now(UTC)


def terms_of(settings: Settings) -> Terms:
    """Return what an intent freezes; the batch is left open where it goes by name."""
    batch = settings.playment_batch
    return Terms(
        settings.edition,
        settings.tag_or_work_flow,
        None if batch in BATCH_WORDS else batch,
        settings.playment_priority_weight,
    )


class LedgerBatches:
    """The ledger's memory of batches, for `Batches`."""

    def __init__(self, ledger: LedgerThread) -> None:
        self._ledger = ledger

    def get(self, name: str) -> str | None:
        """Return a known batch's id."""

        def read(ledger: Ledger) -> str | None:
            row = ledger.sql.execute("select batch_id from batches where name = ?", (name,)).fetchone()
            return row[0] if row else None

        return self._ledger.call(read)

    def put(self, name: str, batch_id: str) -> None:
        """Keep a batch's id."""

        def write(ledger: Ledger) -> None:
            ledger.sql.execute("insert or replace into batches values (?, ?, ?)", (name, batch_id, iso(ledger.now)))

        self._ledger.call(write)


def batch_namer(settings: Settings) -> Callable[[str], str | None]:
    """Return what gives a path's batch name now; None stands for the project's default batch, or a fixed one.

    A unit with no top folder goes to the default batch where batches go by folder.
    """
    word = settings.playment_batch
    if word not in BATCH_WORDS:
        return lambda _path: None
    return lambda path: _batch_name(word, settings.playment_batch_name, path)


def batch_chooser(settings: Settings) -> Callable[[str, str], tuple[str | None, str | None]]:
    """Return what gives (id, name) of a path's batch from what a file of folder settings says of it.

    '' is the default batch, a UUID that batch; `day` and `folder` are as in PLAYMENT_BATCH; anything else is a name.
    """

    def choose(path: str, said: str) -> tuple[str | None, str | None]:
        if not said:
            return None, None
        if values.UUID.fullmatch(said):
            return said.lower(), None
        if said not in BATCH_WORDS:
            return None, said
        same = said == settings.playment_batch
        return None, _batch_name(said, settings.playment_batch_name if same else f"{{{said}}}", path)

    return choose


def _batch_name(word: str, template: str, path: str) -> str | None:
    folder = path.partition("/")[0] if "/" in path else ""
    if word == "folder" and not folder:
        return None
    fields = {"day": utc_now().strftime("%Y-%m-%d"), "folder": folder, "host": socket.gethostname()}
    return re.sub(r"\{(day|folder|host)\}", lambda match: fields[match[1]], template)


def folders_of(settings: Settings, scanner: Scanner) -> Folders:
    """Return what knows the settings of folders, where they are to be obeyed."""
    return FolderFiles(scanner, settings.edition) if settings.folder_settings else NO_FOLDERS
