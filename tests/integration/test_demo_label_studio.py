"""`demo --label-studio` as a person starts it: where it cannot begin, where it is stopped, and at a real server."""

from __future__ import annotations

import fcntl
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from dotenv import dotenv_values
from rich.console import Console

from agent.demo import children
from agent.demo.children import Child
from agent.demo.label_studio.installing import Installation
from agent.demo.steps import Steps
from tests.label_studio import MISSING, ready
from tests.support import command, command_lines, eventually, image, write

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = [sys.executable, "-m", "agent", "demo", "--label-studio"]
MISLEADING = {
    "LABEL_STUDIO_URL": "https://label-studio.invalid",
    "LABEL_STUDIO_USERNAME": "x@example.com",
    "DJANGO_DB": "default",
    "HOST": "https://label-studio.invalid",
    "PYTHONPATH": "/nowhere",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
    "NO_PROXY": "",
    "no_proxy": "",
}


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), **more}


def only_index(url: str) -> dict[str, str]:
    """Settings of pip by which it looks there, and nowhere else."""
    return {"PIP_INDEX_URL": url, "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": "", "PIP_EXTRA_INDEX_URL": ""}


def named(place: Path) -> list[str]:
    """Return the commands of this machine's processes that name a place."""
    return [text for text in command_lines() if str(place) in text]


@pytest.fixture
def silent() -> Iterator[str]:
    """Give an index of packages that is there, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/simple"


def left_of_it(tmp_path: Path) -> list[str]:
    """Return what there is that looks like an installation, and the demo's folders."""
    found = [*tmp_path.glob("cache/playment-agent/*"), *tmp_path.glob("playment-demo-*")]
    return [path.name for path in found if path.suffix not in {".log", ".lock"}]


def test_without_a_network_it_says_so_and_leaves_nothing_half_made(tmp_path: Path) -> None:
    run = subprocess.run(
        COMMAND,
        env=environment(tmp_path, **only_index("http://127.0.0.1:9/simple")),
        capture_output=True,
        text=True,
        check=False,
        timeout=55,
    )
    assert run.returncode == 1
    assert "MB, which become 1 GB on the disk" in run.stdout
    assert f"rm -r {tmp_path}/cache/playment-agent" in run.stdout
    [told] = run.stderr.splitlines()
    assert told.startswith("playment-agent: pip could not reach the place that it fetches packages from")
    assert left_of_it(tmp_path) == []


