"""Each command of `systemd/README.md`, in its order, as root under a real systemd: it is set up, changed, and gone.

Only what lies outside is stood in for: Playment by its sandbox, the package index by wheels of what is installed here,
the certificate by one of our own.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from importlib.metadata import distribution
from typing import TYPE_CHECKING

import pytest

from tests.documents import FIRST, OPERATING, READMES
from tests.integration.boot_systemd import Booted, boot, needed_by, reason_not_to_boot
from tests.integration.nginx import PROGRAM, SNIPPET
from tests.integration.test_systemd_boot import KEY, SANDBOX_UNIT, at_playment, drop, wait_for_jobs, write
from tests.package import OF_THE_PROJECT, copy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.metadata import Distribution
    from pathlib import Path

REASON = reason_not_to_boot()
pytestmark = [
    pytest.mark.skipif(REASON is not None, reason=REASON or ""),
    pytest.mark.timeout(600),
]
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", OPERATING, flags=re.MULTILINE | re.DOTALL)
PAGE = ("starlette", "uvicorn", "jinja2")
"""What the extra for the page brings."""
ELSEWHERE = ("FLEET_DSN=", "sh .ci/apt-install python3-venv && systemd/package/build", "mkdir -p ~/")
"""How a block begins that another test runs: `test_readme`, at a real PostgreSQL, and `python -m tests.package`."""
SETTINGS = re.findall(r"^```dotenv\n(.*?)^```$", OPERATING, flags=re.MULTILINE | re.DOTALL)
HERE = {"PLAYMENT_PROJECT_ID": "p1", "PLAYMENT_BASE_URL": "http://127.0.0.1:8801", "SETTLE_SECONDS": "0.2"}
REPOSITORY = (*OF_THE_PROJECT, ".ci")
CERTIFICATE = "etc/letsencrypt/live/files.example.com"
# A reader's root may have any umask. No network: the wheels, and no source of packages.
SURROUNDINGS = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/root/wheels", "PIP_NO_COMPILE": "1", "PIP_QUIET": "1"}


def wheel(installed: Distribution, folder: Path) -> None:
    """Make the wheel anew from which a package was installed, without its commands."""
    tags = re.findall(r"^Tag: (\S+)-(\S+)-(\S+)$", installed.read_text("WHEEL") or "", flags=re.MULTILINE)
    tag = "-".join(".".join(dict.fromkeys(each)) for each in zip(*tags, strict=True))
    name = re.sub(r"[-_.]+", "_", installed.name)
    with zipfile.ZipFile(folder / f"{name}-{installed.version}-{tag}.whl", "w") as made:
        for file in installed.files or ():
            if ".." not in file.parts and file.suffix != ".pyc":
                made.write(str(file.locate()), file.as_posix())


def lay_out(tree: Path) -> None:
    """Put below `tree` what a reader has before the first step, and what is stood in for."""
    copy(REPOSITORY, tree / "root/playment-agent")
    (tree / "root/wheels").mkdir()
    needed = needed_by("playment-agent", {name: distribution(name) for name in PAGE})
    for name in PAGE:
        needed_by(name, needed)
    for package in (*needed.values(), distribution("setuptools")):
        wheel(package, tree / "root/wheels")
    write(tree / "etc/apt/sources.list.d/debian.sources", "")
    write(tree / "etc/hosts", "127.0.0.1 localhost files.example.com\n")
    write(tree / "etc/nginx/sites-available/inbox", SNIPPET)
    write(tree / "etc/systemd/system/sandbox.service", SANDBOX_UNIT.replace("KEY", KEY))
    write(
        tree / "etc/systemd/system/playment-agent.service.d/test.conf",
        f"[Service]\nEnvironment=REQUESTS_CA_BUNDLE=/{CERTIFICATE}/fullchain.pem\n",
    )
    certificate = tree / CERTIFICATE
    certificate.mkdir(parents=True)
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=files.example.com", "-addext", "subjectAltName=DNS:files.example.com"),
            *("-keyout", certificate / "privkey.pem", "-out", certificate / "fullchain.pem"),
        ],
        check=True,
        capture_output=True,
    )
    for folder in (path for path in (tree, *tree.glob("[er]*"), *tree.glob("etc/**/*")) if path.is_dir()):
        folder.chmod(0o755)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Booted]:
    (tmp_path / "work").mkdir()
    lay_out(tmp_path / "tree")
    with boot(tmp_path / "work", tmp_path / "tree") as booted:
        booted.run("systemctl", "start", "nginx")
        booted.run("useradd", "alice")
        yield booted


def run(host: Booted, block: str) -> str:
    """Run it as root, in the repository's folder; it ends at the first command that fails, also before a `&&`."""
    surroundings = [f"{name}={value}" for name, value in SURROUNDINGS.items()]
    script = "umask 077\n" + block.replace(" && ", "\n")
    return host.run("env", "-C", "/root/playment-agent", *surroundings, "sh", "-ec", script)


