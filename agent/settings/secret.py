"""What must not be shown: how it is held, and from which places it is read. Pure."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, NoReturn

from agent.settings import parsers
from agent.settings.places import Absent, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CREDENTIAL = "playment_api_key"
"""The name of the systemd credential that may hold the key."""


class Origin(Enum):
    """Where a secret comes from."""

    TEXT = auto()
    FILE = auto()
    CREDENTIAL = auto()


class Secret:
    """A text that shows itself only to `reveal()`: not to `str`, `repr`, logs, tracebacks, pickle or copies.

    `source` tells where it was read, as a sentence begins.
    """

    __slots__ = ("_text", "origin", "source")

    def __init__(self, text: str, source: str = "", origin: Origin = Origin.TEXT) -> None:
        self._text = text
        self.source = source
        self.origin = origin

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled or copied")


def key_of(given: Mapping[str, str], read_text: Callable[[str], str], problems: list[str]) -> Secret | None:
    """Return the key from the first place that is set: the variable, the named file, the systemd credential."""
    if key := given.get("PLAYMENT_API_KEY"):
        return Secret(key, "PLAYMENT_API_KEY")
    folder = given.get("CREDENTIALS_DIRECTORY")
    if file := given.get("PLAYMENT_API_KEY_FILE"):
        is_copy = bool(folder) and file.startswith(f"{folder}/")
        source, origin = f"PLAYMENT_API_KEY_FILE ({quoted(file)})", Origin.CREDENTIAL if is_copy else Origin.FILE
    elif folder:
        file = f"{folder}/{CREDENTIAL}"
        source, origin = f"The systemd credential {CREDENTIAL}", Origin.CREDENTIAL
    else:
        problems.append(
            "PLAYMENT_API_KEY is not set. Put the key there, or the path of a file that holds it in "
            f"PLAYMENT_API_KEY_FILE, or give the unit a credential named {CREDENTIAL}."
        )
        return None
    try:
        key = read_text(file).rstrip("\r\n")
        if key:
            return Secret(parsers.key(key), source, origin)
        problems.append(f"{source} is empty: it must hold the API key.")
    except UnicodeDecodeError:
        problems.append(f"{source} is not a text file: it must hold the API key and nothing else.")
    except ValueError as error:
        problems.append(f"{source} does not hold a key: {error}.")
    except OSError as error:
        # The service's copy of a credential comes with its start or not at all; a file may come with a mount.
        kind = str if origin is Origin.CREDENTIAL else Absent
        problems.append(kind(f"{source} cannot be read ({error.strerror}): it must be a file that this user may read."))
    return None
