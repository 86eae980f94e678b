from __future__ import annotations

import dataclasses
import io
import pickle
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dotenv import dotenv_values
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import SettingsError
from agent.model import Edition
from agent.model.text import without_secrets
from agent.service.names import DEFAULTS
from agent.settings import variables
from agent.settings.secret import Secret
from agent.settings.settings import Settings, unknown_names
from agent.settings.settings import parse as parse_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

UUID = "123e4567-e89b-12d3-a456-426614174000"
NEEDED = {
    "PLAYMENT_API_KEY": "s3cret",
    "PLAYMENT_PROJECT_ID": UUID,
    "PLAYMENT_TAG": "car",
    "WATCH_DIR": "/srv/inbox",
    "PUBLISH_TO": "https://images.example.com/inbox/",
}


def parse(
    changes: Mapping[str, str] | None = None,
    *,
    files: Mapping[str, str] | None = None,
    env_file: Path | None = None,
    watch_problem: str | None = None,
    ledger_problem: str | None = None,
    results_problem: str | None = None,
    needs_key: bool = True,
) -> Settings:
    def read_text(path: str) -> str:
        if path not in (files or {}):
            raise FileNotFoundError(2, "No such file or directory", path)
        return (files or {})[path]

    return parse_settings(
        {**NEEDED, **(changes or {})},
        defaults=DEFAULTS,
        read_text=read_text,
        resolve=lambda path: Path("/place") / path,
        watch_problem=lambda _: watch_problem,
        ledger_problem=lambda _: ledger_problem,
        results_problem=lambda _: results_problem,
        env_file=env_file,
        needs_key=needs_key,
    )


def problems(changes: Mapping[str, str], **more: object) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        parse(changes, **more)  # type: ignore[arg-type]
    return list(caught.value.problems)


def test_what_is_needed_is_enough_and_the_rest_are_the_documented_defaults() -> None:
    assert parse() == Settings(
        target="playment",
        playment_api_key=Secret("s3cret"),
        playment_project_id=UUID,
        playment_tag="car",
        playment_work_flow_id=None,
        playment_base_url="https://api.playment.io",
        playment_batch=None,
        playment_batch_name="",
        playment_priority_weight=5,
        label_studio_url="",
        label_studio_token=Secret(""),
        label_studio_image_project="",
        label_studio_sequence_project="",
        watch_dir=Path("/srv/inbox"),
        watch_mode="auto",
        watch_rescan_seconds=300.0,
        watch_poll_seconds=10.0,
        settle_seconds=2.0,
        sequence_settle_seconds=30.0,
        sequence_ready_marker=None,
        sequence_gaps="warn",
        image_extensions=frozenset({"jpg", "jpeg", "jpe", "jfif", "pjpeg", "png", "webp", "bmp", "tif", "tiff"}),
        image_formats=frozenset({"JPEG", "PNG", "WebP", "BMP"}),
        image_max_pixels=178_956_970,
        image_check="structure",
        sequence_order="natural",
        sequence_order_doubt="hold",
        image_folders=(),
        ignore=(),
        reference_id="{path}~{digest}",
        publish_to="https://images.example.com/inbox/",
        publish_urls="signed",
        publish_signed_seconds=86_400,
        publish_endpoint=None,
        publish_region=None,
        publish_probe="sample",
        publish_workers=8,
        submit_workers=8,
        submit_jobs_per_minute=None,
        submit_limit_jobs_per_day=None,
        submit_limit_frames_per_day=None,
        results_dir=None,
        results_mode=None,
        results_poll_seconds=300.0,
        folder_settings=False,
        fleet_dsn=None,
        fleet_host=None,
        notify_url=None,
        notify_command=(),
        notify_summary_at=None,
        ledger_path=Path("/place/ledger.db"),
        ledger_mode=None,
        ledger_keep_events_days=400,
        price_per_image=None,
        price_per_frame=None,
        page_orders=False,
        page_names=frozenset(),
        log_level="INFO",
        log_format="text",
        aws={},
    )