def named(command: str) -> str:
    """Return a command that the text names between its blocks."""
    assert f"`{command}`" in OPERATING
    return command


def set_what_must_be_set(host: Booted) -> None:
    (told,) = SETTINGS
    wanted = dict(line.split("=", 1) for line in told.splitlines()) | HERE
    file = host.root / "etc/playment-agent/agent.env"
    text = file.read_text()
    for name, value in wanted.items():
        text, count = re.subn(rf"^#?{name}=.*$", f"{name}={value}", text, flags=re.MULTILINE)
        assert count == 1, name
    file.write_text(text)


@pytest.mark.skipif(not shutil.which(PROGRAM), reason="needs nginx")
def test_every_command_does_what_is_said(host: Booted) -> None:
    blocks = iter([block for block in BLOCKS if not block.startswith(ELSEWHERE)])

    def follow(words: str) -> str:
        block = next(blocks)
        assert words in block
        return run(host, block)

    follow("useradd --system --groups inbox")
    (host.root / "etc/playment-agent/api_key").write_text(KEY)
    run(host, named("usermod -aG inbox alice"))
    run(host, named("sh .ci/apt-install nginx-light"))
    follow("nginx -t && systemctl reload nginx")
    host.run("systemctl", "start", "sandbox")
    set_what_must_be_set(host)
    said = follow("sh systemd/check")
    assert "FAIL" not in said
    assert "http://127.0.0.1:8801 takes the key" in said
    drop(host, "archived.jpg", 1)
    assert "1 units are ignored" in follow("baseline")
    follow("systemctl enable --now playment-agent")
    assert host.run("systemctl", "is-enabled", "playment-agent") == "enabled"
    drop(host, "../../opt/first.jpg", 2)
    host.run("su", "alice", "-c", "umask 027; cp /opt/first.jpg /srv/inbox/")
    wait_for_jobs(host, "first.jpg")
    follow("enable --now playment-agent-page")
    at = re.search(r"http://127\.0\.0\.1:\d+/", OPERATING)
    assert at is not None
    ask = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())"
    shown = host.run("/opt/playment-agent/bin/python", "-c", ask, f"{at[0]}jobs")
    assert "first.jpg" in shown
    assert "PLAYMENT_API_KEY" not in host.run("sh", "-c", "tr '\\0' '\\n' < /proc/$(pgrep -f ' page$')/environ")
    assert "submitted" in follow(" status")
    (asked,) = re.findall(r"`(runuser .+ sqlite3 .+)`", FIRST)
    (also,) = re.findall(r"^runuser .+ sqlite3 .+$", READMES["agent/ledger/README.md"], flags=re.MULTILINE)
    said = run(host, f"{asked} 'select * from status'")
    assert said.splitlines()[0].split() == ["state", "jobs", "frames", "oldest", "newest"]
    assert run(host, also) == said
    follow("playment-agent-backup.timer")
    assert "playment-agent-backup.timer" in host.run("systemctl", "list-timers", "--all", "--no-pager")
    host.run("systemctl", "start", "playment-agent-backup")

    follow("sqlite3 /var/lib/playment-agent/ledger.db")
    drop(host, "second.jpg", 3)
    wait_for_jobs(host, "first.jpg", "second.jpg")
    sent = at_playment(host)
    follow("rm /var/lib/playment-agent/ledger.db*")
    wait_for_jobs(host, "first.jpg", "second.jpg")
    assert at_playment(host) == sent, "nothing is sent twice"

    follow("userdel playment-agent")
    assert host.run("systemctl", "is-active", "playment-agent", check=False) == "inactive"
    left = host.run("find", "/opt", "/etc", "/var/lib", "-maxdepth", "4", "-name", "playment-agent*", "-prune").split()
    assert sorted(left) == ["/var/lib/playment-agent", "/var/lib/playment-agent-backup"]
    assert list(blocks) == []
