"""What the settings ask of the stages, as the values that these are handed."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from agent.core.image_rules import ImageRules, extensions_of
from agent.core.names import Filters
from agent.core.quiet_times import QuietTimes
from agent.core.reference_id import IdRules
from agent.core.spend_guard import Limits
from agent.model.jobs import Terms
from agent.settings import parsers
from agent.settings.secret import Origin
from agent.settings.targets import LABEL_STUDIO, PLAYMENT, TARGETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.settings.secret import Secret
    from agent.settings.settings import Settings
from agent.host.clock import utc_now

BATCH_WORDS = ("day", "folder")


def world_of(settings: Settings) -> dict[str, str]:
    """Return what a ledger is bound to."""
    return {
        "target": settings.target,
        **{key: getattr(settings, name.lower()) for key, name in TARGETS[settings.target].world.items()},
        "watch_dir": str(settings.watch_dir),
        "reference_id_template": settings.reference_id,
    }


def filters_of(settings: Settings) -> Filters:
    """Return the filters that the settings ask for: formats that were added bring their extensions."""
    extensions = settings.image_extensions | extensions_of(settings.image_formats)
    return Filters.of(extensions, settings.image_folders, settings.sequence_ready_marker or "", settings.ignore)


def image_rules_of(settings: Settings) -> ImageRules:
    """Return what whole pictures must be to be sent."""
    return ImageRules(settings.image_formats, settings.image_max_pixels, settings.image_check == "full")


def quiet_of(settings: Settings) -> QuietTimes:
    """Return the quiet times that the settings ask for."""
    return QuietTimes(settings.settle_seconds, settings.sequence_settle_seconds, settings.sequence_ready_marker or "")


def rules_of(settings: Settings) -> IdRules:
    """Return the rules that the settings ask for."""
    return IdRules(settings.reference_id, socket.gethostname(), settings.tag_or_work_flow)


def limits_of(settings: Settings) -> Limits:
    """Return the spend guard's limits."""
    return Limits(settings.submit_limit_jobs_per_day, settings.submit_limit_frames_per_day)


def fleet_host_of(settings: Settings) -> str:
    """Return this agent's name in the fleet: two on one host have ledgers of their own."""
    return settings.fleet_host or f"{socket.gethostname()}:{settings.ledger_path}"


def fleet_project_of(settings: Settings) -> str:
    """Return what the hosts of a fleet call what they share: the project, at which target and where."""
    if settings.target == PLAYMENT:
        return settings.playment_project_id
    return f"{settings.target} {settings.address} {' and '.join(settings.project_ids)}"


def is_copied_at_start(key: Secret) -> bool:
    """Tell whether systemd has handed over the key: its copy stays as it is until a restart."""
    return key.origin is Origin.CREDENTIAL


def how_to_mend_the_key(settings: Settings) -> str:
    """Return what a person is to do where the key is refused: it is not taken from everywhere while the agent runs."""
    key, place = settings.key, TARGETS[settings.target].key
    if is_copied_at_start(key):
        return (
            f"Put the right {place.word} where the unit's LoadCredential= has it and restart the service: systemd "
            "hands over a copy at the start"
        )
    if key.origin is Origin.FILE:
        return f"Put the right {place.word} into {key.source}: while sending is blocked it is read again every minute"
    return f"Set the right {place.variable}: a file of settings is read again every minute, the environment at a start"


def uploads(settings: Settings) -> bool:
    """Tell whether files are published by uploading them to an object store."""
    return settings.publish_to.startswith("s3://")


def is_probed(settings: Settings) -> bool:
    """Tell whether URLs are fetched before a job is posted: an `s3://` URL can be fetched by nobody but the target."""
    return settings.publish_probe != "off" and not (uploads(settings) and settings.publish_urls == "native")


def origin_of(settings: Settings) -> str:
    """Return the origin of the page that loads the files with CORS, '' where none does."""
    if settings.target != LABEL_STUDIO:
        return ""
    parts = urlsplit(settings.label_studio_url)
    return f"{parts.scheme}://{parts.netloc}"


def terms_of(settings: Settings) -> Terms:
    """Return what an intent freezes; the batch is left open where it goes by name."""
    batch = settings.playment_batch
    return Terms(
        settings.edition,
        settings.tag_or_work_flow,
        None if batch in BATCH_WORDS else batch,
        settings.playment_priority_weight if settings.target == PLAYMENT else None,
    )


def cautions_of(settings: Settings) -> Iterator[str]:
    """Yield what a person should know of the settings, a sentence each; the agent works all the same."""
    if settings.unheeded:
        yield f"TARGET is {settings.target}, so these settings have no effect: {', '.join(settings.unheeded)}"
    if told := TARGETS[settings.target].caution(settings):
        yield told


def how_jobs_are_made(settings: Settings) -> str:
    """Say by what the target knows how the jobs' work is done."""
    if settings.target == PLAYMENT:
        named = "work flow" if settings.playment_work_flow_id else "tag"
        return f"jobs are made with the {named} {settings.tag_or_work_flow!r}"
    images, sequences = settings.label_studio_image_project, settings.label_studio_sequence_project
    return f"images go to project {images}, sequences to project {sequences}; there are no tags, batches and priorities"


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
        if parsers.UUID.fullmatch(said):
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