def test_every_variable_is_a_field_and_every_field_a_variable() -> None:
    fields = {field.name for field in dataclasses.fields(Settings)}
    assert {variable.field for variable in variables.VARIABLES} - fields == {
        "playment_api_key_file",
        "label_studio_token_file",
        "fleet_dsn_file",
        "notify_url_file",
    }
    assert fields - {"aws", "unheeded"} <= {variable.field for variable in variables.VARIABLES}


def test_what_other_programs_set_for_object_stores_is_taken_for_those_alone_and_never_shown() -> None:
    given = {"AWS_SECRET_ACCESS_KEY": "s3cret!", "AWS_PROFILE": "cameras", "AWS_OTHER": "x"}
    assert parse(given).aws == {}
    found = parse({**given, "PUBLISH_TO": "s3://bucket"})
    assert {name: secret.reveal() for name, secret in found.aws.items()} == {
        "AWS_SECRET_ACCESS_KEY": "s3cret!",
        "AWS_PROFILE": "cameras",
    }
    assert "s3cret!" not in repr(found)


def test_empty_counts_as_not_set() -> None:
    empty = [variable.name for variable in variables.VARIABLES if not variable.may_be_empty]
    assert parse({name: "" for name in empty if name not in NEEDED}) == parse()


def test_all_problems_are_told_at_once_each_with_its_variable_what_was_read_and_what_is_allowed() -> None:
    found = problems(
        {
            "PLAYMENT_PROJECT_ID": "",
            "SETTLE_SECONDS": "soon",
            "WATCH_MODE": "inotify",
            "PUBLISH_WORKERS": "0",
            "PUBLISH_TO": "s3://b/x",
        }
    )
    assert found == [
        "PLAYMENT_PROJECT_ID is not set. The project's id (required).",
        "WATCH_MODE is 'inotify': it must be one of auto, events, poll.",
        "SETTLE_SECONDS is 'soon': it must be a number of seconds from 0.1 to 86400.",
        (
            "PUBLISH_TO is 's3://b/x': it must be s3://bucket/prefix, the bucket of 3 to 63 letters, digits, "
            "'.', '-' and '_'."
        ),
        "PUBLISH_WORKERS is '0': it must be a whole number from 1 to 64.",
    ]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("PLAYMENT_PROJECT_ID", "my_Project-1", "my_Project-1"),
        ("PLAYMENT_BASE_URL", "https://host.example:8443/v/", "https://host.example:8443/v"),
        ("PLAYMENT_BASE_URL", "http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("PLAYMENT_BASE_URL", "http://127.9.9.9", "http://127.9.9.9"),
        ("PLAYMENT_BASE_URL", "http://[::1]:80/", "http://[::1]:80"),
        ("PLAYMENT_BASE_URL", "http://LOCALHOST:1", "http://LOCALHOST:1"),
        ("PLAYMENT_BATCH", UUID.upper(), UUID),
        ("PLAYMENT_PRIORITY_WEIGHT", "10", 10),
        ("WATCH_DIR", "inbox", Path("/place/inbox")),
        ("WATCH_MODE", "POLL", "poll"),
        ("WATCH_RESCAN_SECONDS", "0.5", 0.5),
        ("SEQUENCE_READY_MARKER", "_READY", "_READY"),
        ("IMAGE_EXTENSIONS", ".JPG, png", frozenset({"jpg", "png"})),
        ("IMAGE_FORMATS", "JPEG, webp,tiff", frozenset({"JPEG", "WebP", "TIFF"})),
        ("IMAGE_MAX_PIXELS", "280000000", 280_000_000),
        ("IMAGE_FOLDERS", "stills/, */single", ("stills", "*/single")),
        ("REFERENCE_ID", "{host}/{folder}/{stem}", "{host}/{folder}/{stem}"),
        ("PUBLISH_TO", "http://192.168.1.20:8000/in%20box", "http://192.168.1.20:8000/in%20box/"),
        ("PUBLISH_TO", "http://10.0.0.1", "http://10.0.0.1/"),
        ("PUBLISH_TO", "http://[fd00::1]/x/", "http://[fd00::1]/x/"),
        ("PUBLISH_TO", "http://localhost:8000", "http://localhost:8000/"),
        ("PUBLISH_TO", "s3://bucket", "s3://bucket/"),
        ("PUBLISH_TO", "S3://My_bucket.x/a/b-1/", "s3://My_bucket.x/a/b-1/"),
        ("PUBLISH_URLS", "NATIVE", "native"),
        ("PUBLISH_SIGNED_SECONDS", "604800", 604_800),
        ("PUBLISH_ENDPOINT", "https://minio.example:9000/", "https://minio.example:9000"),
        ("PUBLISH_ENDPOINT", "http://10.0.0.1:9000", "http://10.0.0.1:9000"),
        ("PUBLISH_REGION", "eu-central-1", "eu-central-1"),
        ("SUBMIT_JOBS_PER_MINUTE", "90", 90.0),
        ("LEDGER_PATH", "state/l.db", Path("/place/state/l.db")),
        ("LEDGER_MODE", "640", 0o640),
        ("LEDGER_MODE", "0600", 0o600),
        ("LEDGER_KEEP_EVENTS_DAYS", "30", 30),
        ("LEDGER_KEEP_EVENTS_DAYS", "", None),
        ("PRICE_PER_IMAGE", "0.035", 0.035),
        ("PAGE_NAMES", "Agent.example.com, 10.0.0.7", frozenset({"agent.example.com", "10.0.0.7"})),
        ("LOG_LEVEL", "debug", "DEBUG"),
        ("LOG_FORMAT", "json", "json"),
    ],
)
def test_what_is_allowed_is_taken(name: str, text: str, value: object) -> None:
    assert getattr(parse({name: text}), name.lower()) == value


