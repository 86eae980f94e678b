"""The settings of each target: its variables, where its key is, and which of its texts do not go together. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from agent.model.hosts import is_mixed
from agent.model.text import without_secrets
from agent.settings import parsers
from agent.settings.places import quoted
from agent.settings.secret import Place
from agent.settings.variable import Variable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.settings.settings import Settings

PLAYMENT: Final = "playment"
LABEL_STUDIO: Final = "label-studio"
ENDPOINTS: Final = ("PUBLISH_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
"""Where the address of an object store stands, the first that is set; `assembly.publisher_of` reads them alike."""


@dataclass(frozen=True, slots=True)
class OfTarget:
    """What the settings hold of one target: its variables, the place of its key, and the fields of what it is.

    `world` names the variables that a ledger is bound to, by the key under which it keeps each. `folder_keys` are those
    of `.playment.toml` that mean something to this target alone. `problems` returns what does not go together, of the
    texts that are given and of what was read of them; `caution` what a person should know all the same, '' for nothing.
    """

    key: Place
    address: str
    projects: tuple[str, ...]
    world: Mapping[str, str]
    variables: tuple[Variable, ...]
    folder_keys: frozenset[str]
    problems: Callable[[Mapping[str, str], Mapping[str, Any]], list[str]]
    caution: Callable[[Settings], str] = lambda _settings: ""


def _playment_problems(given: Mapping[str, str], found: Mapping[str, Any]) -> list[str]:
    """Return the problems of the variables that say which edition of the vendor's API is used."""
    v0, v1 = given.get("PLAYMENT_TAG"), given.get("PLAYMENT_WORK_FLOW_ID")
    if v0 and v1:
        return [
            "PLAYMENT_TAG and PLAYMENT_WORK_FLOW_ID are both set: exactly one must be (v0 has tags, v1 work flows)."
        ]
    if not v0 and not v1:
        return [
            "Neither PLAYMENT_TAG nor PLAYMENT_WORK_FLOW_ID is set: exactly one must be (v0 has tags, v1 work flows)."
        ]
    if v1 and found["playment_priority_weight"] == 10:
        return ["PLAYMENT_PRIORITY_WEIGHT is '10': with a work flow (v1) it must be a whole number from 1 to 9."]
    return []


def _label_studio_problems(given: Mapping[str, str], found: Mapping[str, Any]) -> list[str]:
    """Return what of the published files' settings would leave annotators before an empty page.

    The server fetches no URL, and takes any text for one: whoever opens the task is the first to see.
    """
    problems = []
    if found["publish_probe"] == "off":
        problems.append(
            "PUBLISH_PROBE is 'off': Label Studio looks at no URL when a task is made, the probe alone shows whether "
            "annotators will see the picture. It must be all or sample."
        )
    where = found["publish_to"] or ""
    if where.startswith("s3://") and found["publish_urls"] == "native":
        problems.append(
            "PUBLISH_URLS is 'native': Label Studio shows s3:// URLs of a storage that is connected to the project "
            "alone, and annotators' browsers load the pictures. It must be signed or public."
        )
    names = ENDPOINTS if where.startswith("s3://") else ("PUBLISH_TO",)
    name = next((name for name in names if given.get(name)), "")
    if is_mixed(given.get(name, ""), found["label_studio_url"] or ""):
        problems.append(
            f"{name} is {quoted(without_secrets(given[name]))}: browsers load no http:// picture into the https:// "
            "page of LABEL_STUDIO_URL. It must begin with https://."
        )
    return problems


def _label_studio_caution(settings: Settings) -> str:
    """Say where annotators' pages become empty after a while: the server copies no file."""
    if not settings.publish_to.startswith("s3://") or settings.publish_urls != "signed":
        return ""
    return (
        f"PUBLISH_URLS is 'signed': a task's pictures are shown for {settings.publish_signed_seconds / 3600:,.4g} "
        "hours after it is made (PUBLISH_SIGNED_SECONDS; 7 days at most), and its page stays empty from then on, since "
        "Label Studio copies no file. Where annotating may take longer set PUBLISH_URLS=public"
    )


