"""News in words: what is told, how many it is about, and where to look. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from shlex import quote
from typing import TYPE_CHECKING, Any

from agent.core.states import ATTENTION, WAITING
from agent.model.text import bounded, printable
from agent.news.troubles import WORDS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from agent.ledger.news import Kind, Span, Untold, Waiting
    from agent.ledger.reports import Counts

AT = "%Y-%m-%d %H:%M %Z"
MOST_FOLDERS = 5
MOST_SENTENCES = 10
"""Of kinds that are told apart: who reads it on a telephone is to come to its end."""
MOST_CHARACTERS = 100
"""Of a path."""
REPEATED = "This may be told for the second time: the agent ended before it knew what had become of the first."


@dataclass(frozen=True, slots=True)
class Sender:
    """Who tells: the host's name, the folder that is watched, and what people call who takes the jobs."""

    host: str
    folder: str
    target: str


@dataclass(frozen=True, slots=True)
class Message:
    """What is told at once: what its title names, its sentences, and the same as facts. `kind` is how bad it is."""

    heads: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()
    facts: tuple[Mapping[str, Any], ...] = ()
    kind: str = "info"

    def __bool__(self) -> bool:
        return bool(self.sentences)

    def __add__(self, other: Message) -> Message:
        kind = max(self.kind, other.kind, key=KINDS.index)
        return Message(self.heads + other.heads, self.sentences + other.sentences, self.facts + other.facts, kind)


KINDS = ("info", "success", "warning", "failure")
"""From the best to the worst, in the words of Apprise."""


def waiting(untold: Untold) -> Message:
    """Tell what has begun to wait for a person: how many of each kind, in which folders."""
    if not untold.kinds:
        return Message()
    kinds = sorted(untold.kinds.items(), key=lambda each: -each[1].jobs)
    jobs = sum(each.jobs for _, each in kinds)
    shown, rest = kinds[:MOST_SENTENCES], kinds[MOST_SENTENCES:]
    more = f"{sum(each.jobs for _, each in rest):,} for {len(rest):,} more reasons: 'playment-agent status' shows them."
    return Message(
        (f"{jobs:,} {'needs' if jobs == 1 else 'need'} a person",),
        (*(_waits(kind, each) for kind, each in shown), *([more] if rest else [])),
        tuple(_fact(kind, each) for kind, each in kinds),
        "warning",
    )


def before(jobs: int) -> Message:
    """Tell how much waited for a person already when news began."""
    if not jobs:
        return Message()
    verb = "waits" if jobs == 1 else "wait"
    sentence = f"{jobs:,} {verb} for a person from before news were told: 'playment-agent status' shows them."
    return Message(
        (f"{jobs:,} {verb} for a person",),
        (sentence,),
        ({"what": "attention", "before": True, "jobs": jobs},),
        "warning",
    )


def begun(troubles: Mapping[str, str], sender: Sender) -> Message:
    """Tell of troubles that are there."""
    return Message(
        tuple(WORDS[key][0].format(sender.target) for key in troubles),
        tuple(f"{_sentence(text)} 'playment-agent status' tells more." for text in troubles.values()),
        tuple({"what": "trouble", "trouble": key, "text": bounded(text)} for key, text in troubles.items()),
        "failure" if troubles else "info",
    )


def ended(troubles: Mapping[str, datetime], sender: Sender) -> Message:
    """Tell of troubles that are over, each with the time (local) at which it was told."""
    texts = {key: WORDS[key][1].format(sender.target) for key in troubles}
    return Message(
        tuple(text.partition(":")[0] for text in texts.values()),
        tuple(f"{_sentence(texts[key])} The trouble was told at {at:{AT}}." for key, at in troubles.items()),
        tuple(
            {"what": "over", "trouble": key, "told_at": at.isoformat(timespec="seconds")}
            for key, at in troubles.items()
        ),
        "success" if troubles else "info",
    )