def test_the_sentences_about_pictures_say_what_is_allowed() -> None:
    assert problems({"IMAGE_FORMATS": "jpeg,jxl", "IMAGE_MAX_PIXELS": "200 MP"}) == [
        (
            "IMAGE_FORMATS is 'jpeg,jxl': it must be one or more of jpeg, png, webp, bmp, tiff, avif, gif, with commas "
            "between them."
        ),
        "IMAGE_MAX_PIXELS is '200 MP': it must be a whole number from 1 to 999999999.",
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PLAYMENT_PROJECT_ID", "a/b"),
        ("PLAYMENT_PROJECT_ID", "a\n"),
        ("PLAYMENT_TAG", "a\tb"),
        ("PLAYMENT_TAG", " "),
        ("PLAYMENT_BASE_URL", "api.playment.io"),
        ("PLAYMENT_BASE_URL", "ftp://api.playment.io"),
        ("PLAYMENT_BASE_URL", "http://api.playment.io"),
        ("PLAYMENT_BASE_URL", "http://192.168.1.20"),
        ("PLAYMENT_BASE_URL", "http://localhost.evil.example"),
        ("PLAYMENT_BASE_URL", "http://127.0.0.1@evil.example"),
        ("PLAYMENT_BASE_URL", "http://127.0.0.1\\@evil.example"),
        ("PLAYMENT_BASE_URL", "http://127.0.0.1%2eevil.example"),
        ("PLAYMENT_BASE_URL", "http://2130706433"),
        ("PLAYMENT_BASE_URL", "https://host?x=1"),
        ("PLAYMENT_BASE_URL", "https://host/?"),
        ("PLAYMENT_BASE_URL", "https://host#x"),
        ("PLAYMENT_BASE_URL", "https://host:99999"),
        ("PLAYMENT_BASE_URL", "https://host:0"),
        ("PLAYMENT_BASE_URL", "https://host:"),
        ("PLAYMENT_BASE_URL", "https://"),
        ("PLAYMENT_BASE_URL", "https://ho\tst"),
        ("PLAYMENT_BASE_URL", "https://[::1"),
        ("PLAYMENT_BASE_URL", "https://-host"),
        ("PLAYMENT_BATCH", "today"),
        ("PLAYMENT_BATCH_NAME", "{date}"),
        ("PLAYMENT_BATCH_NAME", "{day"),
        ("PLAYMENT_BATCH_NAME", "{day!r}"),
        ("PLAYMENT_BATCH_NAME", "{{day}}"),
        ("PLAYMENT_PRIORITY_WEIGHT", "0"),
        ("PLAYMENT_PRIORITY_WEIGHT", "11"),
        ("PLAYMENT_PRIORITY_WEIGHT", "5.0"),
        ("PLAYMENT_PRIORITY_WEIGHT", "\N{ARABIC-INDIC DIGIT FIVE}"),
        ("WATCH_DIR", "a\0b"),
        ("LEDGER_PATH", "a\0b"),
        ("LEDGER_KEEP_EVENTS_DAYS", "0"),
        ("LEDGER_KEEP_EVENTS_DAYS", "for ever"),
        ("LEDGER_MODE", "o640"),
        ("LEDGER_MODE", "648"),
        ("LEDGER_MODE", "440"),
        ("LEDGER_MODE", "750"),
        ("LEDGER_MODE", "1640"),
        ("WATCH_RESCAN_SECONDS", "inf"),
        ("WATCH_POLL_SECONDS", "nan"),
        ("SETTLE_SECONDS", "0"),
        ("SETTLE_SECONDS", "-1"),
        ("SETTLE_SECONDS", "1e3"),
        ("SETTLE_SECONDS", "1_0"),
        ("SEQUENCE_SETTLE_SECONDS", "86401"),
        ("SEQUENCE_READY_MARKER", "a/_READY"),
        ("SEQUENCE_READY_MARKER", ".."),
        ("SEQUENCE_GAPS", "fail"),
        ("IMAGE_EXTENSIONS", "jpg,,png"),
        ("IMAGE_EXTENSIONS", "*.jpg"),
        ("IMAGE_FORMATS", "jpeg,heic"),
        ("IMAGE_FORMATS", "jpeg,,png"),
        ("IMAGE_MAX_PIXELS", "0"),
        ("IMAGE_MAX_PIXELS", "179_000_000"),
        ("IMAGE_FOLDERS", "/srv/inbox/stills"),
        ("IMAGE_FOLDERS", "../x"),
        ("IMAGE_FOLDERS", "a,,b"),
        ("REFERENCE_ID", "{host}"),
        ("REFERENCE_ID", "fixed"),
        ("REFERENCE_ID", "{path}{0}"),
        ("REFERENCE_ID", "{path}}"),
        ("REFERENCE_ID", "{path:10}"),
        ("PUBLISH_TO", "http://images.example.com/"),
        ("PUBLISH_TO", "http://8.8.8.8/"),
        ("PUBLISH_TO", "http://0.0.0.0/"),
        ("PUBLISH_TO", "http://[2001:4860:4860::8888]/"),
        ("PUBLISH_TO", "http://172.32.0.1/"),
        ("PUBLISH_TO", "https://host/in box/"),
        ("PUBLISH_TO", "https://host/%zz/"),
        ("PUBLISH_TO", "https://host/ü/"),
        ("PUBLISH_TO", "gs://bucket/"),
        ("PUBLISH_TO", "s3://"),
        ("PUBLISH_TO", "s3://bucket/a//b"),
        ("PUBLISH_TO", "s3://bucket/../b"),
        ("PUBLISH_TO", "s3://bucket/a b"),
        ("PUBLISH_TO", "s3://bucket/\u00fc"),
        ("PUBLISH_TO", "s3://bucket/a?x"),
        ("PUBLISH_TO", "s3://key:secret@bucket/a"),
        ("PUBLISH_URLS", "s3"),
        ("PUBLISH_SIGNED_SECONDS", "604801"),
        ("PUBLISH_SIGNED_SECONDS", "59"),
        ("PUBLISH_ENDPOINT", "http://store.example"),
        ("PUBLISH_REGION", "eu central"),
        ("PUBLISH_PROBE", "some"),
        ("SUBMIT_WORKERS", "65"),
        ("SUBMIT_JOBS_PER_MINUTE", "0"),
        ("PRICE_PER_IMAGE", "-1"),
        ("PRICE_PER_FRAME", "0,035"),
        ("PRICE_PER_FRAME", "1e9"),
        ("PAGE_NAMES", "agent.example.com:443"),
        ("PAGE_NAMES", "https://agent.example.com"),
        ("PAGE_ORDERS", "yes"),
        ("LOG_LEVEL", "LOUD"),
        ("LOG_FORMAT", "xml"),
    ],
)
def test_what_is_not_allowed_is_one_problem_that_names_it(name: str, text: str) -> None:
    (problem,) = problems({name: text})
    assert problem.startswith(f"{name} is ")
    assert problem.isprintable()


