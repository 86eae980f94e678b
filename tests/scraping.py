"""A real Prometheus beside a real agent: `python -m tests.scraping` says what it saw; the exit code is 1 for a fault.

It scrapes the page, and Debian's node-exporter, whose textfile is written each second as operators are told to. It has
our alerts, whose times are scaled: 2 s for each `for`, 30 s for the 300 of silence. Only loopback is used; the programs
are fetched as the tests fetch promtool.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import requests

from agent.demo.ports import free_ports
from tests.page_served import serving
from tests.prometheus import EXPORTER, program
from tests.support import Playment, environ, frames, image, process, used_ledger, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RULES = Path(__file__).parents[1] / "systemd" / "playment-agent.rules.yml"
CONFIG = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [rules.yml]
scrape_configs:
  - {{job_name: page, static_configs: [{{targets: ["{page}"]}}]}}
  - {{job_name: textfile, static_configs: [{{targets: ["127.0.0.1:{exporter}"]}}]}}
"""
JOBS = 2
"""Each number is there twice: once by each way."""
LIMIT = 120.0


class Prometheus:
    """A Prometheus that runs in a folder, until the block ends."""

    def __init__(self, place: Path, page: str, exporter: int) -> None:
        place.mkdir()
        rules = re.sub(r"for: \w+", "for: 2s", RULES.read_text(encoding="utf-8")).replace("> 300", "> 30")
        (place / "rules.yml").write_text(rules, encoding="utf-8")
        (place / "prometheus.yml").write_text(CONFIG.format(page=page, exporter=exporter), encoding="utf-8")
        self._place = place
        (port,) = free_ports(1)
        self._url = f"127.0.0.1:{port}"

    def __enter__(self) -> Self:
        command = program("prometheus").command(
            f"--config.file={self._place / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._place / 'data'}",
            f"--web.listen-address={self._url}",
        )
        self._log = (self._place / "log").open("w", encoding="utf-8")
        self._process = subprocess.Popen(
            command.argv, env={**os.environ, **command.environ}, stdout=self._log, stderr=subprocess.STDOUT
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        self._log.close()

    def ask(self, query: str) -> list[float]:
        """Return the values of a query now, none where it does not answer yet."""
        return [float(found["value"][1]) for found in self._get("query", query=query).get("result", [])]

    def firing(self) -> set[str]:
        """Return the alerts that fire."""
        alerts = self._get("alerts").get("alerts", [])
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    def faults(self) -> list[str]:
        """Return what was wrong with the last scrapes."""
        return [target["lastError"] for target in self._get("targets")["activeTargets"] if target["lastError"]]

    def _get(self, what: str, **asked: str) -> dict[str, Any]:
        with contextlib.suppress(requests.ConnectionError):
            answer = requests.get(f"http://{self._url}/api/v1/{what}", params=asked, timeout=10).json()
            assert answer["status"] == "success" or "not ready" in json.dumps(answer), answer
            found: dict[str, Any] = answer.get("data", {})
            return found
        return {}


@contextlib.contextmanager
def textfile(place: Path, surroundings: dict[str, str]) -> Iterator[int]:
    """Have node-exporter read what the command prints, again and again; give its port."""
    place.mkdir()
    (port,) = free_ports(1)
    ended = threading.Event()
    line = f'f={place}/agent.prom; "{sys.executable}" -m agent status --prometheus > $f.new && mv $f.new $f'

    def write_again() -> None:
        while not ended.wait(1.0):
            subprocess.run(["sh", "-c", line], env={**os.environ, **surroundings}, check=True)

    command = program(EXPORTER).command(
        f"--web.listen-address=127.0.0.1:{port}",
        "--collector.disable-defaults",
        "--collector.textfile",
        f"--collector.textfile.directory={place}",
    )
    thread = threading.Thread(target=write_again)
    with (
        (place / "log").open("w", encoding="utf-8") as log,
        subprocess.Popen(
            command.argv, env={**os.environ, **command.environ}, stdout=log, stderr=subprocess.STDOUT
        ) as exporter,
    ):
        thread.start()
        try:
            yield port
        finally:
            ended.set()
            thread.join()
            exporter.terminate()


class Watching:
    """Waits for what is to be seen, and says how long that took."""

    def __init__(self) -> None:
        self.failed = False

    def sees(self, what: str, holds: Callable[[], object]) -> None:
        """Say whether it holds within the limit."""
        began = time.monotonic()
        while not holds() and time.monotonic() < began + LIMIT:
            time.sleep(0.2)
        seen = bool(holds())
        self.failed |= not seen
        sys.stdout.write(f"{'seen' if seen else 'NOT SEEN':<8} after {time.monotonic() - began:5.1f} s: {what}\n")
        sys.stdout.flush()


def main() -> int:
    """Try all; return the exit code."""
    watching = Watching()
    with tempfile.TemporaryDirectory() as folder, Playment() as playment:
        place = Path(folder)
        surroundings = environ(place, playment.url)
        used_ledger(place)
        with contextlib.ExitStack() as stack:
            page = stack.enter_context(serving(place)).url.removeprefix("http://")
            exporter = stack.enter_context(textfile(place / "text", surroundings))
            prometheus = stack.enter_context(Prometheus(place / "prometheus", page, exporter))
            _tried(watching, prometheus, playment, place, surroundings)
            watching.sees("both ways were scraped without a fault", lambda: not prometheus.faults())
            never = "min_over_time(up{job='page'}[10m]) == 1"
            watching.sees("of which none failed that the page was asked for", lambda: prometheus.ask(never))
    return 1 if watching.failed else 0


def _tried(
    watching: Watching, prometheus: Prometheus, playment: Playment, place: Path, surroundings: dict[str, str]
) -> None:
    def shows(query: str, value: float) -> Callable[[], bool]:
        return lambda: prometheus.ask(query) == [value] * JOBS

    def fires(alert: str) -> Callable[[], bool]:
        return lambda: alert in prometheus.firing()

    inbox = place / "inbox"
    with process("run", environ=surroundings, cwd=place) as agent:
        write(inbox / "a.jpg", image(1))
        frames(inbox / "drive", 3, seed=1)
        watching.sees("two jobs were sent", shows('playment_agent_jobs{state="submitted"}', 2))
        watching.sees("of four frames", shows('playment_agent_frames{state="submitted"}', 4))
        watching.sees("by two requests", shows('playment_agent_posts_total{outcome="accepted"}', 2))
        watching.sees(
            "in some time", lambda: len(prometheus.ask("playment_agent_post_duration_seconds_sum > 0")) == JOBS
        )
        quick = "histogram_quantile(0.9, playment_agent_post_duration_seconds_bucket) < 5"
        watching.sees("of which the quantiles can be told", lambda: len(prometheus.ask(quick)) == JOBS)
        # Others fill this disk, too.
        watching.sees("no alert fires", lambda: not prometheus.firing() - {"PlaymentAgentLedgerDisk"})
        write(inbox / "broken.jpg", image(2)[:100])
        watching.sees("a broken picture needs a person", fires("PlaymentAgentNeedsAPerson"))
        playment._api_key = "another"
        write(inbox / "b.jpg", image(3))
        watching.sees("a refused key blocks", fires("PlaymentAgentBlocked"))
        playment._api_key = surroundings["PLAYMENT_API_KEY"]
        watching.sees("and no more, once it is taken", lambda: not fires("PlaymentAgentBlocked")())
        watching.sees("so that the third job is sent", shows('playment_agent_jobs{state="submitted"}', 3))
        agent.send_signal(signal.SIGTERM)
        agent.wait()
    watching.sees("the agent was stopped", fires("PlaymentAgentStopped"))
    with process("run", environ=surroundings, cwd=place) as agent:
        write(inbox / "c.jpg", image(4))
        watching.sees("it goes on", shows('playment_agent_jobs{state="submitted"}', 4))
        watching.sees("and counts on", shows('playment_agent_posts_total{outcome="accepted"}', 4))
        watching.sees("by no step back", shows('resets(playment_agent_posts_total{outcome="accepted"}[10m])', 0))
        agent.send_signal(signal.SIGKILL)
        agent.wait()
    watching.sees("it was killed, and is silent", fires("PlaymentAgentSilent"))


if __name__ == "__main__":
    sys.exit(main())