def test_a_stop_while_it_is_fetched_leaves_nothing_behind(tmp_path: Path, silent: str) -> None:
    with subprocess.Popen(
        COMMAND,
        env=environment(tmp_path, **only_index(silent)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        eventually(lambda: [text for text in named(tmp_path) if "-m pip install" in text], 40.0)
        assert left_of_it(tmp_path) != []
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=20)
    assert (running.returncode, errors) == (128 + signal.SIGINT, "")
    assert left_of_it(tmp_path) == []
    assert named(tmp_path) == []


def test_what_is_started_ends_with_a_demo_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import os, sys, time; from pathlib import Path; from agent.demo.children import Child\n"
        f"with Child(['/bin/sleep', '1000.18'], os.environ, Path({str(tmp_path / 'log')!r}), Path('/')):\n"
        "    print('started', flush=True); time.sleep(1000)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as running:
        assert running.stdout
        assert running.stdout.readline()
        started = Path(f"/proc/{running.pid}/task/{running.pid}/children")
        child = Path("/proc") / eventually(started.read_text).strip() / "cmdline"
        eventually(lambda: child.read_bytes() == b"/bin/sleep\x001000.18\x00")
        running.kill()
    eventually(lambda: not child.exists() or child.read_bytes() == b"")


def test_what_a_program_started_ends_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "END_SECONDS", 0.2)
    asks = ["/bin/sh", "-c", "trap '' TERM; sleep 1000.19 & echo $!; wait"]
    with Child(asks, os.environ, tmp_path / "log", tmp_path) as child:
        pid = eventually(lambda: (tmp_path / "log").read_text().strip())
        assert child.exit_code is None
    assert child.exit_code is not None
    eventually(lambda: not Path(f"/proc/{pid}").exists())


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_a_program_of_which_a_stop_keeps_us_from_taking_note_never_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal while it is being started: it would go on, and make the folder anew that is removed meanwhile."""
    start = subprocess.Popen.__init__

    def interrupted(process: subprocess.Popen[bytes], *arguments: Any, **options: Any) -> None:
        start(process, *arguments, **options)
        raise SystemExit(128 + signal.SIGTERM)

    begun = tmp_path / "begun"
    with monkeypatch.context() as during:
        during.setattr(subprocess.Popen, "__init__", interrupted)
        with pytest.raises(SystemExit), Child(["/bin/touch", str(begun)], os.environ, tmp_path / "log", tmp_path):
            raise AssertionError
    eventually(lambda: named(begun) == [])
    assert not begun.exists()


def test_it_goes_with_no_other_way_to_play(tmp_path: Path) -> None:
    for options in (["--s3"], ["--complete-after", "1"]):
        refused = command("demo", "--label-studio", *options, environ=environment(tmp_path), cwd=tmp_path)
        assert refused.returncode == 2
        assert "--label-studio goes with --keep alone" in refused.stderr


def test_half_of_it_is_not_taken_for_whole(tmp_path: Path) -> None:
    installed = Installation(tmp_path)
    write(installed.database, b"")
    assert not installed.is_whole
    installed.python.parent.mkdir(parents=True)
    installed.python.symlink_to("/nowhere/python3")  # as where the system's Python is another one now
    assert not installed.is_whole
    installed.python.unlink()
    installed.python.symlink_to(sys.executable)
    assert installed.is_whole
    installed.make(Steps(Console(file=io.StringIO())))  # which another demo has done meanwhile
    assert installed.is_whole


def test_a_demo_waits_for_another_that_is_making_the_same(tmp_path: Path) -> None:
    installed, told = Installation(tmp_path), io.StringIO()
    making = threading.Thread(target=installed.make, args=(Steps(Console(file=told)),))
    with (tmp_path / f"{installed.folder.name}.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        making.start()
        eventually(lambda: "Waiting for another demo" in told.getvalue())
        write(installed.database, b"")
        write(installed.python, b"")
    making.join(20)
    assert not making.is_alive()
    assert "Making an environment" not in told.getvalue()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    write(tmp_path / "cache", b"a file")
    run = command("demo", "--label-studio", environ=environment(tmp_path), cwd=tmp_path)
    assert run.returncode == 1
    [told] = run.stderr.splitlines()
    assert "set XDG_CACHE_HOME to another one" in told


# ---------------------------------------------------------------- at a real server


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Give a folder for caches in which Label Studio is installed."""
    prepared = ready()
    if prepared is None:
        pytest.skip(MISSING)
    installed = Installation(tmp_path / "cache/playment-agent")
    installed.folder.mkdir(parents=True)
    (installed.folder / "venv").symlink_to(prepared / "venv")
    shutil.copyfile(prepared / "data/label_studio.sqlite3", installed.database)
    return tmp_path / "cache"


