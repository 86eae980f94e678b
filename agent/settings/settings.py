"""The settings: a mapping of texts in, one frozen `Settings` out, or one error with every problem. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from agent.model import Edition
from agent.settings.places import about, ledger_text, overlap, quoted, refused, results_dir
from agent.settings.secret import FLEET, NEWS, Secret, secret_of
from agent.settings.targets import TARGETS, chosen, of_others, without_effect
from agent.settings.variables import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

AWS_NAMES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CONFIG_FILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "HOME",
)
"""What other programs set for object stores; a profile's files are looked for in HOME."""


PLACES = (*(target.key for target in TARGETS.values()), FLEET, NEWS)
"""Where secrets are looked for."""


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings, checked. Each field is the variable of the same name, whose meaning stands in `VARIABLES`.

    None stands for a variable that is not set. Seconds are seconds. Paths are absolute, symbolic links resolved.
    `playment_base_url` has no slash at its end, `publish_to` has one and may be `s3://…`; `image_extensions` are lower
    case without a dot, `image_formats` as in `core.image_format`. `playment_batch` is None, 'day', 'folder' or a UUID,
    and `playment_batch_name` is '' unless it is one of the words. `aws` holds those of AWS_NAMES that are set; it is
    empty where nothing is uploaded. What is another target's than `target` is as if it were not set, and `unheeded`
    names it.
    """

    target: str
    playment_api_key: Secret
    playment_project_id: str
    playment_tag: str | None
    playment_work_flow_id: str | None
    playment_base_url: str
    playment_batch: str | None
    playment_batch_name: str
    playment_priority_weight: int
    label_studio_url: str
    label_studio_token: Secret
    label_studio_image_project: str
    label_studio_sequence_project: str
    watch_dir: Path
    watch_mode: Literal["auto", "events", "poll"]
    watch_rescan_seconds: float
    watch_poll_seconds: float
    settle_seconds: float
    sequence_settle_seconds: float
    sequence_ready_marker: str | None
    sequence_gaps: Literal["warn", "hold", "ignore"]
    sequence_order: Literal["natural", "time", "bytes"]
    sequence_order_doubt: Literal["hold", "warn"]
    image_extensions: frozenset[str]
    image_formats: frozenset[str]
    image_max_pixels: int
    image_check: Literal["structure", "full"]
    image_folders: tuple[str, ...]
    ignore: tuple[str, ...]
    reference_id: str
    publish_to: str
    publish_urls: Literal["signed", "public", "native"]
    publish_signed_seconds: int
    publish_endpoint: str | None
    publish_region: str | None
    publish_probe: Literal["all", "sample", "off"]
    publish_workers: int
    submit_workers: int
    submit_jobs_per_minute: float | None
    submit_limit_jobs_per_day: int | None
    submit_limit_frames_per_day: int | None
    results_dir: Path | None
    results_mode: int | None
    results_poll_seconds: float
    folder_settings: bool
    fleet_dsn: Secret | None
    fleet_host: str | None
    notify_url: Secret | None
    notify_command: tuple[str, ...]
    notify_summary_at: tuple[int, int] | None
    ledger_path: Path
    ledger_mode: int | None
    ledger_keep_events_days: int | None
    price_per_image: float | None
    price_per_frame: float | None
    page_orders: bool
    page_names: frozenset[str]
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"]
    log_format: Literal["text", "json", "journal"]
    aws: Mapping[str, Secret]
    unheeded: tuple[str, ...] = field(default=(), compare=False)

    @property
    def key(self) -> Secret:
        """What the target lets us in by."""
        found: Secret = getattr(self, TARGETS[self.target].key.variable.lower())
        return found

    @property
    def address(self) -> str:
        """Where the target is."""
        return str(getattr(self, TARGETS[self.target].address.lower()))

    @property
    def project_ids(self) -> tuple[str, ...]:
        """The target's projects that the jobs go to, each once."""
        return tuple(dict.fromkeys(str(getattr(self, name.lower())) for name in TARGETS[self.target].projects))

    def with_key_of(self, other: Settings) -> Settings:
        """Return these settings with the keys of others."""
        return replace(self, playment_api_key=other.playment_api_key, label_studio_token=other.label_studio_token)

    @property
    def edition(self) -> Edition:
        """The edition of the vendor's API that the tag or the work flow belongs to."""
        return Edition.V0 if self.playment_tag else Edition.V1

    @property
    def tag_or_work_flow(self) -> str:
        """The one of `playment_tag` and `playment_work_flow_id` that is set."""
        return self.playment_tag or self.playment_work_flow_id or ""

    @property
    def lock_path(self) -> Path:
        """The file beside the ledger that the running agent locks."""
        return lock_of(self.ledger_path)


def lock_of(ledger: Path) -> Path:
    """Return the file that is locked for a ledger: never its own, since closing that drops SQLite's locks."""
    return ledger.with_name(f"{ledger.name}.lock")


