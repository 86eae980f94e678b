"""How each tool that fetches is called: it copies a folder of the sources to `drive` in the watched folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.demo.store import ACCESS_KEY, BUCKET, SECRET_KEY
from tests.tools.slow_link import SlowLink

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import ExitStack
    from pathlib import Path

    from tests.programs import Command, Program
    from tests.tools.sources import Sources


@dataclass(frozen=True, slots=True)
class Copying:
    """One copy of a folder: `name` of the sources becomes `drive` in `inbox`, at `rate` bytes a second.

    Of these the first `brisk` come faster. `programs` are those that the tool needs, itself first. Without a rate it is
    as fast as it goes. What must run beside the tool is entered on `stack`. `place` is a folder for the tool's own
    files, on the watched folder's file system.
    """

    programs: Sequence[Program]
    sources: Sources
    name: str
    inbox: Path
    place: Path
    rate: float | None
    brisk: float
    stack: ExitStack

    @property
    def source(self) -> Path:
        """The folder that is copied."""
        return self.sources.folder / self.name

    @property
    def target(self) -> Path:
        """The folder that it becomes."""
        return self.inbox / "drive"

    def files(self) -> list[str]:
        """Return the names of all files, in order."""
        return sorted(os.listdir(self.source))

    def made_target(self) -> Path:
        """Return the target, made for a tool that does not make it."""
        self.target.mkdir(exist_ok=True)
        return self.target

    def link(self, port: int) -> int:
        """Return the port of a slow link to a port."""
        if self.rate is None:
            return port
        return self.stack.enter_context(SlowLink(port, self.rate, self.brisk)).port

    def s3(self) -> str:
        """Return the slow address of the S3 store, as host and port."""
        return f"127.0.0.1:{self.link(self.sources.s3_port())}"

    def http(self) -> str:
        """Return the slow URL of the folder."""
        return f"http://127.0.0.1:{self.link(self.sources.http_port)}/{self.name}"

    def run(self, *arguments: str, **environ: str) -> Command:
        """Return the command that runs the tool with these arguments."""
        return self.programs[0].command(*arguments, **environ)


_AWS = {
    "AWS_ACCESS_KEY_ID": ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def aws(copying: Copying) -> Command:
    """Ten files at once."""
    url, source = f"http://{copying.s3()}", f"s3://{BUCKET}/{copying.name}/"
    return copying.run(
        "s3", "sync", "--no-progress", "--endpoint-url", url, source, str(copying.target), PYTHONSAFEPATH="1", **_AWS
    )


_BOTO3 = """
import boto3, sys
url, bucket, target, folder, *names = sys.argv[1:]
s3 = boto3.client("s3", endpoint_url=url)
for name in names:
    s3.download_file(bucket, f"{folder}/{name}", f"{target}/{name}")
"""


def boto3(copying: Copying) -> Command:
    """A script that calls `download_file` for one file after the other."""
    target, url = str(copying.made_target()), f"http://{copying.s3()}"
    return copying.run("-c", _BOTO3, url, BUCKET, target, copying.name, *copying.files(), **_AWS)


def s5cmd(copying: Copying) -> Command:
    """Twenty files at once, of its 256: with more there would be one wave."""
    url, source = f"http://{copying.s3()}", f"s3://{BUCKET}/{copying.name}/*"
    return copying.run("--endpoint-url", url, "--numworkers", "20", "cp", source, f"{copying.target}/", **_AWS)


_MINIO = """
import minio, sys
host, key, secret, bucket, target, folder, *names = sys.argv[1:]
client = minio.Minio(host, access_key=key, secret_key=secret, region="us-east-1", secure=False)
for name in names:
    client.fget_object(bucket_name=bucket, object_name=f"{folder}/{name}", file_path=f"{target}/{name}")
"""


def minio(copying: Copying) -> Command:
    """A script that calls `fget_object` for one file after the other."""
    target, keys = str(copying.target), (ACCESS_KEY, SECRET_KEY)
    return copying.run("-c", _MINIO, copying.s3(), *keys, BUCKET, target, copying.name, *copying.files())


def rclone(copying: Copying) -> Command:
    """Four files at once, from a web server's listing."""
    arguments = ("copy", "--config", os.devnull, "--http-url", copying.http(), ":http:", str(copying.target))
    return copying.run(*arguments)


def lftp(*settings: str) -> Callable[[Copying], Command]:
    """Return the call with settings such as 'xfer:use-temp-file yes'."""

    def mirror(copying: Copying) -> Command:
        script = [f"set {setting}" for setting in ("cmd:fail-exit yes", "net:max-retries 1", *settings)]
        script.append(f"mirror {copying.http()}/ '{copying.target}'")
        return copying.run("--norc", "-c", "; ".join(script))

    return mirror


def rsync(*options: str) -> Callable[[Copying], Command]:
    """Return the call with options; 'TEMP' in them is a folder outside the watched one."""

    def archive(copying: Copying) -> Command:
        elsewhere = copying.place / "temp"
        elsewhere.mkdir(exist_ok=True)
        limit = [f"--bwlimit={max(1, int(copying.rate / 1024))}"] if copying.rate else []
        given = [option.replace("TEMP", str(elsewhere)) for option in options]
        return copying.run("-r", *limit, *given, f"{copying.source}/", f"{copying.target}/")

    return archive


def curl(copying: Copying) -> Command:
    """One file after the other."""
    options = ("-sS", "--fail", "--remote-name-all", "--output-dir", str(copying.made_target()))
    return copying.run(*options, *_urls(copying))


def wget(copying: Copying) -> Command:
    """One file after the other.

    Run again it is told to compare sizes: by itself it leaves a half file and writes `N.1` beside it, and with `-N`
    alone the server says of a half file that it is new enough.
    """
    options = ("-nv", "-N", "--no-if-modified-since", "--tries=1")
    return copying.run(*options, "-P", str(copying.target), *_urls(copying))


def aria2(copying: Copying) -> Command:
    """Four files at once, going on with what is there."""
    options = ("-q", "-Z", "-j4", "--no-conf", "--continue", "-d", str(copying.target))
    return copying.run(*options, *_urls(copying))


def _urls(copying: Copying) -> list[str]:
    url = copying.http()
    return [f"{url}/{name}" for name in copying.files()]
