"""Which target takes the jobs: its settings are needed and read, those of the other one have no effect."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agent.errors import SettingsError
from agent.service.names import DEFAULTS
from agent.settings.parts import cautions_of, fleet_project_of, how_jobs_are_made, how_to_mend_the_key, world_of
from agent.settings.secret import Origin, Secret
from agent.settings.settings import Settings
from agent.settings.settings import parse as parse_settings
from agent.settings.targets import TARGETS

if TYPE_CHECKING:
    from collections.abc import Mapping

EVERYWHERE = {"WATCH_DIR": "/srv/inbox", "PUBLISH_TO": "https://images.example.com/inbox/"}
PLAYMENT = {"PLAYMENT_API_KEY": "s3cret", "PLAYMENT_PROJECT_ID": "p1", "PLAYMENT_TAG": "car"}
LABEL_STUDIO = {
    "TARGET": "label-studio",
    "LABEL_STUDIO_URL": "http://10.0.0.5:8080/",
    "LABEL_STUDIO_TOKEN": "t0ken",
    "LABEL_STUDIO_IMAGE_PROJECT": "007",
    "LABEL_STUDIO_SEQUENCE_PROJECT": "8",
}


def parse(given: Mapping[str, str], files: Mapping[str, str] | None = None, *, needs_key: bool = True) -> Settings:
    def read_text(path: str) -> str:
        if path not in (files or {}):
            raise FileNotFoundError(2, "No such file or directory", path)
        return (files or {})[path]

    return parse_settings(
        {**EVERYWHERE, **given},
        defaults=DEFAULTS,
        read_text=read_text,
        resolve=lambda path: Path("/place") / path,
        watch_problem=lambda _: None,
        ledger_problem=lambda _: None,
        results_problem=lambda _: None,
        needs_key=needs_key,
    )


def problems(given: Mapping[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        parse(given)
    return list(caught.value.problems)


def test_label_studios_settings_are_enough_for_it() -> None:
    found = parse(LABEL_STUDIO)
    assert (found.target, found.address, found.project_ids) == ("label-studio", "http://10.0.0.5:8080", ("7", "8"))
    assert found.key.reveal() == "t0ken"
    assert found.playment_api_key == Secret("")
    assert "no tags" in how_jobs_are_made(found)
    assert parse({**LABEL_STUDIO, "LABEL_STUDIO_SEQUENCE_PROJECT": "7"}).project_ids == ("7",)


def test_each_setting_that_label_studio_needs_is_named_and_none_of_playments() -> None:
    told = problems({"TARGET": "label-studio"})
    assert [text.split()[0] for text in told] == [
        "LABEL_STUDIO_URL",
        "LABEL_STUDIO_IMAGE_PROJECT",
        "LABEL_STUDIO_SEQUENCE_PROJECT",
        "LABEL_STUDIO_TOKEN",
    ]
    assert not any(text.startswith("LABEL_STUDIO") for text in problems({}))
    assert "must be" in problems({**PLAYMENT, "TARGET": "cvat"})[0]


def test_settings_of_the_other_target_have_no_effect_however_wrong_they_are_and_that_is_said() -> None:
    wrong = {"PLAYMENT_BATCH": "no uuid", "PLAYMENT_TAG": "car", "PLAYMENT_PRIORITY_WEIGHT": "99"}
    assert parse({**LABEL_STUDIO, **wrong}) == parse(LABEL_STUDIO)
    (told,) = cautions_of(parse({**LABEL_STUDIO, **wrong}))
    assert told == (
        "TARGET is label-studio, so these settings have no effect: "
        "PLAYMENT_BATCH, PLAYMENT_PRIORITY_WEIGHT, PLAYMENT_TAG"
    )
    other = {"LABEL_STUDIO_URL": "ftp://x", "LABEL_STUDIO_IMAGE_PROJECT": "x"}
    assert parse({**PLAYMENT, **other}) == parse(PLAYMENT)
    assert parse({**PLAYMENT, **other}).unheeded == ("LABEL_STUDIO_IMAGE_PROJECT", "LABEL_STUDIO_URL")
    for given in (PLAYMENT, LABEL_STUDIO, {**PLAYMENT, "LABEL_STUDIO_URL": ""}):
        assert [*cautions_of(parse(given))] == []


def test_the_token_is_read_as_the_key_is() -> None:
    files = {"/t": "from-file\n", "/creds/label_studio_token": "from-credential\r\n"}
    places = {**LABEL_STUDIO, "LABEL_STUDIO_TOKEN_FILE": "/t", "CREDENTIALS_DIRECTORY": "/creds"}
    assert parse(places, files).key.reveal() == "t0ken"
    del places["LABEL_STUDIO_TOKEN"]
    found = parse(places, files)
    assert (found.key.reveal(), found.key.origin) == ("from-file", Origin.FILE)
    assert "/t" in how_to_mend_the_key(found)
    del places["LABEL_STUDIO_TOKEN_FILE"]
    assert parse(places, files).key.reveal() == "from-credential"
    assert "LABEL_STUDIO_TOKEN" in how_to_mend_the_key(parse(LABEL_STUDIO))
    assert parse({**LABEL_STUDIO, "LABEL_STUDIO_TOKEN": ""}, needs_key=False).key == Secret("")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"PUBLISH_PROBE": "off"}, "PUBLISH_PROBE is 'off'"),
        ({"PUBLISH_TO": "s3://bucket/x", "PUBLISH_URLS": "native"}, "PUBLISH_URLS is 'native'"),
        (
            {"LABEL_STUDIO_URL": "https://ls.example.com", "PUBLISH_TO": "http://10.0.0.6/"},
            "browsers load no http:// picture",
        ),
        ({"LABEL_STUDIO_URL": "http://ls.example.com"}, "must begin with https://"),
        (
            {
                "LABEL_STUDIO_URL": "https://ls.example.com",
                "PUBLISH_TO": "s3://bucket/x",
                "PUBLISH_ENDPOINT": "http://10.0.0.6:8333",
            },
            "PUBLISH_ENDPOINT is 'http://10.0.0.6:8333': browsers load no http:// picture",
        ),
        (
            {
                "LABEL_STUDIO_URL": "https://ls.example.com",
                "PUBLISH_TO": "s3://bucket/x",
                "AWS_ENDPOINT_URL": "http://minio:9000",
            },
            "AWS_ENDPOINT_URL is 'http://minio:9000': browsers load no http:// picture",
        ),
        ({"LABEL_STUDIO_IMAGE_PROJECT": "seven"}, "LABEL_STUDIO_IMAGE_PROJECT is 'seven'"),
        ({"LABEL_STUDIO_IMAGE_PROJECT": "0"}, "LABEL_STUDIO_IMAGE_PROJECT is '0'"),
    ],
)
def test_what_would_show_annotators_an_empty_page_is_refused(changed: dict[str, str], said: str) -> None:
    (told,) = problems({**LABEL_STUDIO, **changed})
    assert said in told


def test_what_is_refused_for_label_studio_is_fine_for_playment() -> None:
    assert parse({**PLAYMENT, "PUBLISH_PROBE": "off"}).publish_probe == "off"
    assert parse({**PLAYMENT, "PUBLISH_TO": "s3://bucket/x", "PUBLISH_URLS": "native"}).publish_urls == "native"
    assert parse({**LABEL_STUDIO, "PUBLISH_TO": "http://127.0.0.1:8/", "LABEL_STUDIO_URL": "https://h"}).target


def test_signed_urls_end_and_that_is_said_where_no_file_is_copied() -> None:
    store = {"PUBLISH_TO": "s3://bucket/x"}
    (told,) = cautions_of(parse({**LABEL_STUDIO, **store}))
    assert "shown for 24 hours" in told
    assert "PUBLISH_URLS=public" in told
    (told,) = cautions_of(parse({**LABEL_STUDIO, **store, "PUBLISH_SIGNED_SECONDS": "604800"}))
    assert "shown for 168 hours" in told
    assert [*cautions_of(parse({**LABEL_STUDIO, **store, "PUBLISH_URLS": "public"}))] == []
    assert [*cautions_of(parse({**PLAYMENT, **store}))] == []


def test_the_ledger_and_the_fleet_know_each_target_by_its_own_settings() -> None:
    playment, other = world_of(parse(PLAYMENT)), world_of(parse(LABEL_STUDIO))
    assert (playment["target"], playment["project_id"]) == ("playment", "p1")
    assert {key: text for key, text in other.items() if key not in playment} == {
        "label_studio_url": "http://10.0.0.5:8080",
        "label_studio_image_project": "7",
        "label_studio_sequence_project": "8",
    }
    assert fleet_project_of(parse(PLAYMENT)) == "p1"
    assert fleet_project_of(parse(LABEL_STUDIO)) == "label-studio http://10.0.0.5:8080 7 and 8"


def test_a_new_key_is_taken_alone() -> None:
    now, new = (
        parse(LABEL_STUDIO),
        parse({**LABEL_STUDIO, "LABEL_STUDIO_TOKEN": "new", "LABEL_STUDIO_URL": "https://h"}),
    )
    assert now.with_key_of(new) == dataclasses.replace(now, label_studio_token=Secret("new"))


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS.keys())
def test_every_name_in_the_table_is_a_setting_of_its_target(target: object) -> None:
    of = next(each for each in TARGETS.values() if each is target)
    names = {variable.name for variable in of.variables}
    assert {of.address, *of.projects, *of.world.values(), of.key.variable, of.key.file} <= names