def parse(
    given: Mapping[str, str],
    *,
    defaults: Mapping[str, str],
    read_text: Callable[[str], str],
    resolve: Callable[[str], Path],
    watch_problem: Callable[[Path], str | None],
    ledger_problem: Callable[[Path], str | None],
    results_problem: Callable[[Path], str | None],
    env_file: Path | None = None,
    needs_key: bool = True,
) -> Settings:
    """Read the settings from `given`; an empty text counts as not set.

    `defaults` are texts for variables whose default is not this package's to know, such as a target's address.
    `read_text` returns what a file holds and raises OSError or UnicodeDecodeError. `resolve` makes a path absolute and
    follows symbolic links. `watch_problem`, `ledger_problem` and `results_problem` say what is wrong with the place, if
    anything is; their sentences go on after the variable's name and path. `env_file` is the resolved file that texts
    came from. A command that asks the target nothing needs no key: then none is read, and it is an empty secret; and
    where the fleet's address cannot be read then, it is None.

    Raises SettingsError with every problem there is; none of them holds a secret. NotThereYet where each is one that
    time alone may mend.
    """
    problems: list[str] = []
    found: dict[str, Any] = {}
    target = chosen(given)
    others = of_others(target)
    found["unheeded"] = without_effect(given)
    given = {name: text for name, text in given.items() if name not in others}
    for variable in VARIABLES:
        text = variable.text(given, defaults)
        found[variable.field] = variable.unset
        if text:
            try:
                found[variable.field] = variable.read(text)
            except ValueError as error:
                problems.append(f"{variable.name} is {quoted(variable.show(text))}: {error}.")
        elif variable.required and variable.name not in others:
            problems.append(f"{variable.name} is not set. {variable.explanation}.")
    files = {place.file: found.pop(place.file.lower()) for place in PLACES}
    found |= _secrets(target, given, read_text, problems, needs_key=needs_key)
    problems += TARGETS[target].problems(given, found)
    problems += _news_problems(found, needs_key=needs_key)
    found["playment_batch_name"] = _batch_name(found["playment_batch"], found["playment_batch_name"])
    kept = {
        **{name: resolve(file) if file else None for name, file in files.items()},
        "The file of settings": env_file,
    }
    if ledger := ledger_text(given):
        found["ledger_path"] = kept["LEDGER_PATH"] = resolve(ledger)
        if problem := ledger_problem(found["ledger_path"]):
            problems.append(about(f"LEDGER_PATH is {quoted(ledger)}", problem))
    found["results_dir"] = results_dir(found["results_dir"], resolve, results_problem, problems)
    if found["watch_dir"]:
        watch_dir = resolve(found["watch_dir"])
        if problem := watch_problem(watch_dir):
            problems.append(about(f"WATCH_DIR is {quoted(found['watch_dir'])}", problem))
        found["watch_dir"] = watch_dir
        problems += [
            f"{name} lies in the watch folder ({quoted(str(path))}): it would be served with the images. "
            f"Put it outside {quoted(str(watch_dir))}."
            for name, path in kept.items()
            if path and path.is_relative_to(watch_dir)
        ]
        problems += overlap(watch_dir, found["results_dir"])
    if problems:
        raise refused(problems, found)
    uploads = found["publish_to"].startswith("s3://")
    found["aws"] = {name: Secret(given[name]) for name in AWS_NAMES if uploads and given.get(name)}
    return Settings(**found)


def unknown_names(names: Iterable[str]) -> list[str]:
    """Return a problem for each name that looks like one of our variables and is none: most likely it is misspelt.

    To be asked for names in a file of settings only; the environment is full of other programs' names.
    """
    known = [variable.name for variable in VARIABLES]
    others = [name for name in names if name not in known]
    if not others:
        return []
    import difflib  # noqa: PLC0415 - most files of settings hold none

    problems = []
    for name in others:
        near = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.8)
        if near or name.startswith(("PLAYMENT_", "LABEL_STUDIO_")):
            hint = f"did you mean {near[0]}?" if near else ".env.example lists all there are."
            problems.append(f"{name} is no setting of this version: {hint}")
    return problems


def _secrets(
    target: str, given: Mapping[str, str], read_text: Callable[[str], str], problems: list[str], *, needs_key: bool
) -> dict[str, Secret | None]:
    """Return the secrets, by their fields; the key is empty of a target that is not used, and where none is needed."""
    found: dict[str, Secret | None] = {}
    for name, of_target in TARGETS.items():
        place, needed = of_target.key, needs_key and name == target
        found[place.variable.lower()] = secret_of(place, given, read_text, problems) if needed else Secret("")
    for place in (FLEET, NEWS):
        found[place.variable.lower()] = secret_of(place, given, read_text, problems if needs_key else [])
    return found


def _news_problems(found: Mapping[str, Any], *, needs_key: bool) -> list[str]:
    """Return what of the news' settings does not go together; `needs_key` tells whether secrets were read."""
    if found["notify_url"] and found["notify_command"]:
        return ["NOTIFY_URL and NOTIFY_COMMAND are both set: news are told by one of them. Leave one empty."]
    if needs_key and found["notify_summary_at"] and not (found["notify_url"] or found["notify_command"]):
        return ["NOTIFY_SUMMARY_AT is set, and nothing that tells it: set NOTIFY_URL or NOTIFY_COMMAND."]
    return []


def _batch_name(batch: str | None, template: str) -> str:
    """Return the template of the batch's name, '' where the batch is not made by name."""
    if batch not in {"day", "folder"}:
        return ""
    return template or f"{{{batch}}}"