def test_exactly_one_of_tag_and_work_flow_and_it_decides_the_edition() -> None:
    v0 = parse()
    v1 = parse({"PLAYMENT_TAG": "", "PLAYMENT_WORK_FLOW_ID": UUID})
    assert (v0.edition, v0.tag_or_work_flow) == (Edition.V0, "car")
    assert (v1.edition, v1.tag_or_work_flow) == (Edition.V1, UUID)
    assert "both set" in problems({"PLAYMENT_WORK_FLOW_ID": UUID})[0]
    assert problems({"PLAYMENT_TAG": ""})[0].startswith("Neither PLAYMENT_TAG nor PLAYMENT_WORK_FLOW_ID is set")


def test_the_work_flow_is_a_uuid_and_allows_weights_to_nine_only() -> None:
    assert len(problems({"PLAYMENT_TAG": "", "PLAYMENT_WORK_FLOW_ID": "car"})) == 1
    v1 = {"PLAYMENT_TAG": "", "PLAYMENT_WORK_FLOW_ID": UUID}
    assert parse({**v1, "PLAYMENT_PRIORITY_WEIGHT": "9"}).playment_priority_weight == 9
    assert "1 to 9" in problems({**v1, "PLAYMENT_PRIORITY_WEIGHT": "10"})[0]