_PLAYMENT = OfTarget(
    key=Place(
        "PLAYMENT_API_KEY",
        "playment_api_key",
        "the API key",
        "a key",
        parsers.key,
        "PLAYMENT_API_KEY is not set. Put the key there, or the path of a file that holds it in PLAYMENT_API_KEY_FILE, "
        "or give the unit a credential named playment_api_key.",
    ),
    address="PLAYMENT_BASE_URL",
    projects=("PLAYMENT_PROJECT_ID",),
    world={"project_id": "PLAYMENT_PROJECT_ID", "base_url": "PLAYMENT_BASE_URL"},
    variables=(
        Variable(
            "PLAYMENT_API_KEY",
            "",
            "The secret API key; or use the next, or a systemd credential named playment_api_key",
            parsers.key,
            show=parsers.hidden,
            live=True,
        ),
        Variable("PLAYMENT_API_KEY_FILE", "", "A file that holds the key", parsers.path, live=True),
        Variable("PLAYMENT_PROJECT_ID", "", "The project's id (required)", parsers.path_safe, required=True, unset=""),
        Variable(
            "PLAYMENT_TAG", "", "The job's tag, for the v0 edition; set exactly one of this and the next", parsers.plain
        ),
        Variable("PLAYMENT_WORK_FLOW_ID", "", "The work flow's UUID, for the v1 edition", parsers.uuid),
        Variable(
            "PLAYMENT_BASE_URL",
            "",
            "Playment's address; http:// only for a loopback host",
            parsers.base_url,
            required=True,
            show=without_secrets,
            unset="",
        ),
        Variable(
            "PLAYMENT_BATCH",
            "",
            "Empty: the project's default batch; a UUID: that batch; day or folder: one by name, made when needed",
            parsers.batch,
        ),
        Variable(
            "PLAYMENT_BATCH_NAME",
            "",
            "The name of a day's or folder's batch: {day} (UTC), {folder} (the top folder), {host}",
            parsers.template("day", "folder", "host"),
            unset="",
            shown_default="{day} or {folder}",
        ),
        Variable(
            "PLAYMENT_PRIORITY_WEIGHT", "5", "Larger is more urgent: 1 to 10 (v0), 1 to 9 (v1)", parsers.whole(1, 10)
        ),
    ),
    folder_keys=frozenset({"tag", "batch"}),
    problems=_playment_problems,
)
_LABEL_STUDIO = OfTarget(
    key=Place(
        "LABEL_STUDIO_TOKEN",
        "label_studio_token",
        "the access token",
        "a token",
        parsers.key,
        "LABEL_STUDIO_TOKEN is not set. Put a personal access token there (Label Studio: Account & Settings), or the "
        "path of a file that holds it in LABEL_STUDIO_TOKEN_FILE, or give the unit a credential named "
        "label_studio_token.",
    ),
    address="LABEL_STUDIO_URL",
    projects=("LABEL_STUDIO_IMAGE_PROJECT", "LABEL_STUDIO_SEQUENCE_PROJECT"),
    world={
        "label_studio_url": "LABEL_STUDIO_URL",
        "label_studio_image_project": "LABEL_STUDIO_IMAGE_PROJECT",
        "label_studio_sequence_project": "LABEL_STUDIO_SEQUENCE_PROJECT",
    },
    variables=(
        Variable(
            "LABEL_STUDIO_URL",
            "",
            "Label Studio's address (required for it); http:// only for loopback and private addresses",
            parsers.endpoint,
            required=True,
            show=without_secrets,
            unset="",
        ),
        Variable(
            "LABEL_STUDIO_TOKEN",
            "",
            "A personal access token, or a legacy token; or use the next, or a credential label_studio_token",
            parsers.key,
            show=parsers.hidden,
            live=True,
        ),
        Variable("LABEL_STUDIO_TOKEN_FILE", "", "A file that holds the token", parsers.path, live=True),
        Variable(
            "LABEL_STUDIO_IMAGE_PROJECT",
            "",
            "The number of the project for images (required for it; 'label-studio init' makes both)",
            parsers.number_of,
            required=True,
            unset="",
        ),
        Variable(
            "LABEL_STUDIO_SEQUENCE_PROJECT",
            "",
            "The same for sequences",
            parsers.number_of,
            required=True,
            unset="",
        ),
    ),
    folder_keys=frozenset(),
    problems=_label_studio_problems,
    caution=_label_studio_caution,
)
TARGETS: Final[Mapping[str, OfTarget]] = {PLAYMENT: _PLAYMENT, LABEL_STUDIO: _LABEL_STUDIO}
TARGET: Final = Variable(
    "TARGET",
    PLAYMENT,
    "Who takes the jobs: playment, or label-studio; settings of the other one have no effect",
    parsers.choice(*TARGETS),
)


def chosen(given: Mapping[str, str]) -> str:
    """Return the target that is asked for, the default one where it is none."""
    text = given.get(TARGET.name) or TARGET.default
    return text if text in TARGETS else TARGET.default


def of_others(target: str) -> frozenset[str]:
    """Return the names of the variables of all targets but this one."""
    return frozenset(variable.name for name, other in TARGETS.items() if name != target for variable in other.variables)


def without_effect(given: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the settings that are given and are another target's."""
    return tuple(sorted(name for name in of_others(chosen(given)) if given.get(name)))


def unheeded_keys(target: str) -> frozenset[str]:
    """Return the keys of `.playment.toml` that mean something to other targets alone."""
    return frozenset[str]().union(*(each.folder_keys for each in TARGETS.values())) - TARGETS[target].folder_keys