class Page:
    """What a person's browser gets to see: logged in with the password that the demo says."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = requests.Session()
        self.http.trust_env = False

    def post(self, path: str, **fields: str) -> requests.Response:
        """Send a form as a browser does, with the token that the page holds."""
        self.http.get(self.url + path, timeout=30)
        fields["csrfmiddlewaretoken"] = str(self.http.cookies.get("csrftoken"))
        return self.http.post(self.url + path, data=fields, timeout=30, allow_redirects=False)


@pytest.mark.timeout(900)  # whoever comes first installs the server
@pytest.mark.usefixtures("cache")
def test_the_whole_job_at_a_real_server_until_it_is_stopped(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "--keep"],
        env=environment(tmp_path, **MISLEADING, PYTHONUNBUFFERED="1"),
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        said = list(read_until(running, "All goes on until Ctrl+C", 2))
        try:
            shown = "".join(said)
            is_as_it_must_be(tmp_path, shown)
        finally:
            running.send_signal(signal.SIGINT)
            running.send_signal(signal.SIGTERM)
            rest, errors = running.communicate(timeout=60)
    assert (running.returncode, errors) == (0, ""), (shown, rest)
    assert named(tmp_path) == []
    (folder,) = tmp_path.glob("playment-demo-*")
    assert "entry.io" not in (folder / "label-studio/log").read_text()  # nobody was called
    assert " ERROR " not in (folder / "demo.log").read_text()


def read_until(running: subprocess.Popen[str], line: str, more: int) -> Iterator[str]:
    """Yield what is said until this line has come, and so many after it."""
    assert running.stdout
    found = False
    while not found or more:
        said = running.stdout.readline()
        assert said, running.stderr and running.stderr.read()
        yield said
        more -= found
        found = found or said.strip() == line


def is_as_it_must_be(tmp_path: Path, said: str) -> None:
    """Hold what the demo says against what the server itself answers, and what a browser is let see."""
    assert "\x1b" not in said
    assert "Making" not in said  # it was there
    assert "✓ drive: one job, 12 frames in order, every byte equal" in said
    assert "All as it must be: 4 jobs sent, each once; 2 files refused." in said
    (folder,) = tmp_path.glob("playment-demo-*")
    settings = dotenv_values(folder / "demo.env")
    url = str(settings["LABEL_STUDIO_URL"])
    assert url.startswith("http://127.0.0.1:")
    api = requests.Session()
    api.trust_env = False
    api.headers["Authorization"] = f"Token {settings['LABEL_STUDIO_TOKEN']}"

    def tasks(project: str) -> list[dict[str, Any]]:
        answer = api.get(f"{url}/api/tasks?project={settings[project]}&page_size=100", timeout=30)
        return sorted(answer.json()["tasks"], key=lambda task: str(task["data"]["reference_id"]))

    images, (drive, night) = tasks("LABEL_STUDIO_IMAGE_PROJECT"), tasks("LABEL_STUDIO_SEQUENCE_PROJECT")
    assert [task["data"]["reference_id"].partition("~")[0] for task in images] == ["bridge.png", "street.jpg"]
    assert drive["data"]["frame_ids"] == [f"frame_{number}.jpg" for number in range(1, 13)]
    assert night["data"]["frame_ids"] == [f"night-{number}.webp" for number in range(8, 13)]
    assert [address.rpartition("/")[2] for address in drive["data"]["frames"]] == drive["data"]["frame_ids"]
    seen = api.get(drive["data"]["frames"][9], headers={"Origin": url}, timeout=30)
    assert seen.content == (folder / "inbox/drive/frame_10.jpg").read_bytes()
    assert seen.headers["Access-Control-Allow-Origin"] == "*"
    for task in (*images, drive, night):
        assert f" {url}/projects/{task['project']}/data?task={task['id']}  {task['data']['reference_id']}\n" in said

    page, user, password = Page(url), "demo@example.com", re.findall(r"^ password (\S+)$", said, re.MULTILINE)[0]
    assert page.post("/user/login/", email=user, password="guessed-it").status_code == 200  # the form again
    assert page.post("/user/signup/", email="b@example.com", password="long-enough-1").status_code == 403
    assert page.post("/user/login/", email=user, password=password).status_code == 302
    assert page.http.get(f"{url}/api/current-user/whoami", timeout=30).json()["email"] == user
    page.http.close()

    write(folder / "inbox/later.jpg", image())
    api.post(f"{url}/api/tasks/{drive['id']}/annotations", json={"result": []}, timeout=30).raise_for_status()
    eventually(lambda: len(tasks("LABEL_STUDIO_IMAGE_PROJECT")) == 3, 40.0, 0.2)
    result = eventually(lambda: [*(folder / "results").glob("drive.json")], 40.0, 0.2)[0]
    assert json.loads(result.read_bytes())["id"] == drive["id"]
    api.close()


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("cache")
def test_a_stop_while_the_server_starts_leaves_nothing_behind(tmp_path: Path) -> None:
    with subprocess.Popen(
        COMMAND, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        eventually(lambda: [text for text in named(tmp_path) if "label_studio.server start" in text], 40.0)
        running.send_signal(signal.SIGTERM)
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=30)
    # Python's last lines know no handler any more: where the second signal comes as late as that, it ends the rest.
    assert running.returncode in {128 + signal.SIGTERM, 128 + signal.SIGINT, -signal.SIGINT}
    assert errors == ""
    assert named(tmp_path) == []
    assert [*tmp_path.glob("playment-demo-*")] == []


def test_a_server_that_does_not_start_is_told(tmp_path: Path) -> None:
    installed = Installation(tmp_path / "cache/playment-agent")
    write(installed.database, b"no database, and no Label Studio either")
    installed.python.parent.mkdir(parents=True)
    installed.python.symlink_to(sys.executable)
    run = command("demo", "--label-studio", environ=environment(tmp_path), cwd=tmp_path)
    assert run.returncode == 1
    [told] = run.stderr.splitlines()
    assert "Label Studio has ended by itself" in told
    assert "No module named" in told
    assert told.endswith(f"made anew after rm -r {installed.folder}.")
    assert [*tmp_path.glob("playment-demo-*")] == []