def test_the_batch_names_template_follows_the_batch() -> None:
    assert parse({"PLAYMENT_BATCH": "day"}).playment_batch_name == "{day}"
    assert parse({"PLAYMENT_BATCH": "folder"}).playment_batch_name == "{folder}"
    named = {"PLAYMENT_BATCH": "day", "PLAYMENT_BATCH_NAME": "{host} on {day}"}
    assert parse(named).playment_batch_name == "{host} on {day}"
    assert parse({"PLAYMENT_BATCH": UUID, "PLAYMENT_BATCH_NAME": "{day}"}).playment_batch_name == ""


def test_the_key_comes_from_the_first_place_that_is_set() -> None:
    files = {"/k": "from-file\n", "/creds/playment_api_key": "from-credential\r\n"}
    places = {"PLAYMENT_API_KEY_FILE": "/k", "CREDENTIALS_DIRECTORY": "/creds"}
    assert parse(places, files=files).playment_api_key.reveal() == "s3cret"
    places["PLAYMENT_API_KEY"] = ""
    assert parse(places, files=files).playment_api_key.reveal() == "from-file"
    places["PLAYMENT_API_KEY_FILE"] = ""
    assert parse(places, files=files).playment_api_key.reveal() == "from-credential"
    places["CREDENTIALS_DIRECTORY"] = ""
    assert problems(places, files=files)[0].startswith("PLAYMENT_API_KEY is not set.")


@pytest.mark.parametrize("key", ["sec ret", "sec\nret", "sec\x00ret", "secret€", "sec\u00a0ret", "sec\x7fret"])
def test_a_key_that_no_header_can_carry_is_refused_and_never_shown(key: str) -> None:
    found = [
        *problems({"PLAYMENT_API_KEY": key}),
        *problems({"PLAYMENT_API_KEY": "", "PLAYMENT_API_KEY_FILE": "/k"}, files={"/k": key}),
    ]
    assert len(found) == 2
    assert not any("sec" in problem.replace("PLAYMENT_API_KEY_FILE", "") for problem in found)


def test_a_key_file_that_gives_no_key_is_a_problem_that_names_the_file() -> None:
    from_file = {"PLAYMENT_API_KEY": "", "PLAYMENT_API_KEY_FILE": "/k"}
    assert problems(from_file, files={"/k": "\n"}) == [
        "PLAYMENT_API_KEY_FILE ('/k') is empty: it must hold the API key."
    ]
    assert "('/k') cannot be read (No such file or directory)" in problems(from_file)[0]