def summary(span: Span, since: datetime, counts: Counts, troubles: Mapping[str, str], sender: Sender) -> Message:
    """Tell what came of the time `since` (local), and how it stands."""
    sent = f"{span.sent:,} sent ({span.frames:,} frame{'' if span.frames == 1 else 's'}), {span.completed:,} annotated"
    by_state = ", ".join(f"{jobs:,} {state}" for state, jobs in counts.jobs.items() if state in ATTENTION and jobs)
    moving = ", ".join(f"{jobs:,} {state}" for state, jobs in counts.jobs.items() if state in WAITING and jobs)
    need = f"{counts.attention:,} {'needs' if counts.attention == 1 else 'need'} a person"
    turn = f"{counts.waiting:,} {'waits for its' if counts.waiting == 1 else 'wait for their'} turn"
    shown = f" ({by_state}): 'playment-agent status' shows them." if counts.attention and by_state else "."
    sentences = [
        f"Since {since:{AT}}: {sent}.",
        f"Now {turn}{f' ({moving})' if moving else ''}.",
        f"{need}{shown}",
        *(f"{_sentence(text)} 'playment-agent status' tells more." for text in troubles.values()),
    ]
    fact = {
        "what": "summary",
        "since": since.isoformat(timespec="seconds"),
        "sent": span.sent,
        "frames": span.frames,
        "annotated": span.completed,
        "waiting": counts.waiting,
        "attention": counts.attention,
        "jobs": dict(counts.jobs),
        "troubles": {key: bounded(text) for key, text in troubles.items()},
    }
    heads = (f"the day: {span.sent:,} sent", *([need] if counts.attention else []))
    kind = "failure" if troubles else "warning" if counts.attention else "info"
    return Message(
        (*heads, *(WORDS[key][0].format(sender.target) for key in troubles)), tuple(sentences), (fact,), kind
    )


def trial() -> Message:
    """Tell that this is a trial, for who asks whether it arrives."""
    return Message(("a trial",), ("News of the agent arrive here.",), ({"what": "trial"},))


def as_json(
    message: Message, sender: Sender, number: int, local: datetime, *, repeated: bool = False
) -> dict[str, Any]:
    """Return a message as it is handed on: title and text for people, and what is in it for programs."""
    message = replace(message, sentences=(*message.sentences, REPEATED)) if repeated else message
    title = f"playment-agent on {printable(sender.host)}: {', '.join(dict.fromkeys(message.heads))}"
    who = f"{printable(sender.host)}, which watches {_short(sender.folder)}"
    lines = [*message.sentences, f"Told at {local:{AT}} by {who}; number {number:,}."]
    return {
        "host": sender.host,
        "folder": sender.folder,
        "number": number,
        "at": local.isoformat(timespec="seconds"),
        "kind": message.kind,
        "may_be_repeated": repeated,
        "title": title,
        "text": "\n".join(lines),
        "news": list(message.facts),
    }


def _waits(kind: Kind, each: Waiting) -> str:
    why = kind.code or kind.reason
    state = "is there twice" if kind.code == "twins" else f"{'is' if each.jobs == 1 else 'are'} {kind.state}"
    said = f"{state}{f' ({printable(why)})' if why and kind.code != 'twins' else ''}" if kind.state else "need a person"
    return f"{each.jobs:,} {said}: {_places(each)}. Why: playment-agent explain {_quoted(each.example)}"


def _places(each: Waiting) -> str:
    most = sorted(each.folders.items(), key=lambda found: (-found[1], found[0]))
    shown = [f"{jobs:,} in {_short(folder) or 'the watch folder itself'}" for folder, jobs in most[:MOST_FOLDERS]]
    if rest := most[MOST_FOLDERS:]:
        shown.append(f"{sum(jobs for _, jobs in rest):,} in {len(rest):,} more")
    return ", ".join(shown)


def _fact(kind: Kind, each: Waiting) -> dict[str, Any]:
    most = sorted(each.folders.items(), key=lambda found: (-found[1], found[0]))
    return {
        "what": "attention",
        "state": kind.state,
        "code": kind.code,
        "reason": bounded(kind.reason),
        "jobs": each.jobs,
        "folders": {_short(folder): jobs for folder, jobs in islice(most, MOST_FOLDERS)},
        "more_folders": max(0, len(most) - MOST_FOLDERS),
        "example": _short(each.example),
    }


def _sentence(text: str) -> str:
    text = bounded(text).rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."


def _short(path: str) -> str:
    text = printable(path)
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"


def _quoted(path: str) -> str:
    """Return a path as a shell takes it."""
    return quote(printable(path))
