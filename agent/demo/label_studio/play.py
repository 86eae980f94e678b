"""Plays the demo at Label Studio: says what it does, checks by the API what arrived, and leaves it to be looked at."""

from __future__ import annotations

import hashlib
import os
import shlex
import signal
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
from rich.text import Text

from agent.demo import screen
from agent.demo.label_studio.installing import LOOK_SECONDS, installation
from agent.demo.label_studio.server import USER, Server
from agent.demo.label_studio.words import VERSION, announced
from agent.demo.proof import Arrived, receipts
from agent.demo.script import script
from agent.demo.stage import Stage
from agent.demo.steps import Steps
from agent.http.sessions import Session
from agent.service.label_studio import make_projects, shown_in
from agent.service.signals import Stops

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from rich.console import Console

    from agent.demo.proof import Receipt
    from agent.demo.script import Expected
    from agent.service.label_studio import Shown

    Conclude = Callable[[Stage, Sequence[Expected], Sequence[Receipt]], bool]

WHO = "Label Studio"
TITLE = "playment-agent demo"
PLAY_SECONDS = 120.0
"""After which the drops' part ends whatever is missing; on a machine that is not busy it takes ten."""
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def play(console: Console, folder: Path, conclude: Conclude, *, keep: bool) -> bool:
    """Play the demo and report; return whether all came as it must. With `keep` it goes on until a signal comes.

    `conclude` says the last of it, and returns that. Raises AgentError.
    """
    steps = Steps(console)
    installed = installation(os.environ)
    if not installed.is_whole:
        what, _, command = announced(shlex.quote(str(installed.cache))).partition("\n")
        console.print(Text(what), soft_wrap=not console.is_terminal)
        console.print(Text(command, "cyan"), soft_wrap=True)
        installed.make(steps)
    with Server(installed, folder / "label-studio", steps) as server:
        images, sequences, _ = make_projects(server.url, server.token, TITLE)
        results = folder / "results"
        results.mkdir()
        with Stage(folder, target=server.settings(images, sequences, results)) as stage:
            drops, expected = script(stage.inbox, stage.outside)
            told = f"{VERSION} at {server.url}, two new projects; it calls nobody"
            screen.opening(console, str(stage.inbox), WHO, told)
            with screen.Screen(console) as shown:
                stage.play(drops, len(expected), shown.tell, shown.show, PLAY_SECONDS)
            # What is still on its way when all seems done would be sent twice or wrongly: it counts too.
            stage.stop_agent()
            tasks = shown_in(server.url, server.token, (images, sequences))
            good = conclude(stage, expected, _report(console, stage, expected, tasks))
            if keep:
                stage.start_agent()
                _say_where(console, stage, server, tasks, results)
                _until_stopped(console, stage, server)
            else:
                console.print(Text("Label Studio is taken down; with --keep it goes on, and shows the tasks.", "dim"))
    return good


def _report(console: Console, stage: Stage, expected: Sequence[Expected], tasks: Iterable[Shown]) -> list[Receipt]:
    rows = stage.rows()
    with Session() as http:
        arrived = [
            Arrived(task.job_id, task.reference_id, tuple((name, _digest(http, url)) for name, url in task.files))
            for task in tasks
        ]
    got = receipts(expected, rows, arrived, who=WHO)
    screen.report(console, stage.status(), rows, got, WHO)
    return got


def _digest(http: Session, url: str) -> str:
    """Return the sha256 of what a browser would be shown there, or '' where nothing is."""
    try:
        answer = http.get(url, timeout=10)
    except requests.RequestException:
        return ""
    return hashlib.sha256(answer.content).hexdigest() if answer.ok else ""


def _say_where(console: Console, stage: Stage, server: Server, tasks: Sequence[Shown], results: Path) -> None:
    """Say where the tasks can be looked at, and who is let in there; and what else can be done."""
    pages = [f"{server.page(task.project, task.job_id)}  {task.reference_id}" for task in tasks]
    screen.listed(console, "To look at it in a browser", [*pages, f"user     {USER}", f"password {server.password}"])
    if "SSH_CONNECTION" in os.environ:
        ports = {urlsplit(url).port for url in (server.url, *(url for task in tasks for _, url in task.files))}
        forwarded = " ".join(f"-L {port}:127.0.0.1:{port}" for port in ports)
        screen.listed(console, "From the machine that you sit at, first", [f"ssh {forwarded} {socket.gethostname()}"])
    lively = [f"what is dropped here becomes tasks  {stage.inbox}", f"what is annotated comes here        {results}"]
    screen.listed(console, "All goes on until Ctrl+C", lively)


def _until_stopped(console: Console, stage: Stage, server: Server) -> None:
    """Let it all go on until a signal comes. Raises what the agent died of, AgentError where the server has ended."""
    stops = Stops(ENDS)
    while not stops.wait(LOOK_SECONDS):
        stage.look_after_agent()
        server.look_after()
    console.print(Text("\nending the agent and Label Studio …", "dim"))