def test_the_fleets_address_comes_from_the_first_place_that_is_set_and_may_be_nowhere() -> None:
    comes_from_the_first_place(
        "FLEET_DSN", "postgresql://text/fleet", "postgresql://file/fleet", "host=credential dbname=fleet"
    )


def comes_from_the_first_place(name: str, text: str, of_file: str, of_credential: str) -> None:
    """See that a secret is its variable's, else its file's, else its credential's, and may be none."""
    field = name.lower()
    files = {"/f": f"{of_file}\n", f"/creds/{field}": f"{of_credential}\n"}
    places = {name: text, f"{name}_FILE": "/f", "CREDENTIALS_DIRECTORY": "/creds"}
    wanted = [text, of_file, of_credential]
    for variable, secret in zip([*places], wanted, strict=True):
        found = getattr(parse(places, files=files), field)
        assert found is not None
        assert found.reveal() == secret
        places[variable] = ""
    assert getattr(parse(places, files=files), field) is None
    assert getattr(parse({"CREDENTIALS_DIRECTORY": "/none"}), field) is None


@pytest.mark.parametrize("dsn", ["s3cret.example.com", "postgresql://u:s3cret@host/d\n", "mysql://u:s3cret@host/d"])
def test_what_is_no_address_of_a_database_is_refused_and_never_shown(dsn: str) -> None:
    found = [*problems({"FLEET_DSN": dsn}), *problems({"FLEET_DSN_FILE": "/d"}, files={"/d": f"{dsn}\nx"})]
    assert len(found) == 2
    assert not any("s3cret" in problem for problem in found)


def test_the_fleets_address_shows_itself_nowhere_and_no_command_without_a_key_stumbles_over_it() -> None:
    assert "s3cret" not in repr(parse({"FLEET_DSN": "postgresql://u:s3cret@host/d"}))
    assert "FLEET_DSN_FILE ('/d') cannot be read" in problems({"FLEET_DSN_FILE": "/d"})[0]
    assert parse({"FLEET_DSN_FILE": "/d"}, needs_key=False).fleet_dsn is None
    [problem] = problems({"FLEET_DSN_FILE": "/srv/inbox/dsn"}, files={"/srv/inbox/dsn": "host=h"})
    assert problem.startswith("FLEET_DSN_FILE lies in the watch folder")


def test_what_must_not_be_served_is_refused_inside_the_watch_folder() -> None:
    found = problems(
        {"PLAYMENT_API_KEY": "", "PLAYMENT_API_KEY_FILE": "/srv/inbox/key", "LEDGER_PATH": "/srv/inbox/a/ledger.db"},
        files={"/srv/inbox/key": "k"},
        env_file=Path("/srv/inbox/.env"),
    )
    assert [problem.split(" lies in the watch folder")[0] for problem in found] == [
        "PLAYMENT_API_KEY_FILE",
        "The file of settings",
        "LEDGER_PATH",
    ]
    assert parse({"LEDGER_PATH": "/srv/inbox2/ledger.db"}, env_file=Path("/srv/.env")).watch_dir == Path("/srv/inbox")


