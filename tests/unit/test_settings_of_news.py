"""NOTIFY_URL, its file and its credential; NOTIFY_COMMAND and NOTIFY_SUMMARY_AT: what is taken, and what is said."""

from __future__ import annotations

import pytest

from tests.unit.test_settings import comes_from_the_first_place, parse, problems

URL = "mailto://agent:s3cret@example.org, slack://t0kenA/t0kenB/t0kenC"


def test_the_addresses_come_from_the_first_place_that_is_set_and_may_be_nowhere() -> None:
    comes_from_the_first_place("NOTIFY_URL", URL, "json://file", "json://credential")


def test_the_addresses_show_themselves_nowhere() -> None:
    assert "s3cret" not in repr(parse({"NOTIFY_URL": URL}))
    assert parse({"NOTIFY_URL_FILE": "/n"}, needs_key=False).notify_url is None
    assert "NOTIFY_URL_FILE ('/n') cannot be read" in problems({"NOTIFY_URL_FILE": "/n"})[0]
    [problem] = problems({"NOTIFY_URL_FILE": "/srv/inbox/n"}, files={"/srv/inbox/n": URL})
    assert problem.startswith("NOTIFY_URL_FILE lies in the watch folder")


@pytest.mark.parametrize("text", ["s3cret", "mailto:s3cret@host", "json://a\ts3cret", "json:// s3cret"])
def test_what_is_no_address_is_refused_and_never_shown(text: str) -> None:
    found = [*problems({"NOTIFY_URL": text}), *problems({"NOTIFY_URL_FILE": "/n"}, files={"/n": f"{text}\nx"})]
    assert len(found) == 2
    assert not any("s3cret" in problem for problem in found)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/usr/local/bin/tell", ("/usr/local/bin/tell",)),
        ("tell --to 'the team' \"$HOME\" a\\ b", ("tell", "--to", "the team", "$HOME", "a b")),
        ("sh -c 'jq -r .text | mail -s news lead'", ("sh", "-c", "jq -r .text | mail -s news lead")),
    ],
)
def test_a_command_is_split_as_a_shell_does_and_given_to_none(text: str, words: tuple[str, ...]) -> None:
    assert parse({"NOTIFY_COMMAND": text}).notify_command == words


@pytest.mark.parametrize("text", ["tell 's3cret", "'' s3cret", "  "])
def test_what_is_no_command_is_refused_and_never_shown(text: str) -> None:
    [problem] = problems({"NOTIFY_COMMAND": text})
    assert problem.startswith("NOTIFY_COMMAND is '***': it must be a program and its arguments")


def test_one_of_the_two_tells() -> None:
    assert problems({"NOTIFY_COMMAND": "tell", "NOTIFY_URL": "json://host"}) == [
        "NOTIFY_URL and NOTIFY_COMMAND are both set: news are told by one of them. Leave one empty."
    ]


@pytest.mark.parametrize(
    ("text", "at"), [("07:30", (7, 30)), ("7:30", (7, 30)), ("00:00", (0, 0)), ("23:59", (23, 59))]
)
def test_the_summary_has_a_time_of_day(text: str, at: tuple[int, int]) -> None:
    assert parse({"NOTIFY_COMMAND": "tell", "NOTIFY_SUMMARY_AT": text}).notify_summary_at == at


@pytest.mark.parametrize("text", ["24:00", "7", "07:60", "7.30", "07:30 CET", "-1:00"])
def test_what_is_no_time_of_day_is_refused(text: str) -> None:
    [problem] = problems({"NOTIFY_COMMAND": "tell", "NOTIFY_SUMMARY_AT": text})
    assert problem.endswith("it must be a time of day from 00:00 to 23:59, such as 07:30.")


def test_a_summary_needs_somebody_who_tells_it() -> None:
    [problem] = problems({"NOTIFY_SUMMARY_AT": "07:30"})
    assert problem == "NOTIFY_SUMMARY_AT is set, and nothing that tells it: set NOTIFY_URL or NOTIFY_COMMAND."
    assert parse({"NOTIFY_SUMMARY_AT": "07:30"}, needs_key=False).notify_summary_at == (7, 30)
