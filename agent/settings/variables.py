"""The table of all settings, which drives their reading, `.env.example` and the docs. Pure."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from agent.core.frame_order import ORDERS
from agent.core.image_format import EXTENSIONS
from agent.core.image_rules import USUAL, USUAL_RULES
from agent.model.text import without_secrets
from agent.settings import parsers
from agent.settings.targets import TARGET, TARGETS, of_others
from agent.settings.variable import Variable

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECONDS = parsers.number(0.1, 86_400, "seconds")
_LIMIT = parsers.whole(1, 999_999_999)
_PRICE = parsers.number(0, 999_999_999, "any currency")
_WORKERS = parsers.whole(1, 64)
_TELLS_APART = frozenset({"path", "digest", "name", "stem"})

VARIABLES: tuple[Variable, ...] = (
    TARGET,
    *(variable for target in TARGETS.values() for variable in target.variables),
    Variable("WATCH_DIR", "", "The folder to watch (required)", parsers.path, required=True),
    Variable(
        "WATCH_MODE",
        "auto",
        "events, poll, or auto: poll on network and FUSE file systems and when inotify's limits are hit",
        parsers.choice("auto", "events", "poll"),
    ),
    Variable(
        "WATCH_RESCAN_SECONDS", "300", "Seconds between full scans, which repair whatever the events missed", _SECONDS
    ),
    Variable("WATCH_POLL_SECONDS", "10", "The same in poll mode", _SECONDS),
    Variable("SETTLE_SECONDS", "2", "How long a single image must stay unchanged", _SECONDS),
    Variable("SEQUENCE_SETTLE_SECONDS", "30", "How long a folder of frames must stay unchanged", _SECONDS),
    Variable(
        "SEQUENCE_READY_MARKER",
        "",
        "A file name, such as _READY, without which no folder is taken; with it SETTLE_SECONDS is enough",
        parsers.file_name,
    ),
    Variable(
        "SEQUENCE_GAPS",
        "warn",
        "What missing frame numbers do: warn, hold or ignore",
        parsers.choice("warn", "hold", "ignore"),
    ),
    Variable(
        "SEQUENCE_ORDER",
        "natural",
        "The order of frames: natural (by name, frame_2 before frame_10), time (by EXIF, else held) or bytes (by name)",
        parsers.choice(*ORDERS),
    ),
    Variable(
        "SEQUENCE_ORDER_DOUBT",
        "hold",
        "What an order does that cannot be proved (copies, two cameras, a counter that began again): hold or warn",
        parsers.choice("hold", "warn"),
    ),
    Variable(
        "IMAGE_EXTENSIONS",
        "jpg,jpeg,jpe,jfif,pjpeg,png,webp,bmp,tif,tiff",
        "File name extensions of images; case does not matter",
        parsers.extensions,
    ),
    Variable(
        "IMAGE_FORMATS",
        ",".join(map(str.lower, USUAL)),
        "What annotators' pages show, all else is held; tiff, avif and gif may be added, and bring their extensions",
        parsers.names({form.lower(): form for form in EXTENSIONS}),
    ),
    Variable(
        "IMAGE_MAX_PIXELS",
        str(USUAL_RULES.most_pixels),
        "The most pixels (width x height) that a picture may have",
        parsers.whole(1, 999_999_999),
    ),
    Variable(
        "IMAGE_CHECK",
        "structure",
        "structure: a picture is decoded where it is doubtful; full: each up to 89,478,485 pixels is (extra fullcheck)",
        parsers.choice("structure", "full"),
    ),
    Variable(
        "IMAGE_FOLDERS",
        "",
        "Globs, relative to WATCH_DIR: folders whose images are single image jobs, not frames",
        parsers.globs,
        unset=(),
    ),
    Variable(
        "IGNORE",
        "",
        "Globs, relative to WATCH_DIR: files, and folders with all below them, that are nobody's drop",
        parsers.globs,
        unset=(),
    ),
    Variable(
        "REFERENCE_ID",
        "{path}~{digest}",
        "Template of a job's reference_id: {path} {digest} {name} {stem} {folder} {host}",
        parsers.template("path", "digest", "name", "stem", "folder", "host", one_of=_TELLS_APART),
    ),
    Variable(
        "PUBLISH_TO",
        "",
        "The https:// base URL where WATCH_DIR is served, or s3://bucket/prefix to upload to (required)",
        parsers.publish_to,
        show=without_secrets,
        required=True,
    ),
    Variable(
        "PUBLISH_URLS",
        "signed",
        "What a job is given of an object store: signed https URLs, public https URLs, or native (s3://)",
        parsers.choice("signed", "public", "native"),
    ),
    Variable(
        "PUBLISH_SIGNED_SECONDS",
        "86400",
        "Life of a signed URL: at most 7 days, and no longer than a role's credentials",
        parsers.whole(60, 604_800),
    ),
    Variable("PUBLISH_ENDPOINT", "", "The address of an S3-compatible store that is not Amazon's", parsers.endpoint),
    Variable("PUBLISH_REGION", "", "The bucket's region", parsers.region),
    Variable(
        "PUBLISH_PROBE",
        "sample",
        "URLs fetched before a job is posted: all, sample (a sequence's first, last and 20 others) or off",
        parsers.choice("all", "sample", "off"),
    ),
    Variable("PUBLISH_WORKERS", "8", "Concurrent uploads and probes", _WORKERS),
    Variable("SUBMIT_WORKERS", "8", "Concurrent posts at most; fewer where the server asks or is slow", _WORKERS),
    Variable(
        "SUBMIT_JOBS_PER_MINUTE",
        "",
        "An upper limit on the rate; empty: none. Playment's oldest pages name the only one, 5 requests a second (300)",
        parsers.number(0.01, 1_000_000, "jobs"),
        live=True,
    ),
    Variable(
        "SUBMIT_LIMIT_JOBS_PER_DAY",
        "",
        "Spend guard: the most jobs on one UTC day, what goes beyond waits for the next; empty: no limit",
        _LIMIT,
        live=True,
    ),
    Variable(
        "SUBMIT_LIMIT_FRAMES_PER_DAY",
        "",
        "The same in frames (an image is one); a unit with more frames than this waits for a person",
        _LIMIT,
        live=True,
    ),
    Variable(
        "RESULTS_DIR",
        "",
        "A folder outside WATCH_DIR for annotations, PATH.json, and their frames' sizes, PATH.frames.jsonl; or none",
        parsers.path,
    ),
    Variable(
        "RESULTS_MODE",
        "",
        "The rights of these files, in octal, such as 0640 (default: by umask, and by the folder's setgid and ACL)",
        parsers.file_mode,
    ),
    Variable("RESULTS_POLL_SECONDS", "300", "Seconds between two looks for completed annotations", _SECONDS),
    Variable(
        "FOLDER_SETTINGS", "false", "true: obey .playment.toml files in the watch folder", parsers.switch, unset=False
    ),
    Variable(
        "FLEET_DSN",
        "",
        "Many hosts, one project: postgresql://user:password@host/database; or use the next, or a credential fleet_dsn",
        parsers.dsn,
        show=parsers.hidden,
    ),
    Variable("FLEET_DSN_FILE", "", "A file that holds it", parsers.path),
    Variable(
        "FLEET_HOST",
        "",
        "This agent's name in the fleet, unlike all others' and never changed",
        parsers.plain,
        shown_default="host name:LEDGER_PATH",
    ),
    Variable(
        "NOTIFY_URL",
        "",
        "News: addresses as Apprise takes them (extra notify), space between; or the next, or a credential notify_url",
        parsers.notify_urls,
        show=parsers.hidden,
    ),
    Variable("NOTIFY_URL_FILE", "", "A file that holds them", parsers.path),
    Variable(
        "NOTIFY_COMMAND",
        "",
        "Or a program with arguments, quoted as for a shell, that takes each message as JSON at its standard input",
        parsers.words,
        show=parsers.hidden,
        unset=(),
    ),
    Variable(
        "NOTIFY_SUMMARY_AT",
        "",
        "The time of a daily summary, such as 07:30, in the agent's time zone (TZ, else /etc/localtime); empty: none",
        parsers.time_of_day,
    ),
    Variable(
        "LEDGER_PATH",
        "",
        "The ledger's file: on a local disk, outside WATCH_DIR",
        parsers.path,
        shown_default="$STATE_DIRECTORY/ledger.db, else ledger.db",
    ),
    Variable(
        "LEDGER_MODE",
        "",
        "Who may read the ledger, octal: 640 lets its group",
        parsers.file_mode,
        shown_default="600; one that is there keeps its own",
    ),
    Variable(
        "LEDGER_KEEP_EVENTS_DAYS",
        "400",
        "Days for which the ledger's events are kept, a job's last one always; empty: for ever",
        parsers.whole(1, 99_999),
        may_be_empty=True,
    ),
    Variable("PRICE_PER_IMAGE", "", "What an image job costs, for the sum on the page; none: no sum", _PRICE),
    Variable("PRICE_PER_FRAME", "", "What each frame of a sequence costs, likewise", _PRICE),
    Variable(
        "PAGE_ORDERS",
        "false",
        "true: the page takes orders (retry, dismiss, pause …) of who knows the token that it makes",
        parsers.switch,
        unset=False,
    ),
    Variable(
        "PAGE_NAMES",
        "",
        "Host names as which a proxy of yours serves the page, which itself asks nobody who they are",
        parsers.host_names,
        unset=frozenset(),
    ),
    Variable(
        "LOG_LEVEL",
        "INFO",
        "DEBUG, INFO, WARNING or ERROR",
        parsers.choice("DEBUG", "INFO", "WARNING", "ERROR"),
        live=True,
    ),
    Variable(
        "LOG_FORMAT",
        "text",
        "text; json: one object a line; journal: to systemd's journal, with PATH, REFERENCE_ID and JOB_ID as fields",
        parsers.choice("text", "json", "journal"),
        live=True,
    ),
)

_HEAD = """\
# Settings of playment-agent. Copy this file to `.env` in the working directory, or name it with --env-file.
# It must not lie in WATCH_DIR, and should be readable by its owner alone (chmod 600) if it holds the key.
# The environment wins over this file. An empty value counts as not set. Nothing is interpolated.
# A value with spaces, quotes or a # goes between single quotes.
# A line that begins with # shows the default.
# For an object store AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_PROFILE and the like may stand here too.
"""


def example(defaults: Mapping[str, str]) -> str:
    """Return the text of `.env.example`: each variable with its explanation and default, as in `settings.parse`."""
    live = ", ".join(variable.name for variable in VARIABLES if variable.live)
    taken = f"Taken up while it runs, by `systemctl reload` or SIGHUP: {live}; all others by a restart."
    taken = textwrap.fill(taken, 118, initial_indent="# ", subsequent_indent="#   ", break_long_words=False)
    others = of_others(TARGET.default)
    parts = [f"{_HEAD}{taken}\n"]
    for variable in VARIABLES:
        note = f" (default: {variable.shown_default})" if variable.shown_default else ""
        default = defaults.get(variable.name, variable.default)
        mark = "" if variable.required and not default and variable.name not in others else "#"
        parts.append(f"# {variable.explanation}{note}.\n{mark}{variable.name}={default}\n")
    return "\n".join(parts)
