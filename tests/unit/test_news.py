"""When news are told, in which words, and what is remembered of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.ledger.news import Kind, Span, Untold, Waiting
from agent.ledger.reports import Counts
from agent.model.text import CONTROL
from agent.news import troubles, words
from agent.news.kept import Kept
from agent.news.pace import APART_SECONDS, GATHER_SECONDS, Pace, begun_on, day_to_sum
from agent.news.words import Message, Sender

SENDER = Sender("cam17", "/srv/inbox", "Playment")
AT = datetime(2026, 11, 28, 14, 3, tzinfo=UTC)
BERLIN, AZORES, APIA = map(ZoneInfo, ("Europe/Berlin", "Atlantic/Azores", "Pacific/Apia"))


def test_what_is_new_is_gathered_for_five_minutes_from_the_first_of_it() -> None:
    pace = Pace(1000.0, None, 0)
    assert not pace.is_gathered(0.0, 1000.0)
    assert not pace.is_gathered(299.0, 1000.0 + GATHER_SECONDS - 1)
    assert pace.is_gathered(300.0, 1000.0 + GATHER_SECONDS)


def test_what_gets_well_before_is_forgotten() -> None:
    pace = Pace(0.0, None, 0)
    pace.is_gathered(0.0, 0.0)
    assert not pace.is_gathered(None, 200.0)
    assert not pace.is_gathered(0.0, 310.0)
    assert pace.is_gathered(1.0, 610.0)


def test_what_waited_before_a_restart_waits_for_the_rest_alone() -> None:
    assert Pace(0.0, None, 0).is_gathered(900.0, 0.0)
    pace = Pace(0.0, None, 0)
    assert not pace.is_gathered(299.0, 0.0)
    assert pace.is_gathered(299.0, 1.0)


def test_a_clock_that_was_set_back_makes_nobody_wait_for_longer() -> None:
    pace = Pace(0.0, -1e9, 0)
    assert not pace.is_gathered(-1e9, 0.0)
    assert pace.is_free(APART_SECONDS)
    assert pace.is_gathered(-1e9, GATHER_SECONDS)


def test_a_summary_does_not_begin_the_gathering_anew() -> None:
    pace = Pace(0.0, None, 0)
    pace.is_gathered(0.0, 0.0)
    pace.told(280.0, all_new=False)
    assert pace.is_gathered(0.0, 300.0)
    assert not pace.is_free(300.0)
    assert pace.is_free(340.0)


def test_tries_that_failed_wait_ever_longer_also_over_a_restart() -> None:
    pace = Pace(0.0, None, 0)
    pace.failed(0.0, 3)
    assert not pace.is_free(239.0)
    assert pace.is_free(240.0)
    assert not Pace(0.0, 10.0, 3).is_free(229.0)
    assert Pace(0.0, 10.0, 3).is_free(230.0)


@given(st.floats(-1e7, 1e7), st.floats(-1e7, 1e7), st.integers(0, 40))
def test_a_restart_never_waits_for_longer_than_it_may(passed: float, waited: float, failures: int) -> None:
    pace = Pace(0.0, passed, failures)
    assert pace.is_free(3600.0)
    pace.is_gathered(waited, 0.0)
    assert pace.is_gathered(waited, GATHER_SECONDS)


# One summary a day


@pytest.mark.parametrize("zone", [BERLIN, AZORES, APIA, UTC])
@pytest.mark.parametrize("at", [(0, 0), (2, 30), (0, 30), (1, 0), (3, 0), (23, 59), (7, 30)])
@pytest.mark.parametrize("begin", [datetime(2026, 3, 26, tzinfo=UTC), datetime(2026, 10, 22, 5, tzinfo=UTC)])
def test_each_day_has_one_summary_also_where_the_clocks_change(
    zone: ZoneInfo, at: tuple[int, int], begin: datetime
) -> None:
    last = begun_on(at, begin.astimezone(zone))
    told = []
    for minute in range(8 * 24 * 60):
        local = (begin + timedelta(minutes=minute)).astimezone(zone)
        if day := day_to_sum(at, local, last):
            told.append(local)
            assert day == local.date().isoformat()
            last = day
    days = [local.date() for local in told]
    assert days == [days[0] + timedelta(days=number) for number in range(len(days))]
    assert len(days) in {7, 8, 9}
    late = [local for local in told if (local.hour, local.minute) != at]
    assert all((local.hour, local.minute) == (3, 0) and at == (2, 30) for local in late) or zone is AZORES


def test_one_that_was_missed_is_made_up_for_on_its_day_alone() -> None:
    local = datetime(2026, 11, 28, 15, 0, tzinfo=BERLIN)
    assert day_to_sum((7, 30), local, "2026-11-20") == "2026-11-28"
    assert day_to_sum((7, 30), local, "2026-11-28") == ""
    assert day_to_sum((15, 1), local, "2026-11-20") == ""
    assert begun_on((7, 30), local) == "2026-11-28"
    assert begun_on((15, 30), local) == ""


def test_a_day_in_the_future_is_of_a_wrong_clock_but_for_tomorrow_of_another_zone() -> None:
    local = datetime(2026, 11, 28, 15, 0, tzinfo=BERLIN)
    assert day_to_sum((7, 30), local, "2030-01-01") == "2026-11-28"
    assert day_to_sum((7, 30), local, "2026-11-29") == ""


# Troubles


def _there(
    agent: dict[str, str], told: frozenset[str] = frozenset(), *, unreadable: int = 0, ledger: str = ""
) -> dict[str, str]:
    return troubles.there(agent, unreadable, ledger, told, AT)


def test_the_troubles_are_those_of_the_agent_and_of_its_ledger() -> None:
    assert _there({"blocked": "", "outage": ""}) == {}
    assert _there({"blocked": "the key is refused", "outage": "Playment is away"}) == {
        "blocked": "nothing is sent: the key is refused",
        "outage": "Playment is away",
    }
    assert list(_there({"unpublished": "u", "fleet": "f", "paused_why": "p"}, ledger="disk full", unreadable=3)) == [
        "unpublished",
        "fleet",
        "unreadable",
        "ledger",
        "paused_why",
    ]


def test_folders_that_cannot_be_listed_are_told_once_that_lasts() -> None:
    short = {"unlisted": "x cannot be listed", "unlisted_since": (AT - timedelta(seconds=119)).isoformat()}
    assert _there(short) == {}
    assert _there(short, frozenset({"unlisted"})) == {"unlisted": "x cannot be listed"}
    assert _there(short | {"unlisted_since": (AT - timedelta(seconds=120)).isoformat()}) != {}


def test_that_a_trouble_is_over_must_be_proved_after_a_start() -> None:
    told = frozenset({"outage", "unlisted", "paused_why"})
    assert troubles.over(told, set(), set(), is_sending=False, is_scanned=False) == {"paused_why"}
    assert troubles.over(told, set(), {"outage"}, is_sending=False, is_scanned=False) == {"paused_why", "outage"}
    assert troubles.over(told, {"outage"}, {"outage"}, is_sending=True, is_scanned=True) == {"unlisted", "paused_why"}
    assert troubles.over(told, set(), set(), is_sending=True, is_scanned=True) == told


# Words


def _untold(**folders: int) -> Untold:
    return Untold(9, {Kind("invalid", "", "cut short"): Waiting(folders, "cam1/a b.jpg")})


def test_ten_thousand_refused_files_are_one_sentence_with_their_folders() -> None:
    folders = {"cam1": 6000, "cam2": 3000, "": 500} | {f"x{number}": 50 for number in range(10)}
    message = words.waiting(_untold(**folders))
    [sentence] = message.sentences
    assert sentence == (
        "10,000 are invalid (cut short): 6,000 in cam1, 3,000 in cam2, 500 in the watch folder itself, 50 in x0, "
        "50 in x1, 400 in 8 more. Why: playment-agent explain 'cam1/a b.jpg'"
    )
    assert message.heads == ("10,000 need a person",)
    [fact] = message.facts
    assert (fact["jobs"], fact["more_folders"], len(fact["folders"])) == (10_000, 8, 5)


def test_of_fifty_kinds_the_largest_ten_are_told_and_how_many_the_others_are() -> None:
    kinds = {Kind("invalid", "", f"reason {number}"): Waiting({"": number}, "a.jpg") for number in range(1, 51)}
    message = words.waiting(Untold(1, kinds))
    assert len(message.sentences) == 11
    assert message.sentences[0].startswith("50 are invalid (reason 50)")
    assert message.sentences[-1] == "820 for 40 more reasons: 'playment-agent status' shows them."
    assert len(message.facts) == 50


def test_one_is_told_as_one() -> None:
    untold = Untold(1, {Kind("held", "gaps", ""): Waiting({"cam1": 1}, "cam1/s")})
    assert words.waiting(untold).sentences[0].startswith("1 is held (gaps): 1 in cam1. Why: playment-agent explain")
    assert words.waiting(untold).heads == ("1 needs a person",)
    assert (
        "is there twice: 2 in c"
        in words.waiting(Untold(1, {Kind("submitted", "twins", ""): Waiting({"c": 2}, "c/s")})).sentences[0]
    )
    assert (
        words.waiting(Untold(1, {Kind("", "", ""): Waiting({"c": 2}, "c/s")}))
        .sentences[0]
        .startswith("2 need a person: 2 in c")
    )


def test_troubles_are_told_and_that_they_are_over() -> None:
    begun = words.begun({"outage": "Playment is away, tried 5 times in vain: no answer"}, SENDER)
    assert begun.heads == ("Playment is away",)
    assert begun.sentences == (
        "Playment is away, tried 5 times in vain: no answer. 'playment-agent status' tells more.",
    )
    ended = words.ended({"outage": AT.astimezone(BERLIN), "blocked": AT}, SENDER)
    assert ended.heads == ("Playment is back", "not blocked any more")
    assert ended.sentences[0] == "Playment is back: jobs are sent again. The trouble was told at 2026-11-28 15:03 CET."
    assert [fact["told_at"] for fact in ended.facts] == ["2026-11-28T15:03:00+01:00", "2026-11-28T14:03:00+00:00"]
    assert (begun.kind, ended.kind, (begun + ended).kind) == ("failure", "success", "failure")


def test_the_summary_says_what_came_of_the_day_and_in_which_zone() -> None:
    since = AT.astimezone(BERLIN)
    counts = Counts({"settling": 2, "pending": 10, "submitted": 5, "held": 3, "invalid": 1})
    message = words.summary(Span(306, 1204, 50), since, counts, {"outage": "Playment is away"}, SENDER)
    assert message.sentences == (
        "Since 2026-11-28 15:03 CET: 306 sent (1,204 frames), 50 annotated.",
        "Now 12 wait for their turn (2 settling, 10 pending).",
        "4 need a person (3 held, 1 invalid): 'playment-agent status' shows them.",
        "Playment is away. 'playment-agent status' tells more.",
    )
    assert message.heads == ("the day: 306 sent", "4 need a person", "Playment is away")
    one = words.summary(Span(0, 0, 0), since, Counts({"pending": 1}), {}, SENDER)
    assert one.sentences[1] == "Now 1 waits for its turn (1 pending)."
    quiet = words.summary(Span(0, 0, 0), since, Counts({}), {}, SENDER)
    assert quiet.sentences[1:] == ("Now 0 wait for their turn.", "0 need a person.")
    assert (quiet.kind, quiet.heads) == ("info", ("the day: 0 sent",))


def test_a_message_names_the_host_its_folder_the_time_and_whether_it_may_be_a_repeat() -> None:
    told = words.as_json(words.before(37), SENDER, 4, AT.astimezone(BERLIN), repeated=True)
    assert told["title"] == "playment-agent on cam17: 37 wait for a person"
    assert told["text"].splitlines()[0].startswith("37 wait for a person from before")
    assert words.REPEATED in told["text"]
    assert told["text"].endswith("Told at 2026-11-28 15:03 CET by cam17, which watches /srv/inbox; number 4.")
    assert (told["number"], told["may_be_repeated"], told["at"]) == (4, True, "2026-11-28T15:03:00+01:00")
    assert json.loads(json.dumps(told)) == told


@given(st.text(min_size=1), st.text(), st.text(), st.dictionaries(st.text(), st.integers(1, 9), min_size=1))
def test_what_others_have_named_breaks_no_line_and_stays_short(
    path: str, reason: str, trouble: str, folders: dict[str, int]
) -> None:
    kinds = {Kind("invalid", "", reason[:60]): Waiting(folders, path)}
    message = words.waiting(Untold(1, kinds)) + words.begun({"outage": trouble}, SENDER)
    told = words.as_json(message, SENDER, 1, AT)
    assert len(told["text"].splitlines()) == 3
    assert not CONTROL.search(told["text"].replace("\n", "") + told["title"])


def test_nothing_is_no_message() -> None:
    assert not words.waiting(Untold(3, {}))
    assert not words.before(0) + words.begun({}, SENDER) + words.ended({}, SENDER)
    assert words.trial()
    assert (Message() + words.trial()).kind == "info"


# What is remembered


def test_what_is_remembered_is_read_as_it_was_written_also_by_an_older_version() -> None:
    kept = Kept(17, number=3, telling=True, standing={"outage": "t"}, last_at="x", failures=2, summed_on="2026-11-28")
    assert Kept.of(kept.text()) == kept
    assert Kept.of(json.dumps({**json.loads(kept.text()), "more": 1})) == kept