def test_the_ledger_goes_to_systemds_first_state_directory_unless_it_is_named() -> None:
    state = {"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}
    assert parse(state).ledger_path == Path("/var/lib/a/ledger.db")
    assert parse({**state, "LEDGER_PATH": "/x/l.db"}).ledger_path == Path("/x/l.db")
    assert parse({"LEDGER_PATH": "/x/l.db"}).lock_path == Path("/x/l.db.lock")


@pytest.mark.parametrize(("text", "mode"), [("0640", 0o640), ("664", 0o664), ("0600", 0o600), ("666", 0o666)])
def test_the_rights_of_results_are_octal(text: str, mode: int) -> None:
    assert parse({"RESULTS_MODE": text}).results_mode == mode


@pytest.mark.parametrize("text", ["640 ", "0o640", "rw-r-----", "1640", "0400", "0240", "648", "64", "00640", "-640"])
def test_rights_that_nobody_can_mean_are_refused(text: str) -> None:
    (problem,) = problems({"RESULTS_MODE": text})
    assert problem.startswith(f"RESULTS_MODE is {text!r}: it must be octal rights such as 0640")


@pytest.mark.parametrize("folder", ["/srv/inbox", "/srv/inbox/results", "/srv", "/"])
def test_results_and_dropped_files_are_kept_apart(folder: str) -> None:
    (problem,) = problems({"RESULTS_DIR": folder})
    assert problem.startswith(f"RESULTS_DIR ('{folder}') and WATCH_DIR ('/srv/inbox') lie in each other")


def test_the_folder_for_results_is_made_absolute_and_looked_at() -> None:
    assert parse({"RESULTS_DIR": "results"}).results_dir == Path("/place/results")
    assert parse({"RESULTS_DIR": "/srv/inbox2"}).results_dir == Path("/srv/inbox2")
    assert problems({"RESULTS_DIR": "x"}, results_problem="it is gone.") == ["RESULTS_DIR is 'x': it is gone."]


def test_the_places_problems_are_told_with_the_others() -> None:
    found = problems({"LOG_LEVEL": "x"}, watch_problem="it is gone.", ledger_problem="it is far.")
    assert found[1:] == ["LEDGER_PATH is 'ledger.db': it is far.", "WATCH_DIR is '/srv/inbox': it is gone."]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:pa55@host/", "https://***@host/"),
        ("user:pa55@host", "***@host"),
        ("https://host/?X-Sig=pa55", "https://host/?***"),
        ("https://user:pa55//@x@host/#pa55\npa55", "https://***@host/#***"),
    ],
)
def test_a_url_in_a_problem_shows_no_password_and_no_signature(text: str, shown: str) -> None:
    assert without_secrets(text) == shown
    (problem,) = problems({"PUBLISH_TO": text})
    assert "pa55" not in problem


def test_an_endless_text_is_shortened_in_the_problem() -> None:
    assert len(problems({"LOG_LEVEL": "x" * 10_000})[0]) < 400


def test_a_secret_shows_itself_only_when_asked() -> None:
    secret = Secret("s3cret")
    assert (str(secret), repr(secret), f"{secret}") == ("***", "***", "***")
    assert "s3cret" not in repr(parse())
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    assert secret == Secret("s3cret") != Secret("other")
    assert len({secret, Secret("s3cret")}) == 1
    assert secret != "s3cret"


def test_a_misspelt_name_is_told_with_the_one_that_was_meant() -> None:
    assert unknown_names(["SETLE_SECONDS", "PLAYMENT_FOO", "HTTPS_PROXY", "WATCH_DIR", "LANG"]) == [
        "SETLE_SECONDS is no setting of this version: did you mean SETTLE_SECONDS?",
        "PLAYMENT_FOO is no setting of this version: .env.example lists all there are.",
    ]


def test_the_example_file_is_the_table() -> None:
    text = variables.example(DEFAULTS)
    switched_on = re.sub(r"(?m)^#(?=[A-Z_]+=)", "", text)
    assert dotenv_values(stream=io.StringIO(switched_on), interpolate=False) == {
        variable.name: DEFAULTS.get(variable.name, variable.default) for variable in variables.VARIABLES
    }
    for variable in variables.VARIABLES:
        assert f"# {variable.explanation}" in text
    assert max(map(len, text.splitlines())) <= 120


@settings(max_examples=300)
@given(st.sampled_from([variable.name for variable in variables.VARIABLES]), st.text(max_size=30))
def test_any_text_is_taken_or_refused_in_printable_words(name: str, text: str) -> None:
    told: tuple[str, ...] = ()
    try:
        parse({name: text})
    except SettingsError as error:
        told = error.problems
    assert all(problem.isprintable() for problem in told)


@settings(max_examples=300)
@given(st.text(alphabet="htps:/[]@.127xlocahost%?#\\ \t-", max_size=25).map(lambda tail: "http://" + tail))
def test_no_plain_http_address_is_taken_but_loopback_ones(text: str) -> None:
    try:
        taken = parse({"PLAYMENT_BASE_URL": text}).playment_base_url
    except SettingsError:
        return
    assert re.match(r"http://(localhost|127\.|\[(0*:)*:?0*1\])", taken, re.IGNORECASE)
