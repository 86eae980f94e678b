"""Every error that this package raises on purpose. Pure.

The tree::

    AgentError                  a sentence for a person; the process's exit code is `exit_code`
    ├── SettingsError           one or more settings are wrong (exit 2)
    │   └── NotThereYet         a folder or file that they name may come by itself
    ├── AlreadyRunning          another agent holds the ledger or the watch folder (exit 2)
    ├── LedgerError             the ledger cannot be used
    │   ├── LedgerRefused       it belongs to another project, folder, version or place (exit 2)
    │   └── LedgerUnavailable   disk full, read-only, I/O error: may pass
    │       └── LedgerUnreadable    a question was not answered
    ├── IllegalMove             a state change that `states.py` does not allow: a defect of ours
    ├── FolderUnavailable       a folder cannot be listed now
    │   └── FileUnreadable      a file cannot be read now
    ├── FileChanged             a file is not the one that was settled
    ├── HeldByFolder            the settings of a job's folder stop it
    ├── Interrupted             the agent stops, or is blocked: what goes on in rounds is to end
    ├── FleetUnavailable        the fleet's database does not answer: nothing new may be sent
    │   └── FleetRefused        it does not let us in, or is not what this version knows: a person must mend it
    └── RemoteError             the target, or the place where files are published, did not do it
        ├── TryLater            passing: back off and try again
        │   └── Unpublished     a file cannot be uploaded, or fetched from where it was published
        ├── Refused             permanent, for this job alone
        │   └── DuplicateReference  the reference_id is in use already: the job there may be ours
        │   └── BatchExists         a batch of this name exists
        └── AccessRefused       the key or the project is refused: nothing can be sent
            ├── StoreRefused    the object store refuses its credentials, or the bucket is not there
            └── OutOfCredit     the account has no credit left: no job is taken
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


NO_ANSWER = frozenset({"connection", "timeout", "bad-reply"})
"""Our codes where a remote gave no answer that can be read: it may be away."""


class AgentError(Exception):
    """The root: `str()` of any of these is a sentence that a person can act on."""

    exit_code = 1


class SettingsError(AgentError):
    """Carries every problem found in the settings, one sentence each."""

    exit_code = 2

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class NotThereYet(SettingsError):
    """All that is wrong is that folders or files are not there, as at a boot before a mount: that may pass by itself.

    `log_level` and `log_format` are the settings by which to say so.
    """

    def __init__(self, problems: Sequence[str], log_level: str, log_format: str) -> None:
        self.log_level = log_level
        self.log_format = log_format
        super().__init__(problems)


class AlreadyRunning(AgentError):
    """Another process holds the lock on the ledger or on the watch folder."""

    exit_code = 2


class LedgerError(AgentError):
    """The ledger cannot be used."""


class LedgerRefused(LedgerError):
    """The ledger is of another project, base URL, watch folder, template or version, or in a place it must not be."""

    exit_code = 2


class LedgerUnavailable(LedgerError):
    """The ledger cannot be written or read now (disk full, read-only, I/O error); it may pass."""


class LedgerUnreadable(LedgerUnavailable):
    """A question to the ledger was not answered. `str()` is the storage's own word, for a sentence to end with.

    `is_spoilt` tells that the ledger itself is damaged, or no ledger.
    """

    def __init__(self, message: str, *, is_spoilt: bool) -> None:
        self.is_spoilt = is_spoilt
        super().__init__(message)


class IllegalMove(AgentError):
    """A state change that `states.py` does not allow."""


class FolderUnavailable(AgentError):
    """A folder cannot be listed now; what was in it is unknown, which is not the same as deleted."""

    def of_job(self) -> TryLater:
        """Return the same for a job whose folder it is."""
        return TryLater(str(self), code="folder", refused=True, is_local=True)


class FileUnreadable(FolderUnavailable):
    """A file cannot be read now, be it for want of rights or of its server: that says nothing about what it holds."""


class FileChanged(AgentError):
    """A file is gone, or is not the one that was settled."""


class HeldByFolder(AgentError):
    """The settings of a job's folder stop it; `work`, given the ledger, writes that it is held, or let go of."""

    def __init__(self, reason: str, work: Callable[[Any], object]) -> None:
        self.work = work
        super().__init__(reason)


class Interrupted(AgentError):
    """The agent stops, or is blocked: what goes on in rounds is to end."""


class FleetUnavailable(AgentError):
    """The fleet's database does not answer now: what it has granted stands, nothing new may be sent."""


class FleetRefused(FleetUnavailable):
    """The fleet's database refuses us (password, rights, TLS), or has another schema: a person must mend it."""

    exit_code = 3


class RemoteError(AgentError):
    """A remote did not do what was asked.

    `code` is the vendor's, or ours (`http-503`, `connection`, `probe`): it is kept and shown, and nothing is decided by
    it. What is decided by are the class and its facts, which the remote's own table of errors sets.
    """

    def __init__(self, message: str, *, code: str) -> None:
        self.code = code
        super().__init__(message)


class TryLater(RemoteError):
    """A passing failure. The outcome of a POST is unknown unless `refused` says that nothing was made.

    `retry_after` is the number of seconds that the remote asked for, or None. `is_outage` tells that the target itself
    is away or unwell, so that no job is to blame; `is_too_often` that it is asked too often. `patience` is for how many
    seconds a job is tried that fails in this way, None where time alone is no reason to give it up. `is_local` tells
    that a file or folder here cannot be read now: no number of tries is one.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str,
        retry_after: float | None = None,
        refused: bool = False,
        is_outage: bool = False,
        is_too_often: bool = False,
        patience: float | None = None,
        is_local: bool = False,
    ) -> None:
        self.retry_after = retry_after
        self.refused = refused
        self.is_outage = is_outage
        self.is_too_often = is_too_often
        self.patience = patience
        self.is_local = is_local
        super().__init__(message, code=code)

    def of_another(self) -> TryLater:
        """Return the same for a request that was not made because this one failed before it."""
        return TryLater(
            str(self),
            code=self.code,
            retry_after=self.retry_after,
            refused=True,
            is_outage=self.is_outage,
            is_too_often=self.is_too_often,
            patience=self.patience,
            is_local=self.is_local,
        )


class Unpublished(TryLater):
    """A file cannot be uploaded, or is not what its URL answers with: the place where files are published may be away.

    `is_missing` tells that the place is there and knows no such file.
    """

    def __init__(self, message: str, *, code: str, is_missing: bool = False) -> None:
        self.is_missing = is_missing
        super().__init__(message, code=code, refused=True)


class Refused(RemoteError):
    """Refused for good; another try with the same content would be refused too."""


class DuplicateReference(Refused):
    """A job with this reference_id exists there, and may be ours: it is to be found."""


class BatchExists(Refused):
    """A batch of this name exists in the project."""


class AccessRefused(RemoteError):
    """The key is wrong, or the project or bucket is not ours: what was asked may be fine, but nothing can be sent.

    `is_of_all` tells that it is never of one job's making, even where the next look finds nothing wrong.
    """

    exit_code = 3

    def __init__(self, message: str, *, code: str, is_of_all: bool = False) -> None:
        self.is_of_all = is_of_all
        super().__init__(message, code=code)


class StoreRefused(AccessRefused):
    """The object store refuses the credentials, or the bucket is missing: nothing can be published."""


class OutOfCredit(AccessRefused):
    """The account has no credit left: every job is refused until it has."""
