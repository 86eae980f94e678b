"""What must not be shown: how it is held, and from which places it is read. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, NoReturn

from agent.settings import parsers
from agent.settings.places import Absent, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


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


@dataclass(frozen=True, slots=True)
class Place:
    """Where a secret is looked for: the variable, the file that another one names, the systemd credential.

    `what` is what it must hold, and `read` proves that it does. `help` is what a person is told who has set none,
    '' where none is needed.
    """

    variable: str
    credential: str
    what: str
    noun: str
    read: Callable[[str], str]
    help: str = ""

    @property
    def word(self) -> str:
        """What it holds, in one word."""
        return self.noun.removeprefix("a ")

    @property
    def file(self) -> str:
        """The variable that names a file."""
        return f"{self.variable}_FILE"


NEWS = Place(
    "NOTIFY_URL", "notify_url", "addresses as Apprise takes them", "an address for Apprise", parsers.notify_urls
)
FLEET = Place("FLEET_DSN", "fleet_dsn", "the address of the fleet's database", "a PostgreSQL address", parsers.dsn)


def secret_of(
    place: Place, given: Mapping[str, str], read_text: Callable[[str], str], problems: list[str]
) -> Secret | None:
    """Return the secret from the first place that is set, None where there is none: a problem where it is needed."""
    if text := given.get(place.variable):
        return Secret(text, place.variable)
    folder = given.get("CREDENTIALS_DIRECTORY")
    if file := given.get(place.file):
        is_copy = bool(folder) and file.startswith(f"{folder}/")
        source, origin = f"{place.file} ({quoted(file)})", Origin.CREDENTIAL if is_copy else Origin.FILE
    elif folder:
        file = f"{folder}/{place.credential}"
        source, origin = f"The systemd credential {place.credential}", Origin.CREDENTIAL
    else:
        problems += [place.help] if place.help else []
        return None
    try:
        text = read_text(file).rstrip("\r\n")
        if text:
            return Secret(place.read(text), source, origin)
        problems.append(f"{source} is empty: it must hold {place.what}.")
    except UnicodeDecodeError:
        problems.append(f"{source} is not a text file: it must hold {place.what} and nothing else.")
    except ValueError as error:
        problems.append(f"{source} does not hold {place.noun}: {error}.")
    except FileNotFoundError as error:
        if place.help or given.get(place.file):
            problems.append(_unread(source, origin, error))
    except OSError as error:
        problems.append(_unread(source, origin, error))
    return None


def _unread(source: str, origin: Origin, error: OSError) -> str:
    # The service's copy of a credential comes with its start or not at all; a file may come with a mount.
    kind = str if origin is Origin.CREDENTIAL else Absent
    return kind(f"{source} cannot be read ({error.strerror}): it must be a file that this user may read.")
