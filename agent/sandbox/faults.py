"""The troubles that the sandbox can be told to make."""

from __future__ import annotations

from dataclasses import astuple, dataclass


@dataclass(frozen=True, slots=True)
class Faults:
    """How likely each trouble is when a job is created, 0 to 1; `retry_after` is in seconds and goes with a 429."""

    lose_reply: float = 0.0
    """The job is made, and the connection closed without an answer."""
    error_after: float = 0.0
    """The job is made, and the answer is a 500."""
    error_before: float = 0.0
    """A 500, and nothing is made."""
    rate_limit: float = 0.0
    """A 429 with `Retry-After`."""
    try_later: float = 0.0
    """`FS_0000`, as a 400."""
    not_fetched: float = 0.0
    """`FS_0007`, as if a file could not be read."""
    fail_later: float = 0.0
    """The job is made and told as made, and is `FAILED` from then on."""
    retry_after: int = 1

    def __post_init__(self) -> None:
        if not all(0 <= likely <= 1 for likely in astuple(self)[:-1]):
            raise ValueError("a fault's likelihood is between 0 and 1")
