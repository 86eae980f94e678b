"""One setting's text → its value, or a `ValueError` that says what is allowed. Pure.

Each reader takes the text of one variable (never empty) and returns the value that `Settings` holds. A reader's error
is the end of a sentence that begins with the variable's name and what was read: 'it must be …'.
"""

from __future__ import annotations

import re
from shlex import split
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from urllib.parse import SplitResult
from agent.model.hosts import address_of, is_loopback, is_private

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
# RFC 3986: the characters of a path, with `%` only as the head of an escape.
_URL_PATH = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})*")


def key(text: str) -> str:
    """Return an API key fit for an HTTP header (RFC 9110: visible Latin-1); its error never repeats the key."""
    if any(char.isspace() or not char.isprintable() or ord(char) > 0xFF for char in text):
        raise ValueError("it must be one word of Latin-1 characters: no space, no control character, no line break")
    return text


def dsn(text: str) -> str:
    """Return PostgreSQL's address of a database, as libpq takes it; its error never repeats it."""
    # https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING
    is_uri = text.startswith(("postgresql://", "postgres://"))
    if not text.isprintable() or not (is_uri or re.match(r"\s*\w+\s*=", text)):
        raise ValueError("it must be one line, postgresql://user:password@host/database or host=… dbname=… user=…")
    return text


def notify_urls(text: str) -> str:
    """Return addresses for Apprise, one or several; its error never repeats them."""
    # https://appriseit.com/getting-started/universal-syntax/: what comes before `://` is the service.
    if not text.isprintable() or not re.match(r"[\s,]*[a-zA-Z0-9_-]+://\S", text):
        raise ValueError("it must be one line of addresses as Apprise takes them, such as mailto://user:password@host")
    return text


def words(text: str) -> tuple[str, ...]:
    """Return a command as its words: split as a shell does, which is asked for nothing else."""
    try:
        found = tuple(split(text))
    except ValueError as error:
        raise ValueError(f"it must be a program and its arguments, quoted as for a shell ({error})") from None
    if not found or not found[0] or "\0" in text:
        raise ValueError("it must be a program and its arguments, such as /usr/local/bin/tell --to team")
    return found


def time_of_day(text: str) -> tuple[int, int]:
    """Return an hour and a minute."""
    found = re.fullmatch(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", text)
    if not found:
        raise ValueError("it must be a time of day from 00:00 to 23:59, such as 07:30")
    return int(found[1]), int(found[2])


def path_safe(text: str) -> str:
    """Return an id that can stand in a URL's path as it is."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", text):
        raise ValueError("it must be the id from the project's address: letters, digits, '-' and '_' only")
    return text


def number_of(text: str) -> str:
    """Return a number that names something there, as text without leading zeros."""
    if not re.fullmatch(r"[0-9]{1,18}", text) or not int(text):
        raise ValueError("it must be the number from the project's address, such as 7")
    return str(int(text))


def plain(text: str) -> str:
    """Return text that has no control characters."""
    if not text.strip() or not text.isprintable():
        raise ValueError("it must be plain text without control characters")
    return text


def uuid(text: str) -> str:
    """Return a UUID, in lower case."""
    if not UUID.fullmatch(text):
        raise ValueError("it must be a UUID such as 123e4567-e89b-12d3-a456-426614174000")
    return text.lower()


def batch(text: str) -> str:
    """Return `day`, `folder` or a batch's UUID."""
    if text in {"day", "folder"}:
        return text
    if not UUID.fullmatch(text):
        raise ValueError("it must be empty (the project's default batch), a batch's UUID, day or folder")
    return text.lower()


def whole(low: int, high: int) -> Callable[[str], int]:
    """Make a reader of whole numbers from `low` to `high`."""

    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise ValueError(f"it must be a whole number from {low} to {high}")
        return int(text)

    return read


def file_mode(text: str) -> int:
    """Return the rights of a file, in octal as chmod(1) takes them: its owner reads and writes it, nobody runs it."""
    if not re.fullmatch(r"0?[0-7]{3}", text) or int(text, 8) & 0o711 != 0o600:
        raise ValueError("it must be octal rights such as 0640: its owner reads and writes it, nobody runs it")
    return int(text, 8)


def number(low: float, high: float, unit: str) -> Callable[[str], float]:
    """Make a reader of plain decimal numbers from `low` to `high`; `unit` is for the error's sentence."""

    def read(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) or not low <= float(text) <= high:
            raise ValueError(f"it must be a number of {unit} from {low:g} to {high:g}")
        return float(text)

    return read


def host_names(text: str) -> frozenset[str]:
    """Return names of hosts, without ports, in lower case."""
    found = frozenset(part.strip().lower() for part in text.split(","))
    if not all(address_of(part) or _HOST_NAME.fullmatch(part) for part in found):
        raise ValueError("it must be names of hosts without ports, with commas between them, such as agent.example.com")
    return found


def choice(*allowed: str) -> Callable[[str], str]:
    """Make a reader of one of some words; the case of what is read does not matter."""
    by_fold = {word.casefold(): word for word in allowed}

    def read(text: str) -> str:
        if text.casefold() not in by_fold:
            raise ValueError(f"it must be one of {', '.join(allowed)}")
        return by_fold[text.casefold()]

    return read


def names(meaning: Mapping[str, str]) -> Callable[[str], frozenset[str]]:
    """Make a reader of one or more of some words with commas between them; each becomes what it means."""

    def read(text: str) -> frozenset[str]:
        found = [part.strip().casefold() for part in text.split(",")]
        if not all(part in meaning for part in found):
            raise ValueError(f"it must be one or more of {', '.join(meaning)}, with commas between them")
        return frozenset(meaning[part] for part in found)

    return read


def switch(text: str) -> bool:
    """Return true or false."""
    return choice("true", "false")(text) == "true"


def extensions(text: str) -> frozenset[str]:
    """Return file name extensions in lower case, without their dot."""
    found = frozenset(part.strip().removeprefix(".").lower() for part in text.split(","))
    if not all(re.fullmatch(r"[a-z0-9]+", part) for part in found):
        raise ValueError("it must be file name extensions with commas between them, such as jpg,png")
    return found


def globs(text: str) -> tuple[str, ...]:
    """Return globs for folders, relative to the watch folder, without a slash at their end."""
    found = tuple(part.strip().removesuffix("/") for part in text.split(","))
    if any({"", ".", ".."} & set(glob.split("/")) or not glob.isprintable() for glob in found):
        raise ValueError("it must be globs relative to WATCH_DIR with commas between them, such as stills,*/single")
    return found


def file_name(text: str) -> str:
    """Return the name of a file, without a folder."""
    if "/" in text or text in {".", ".."} or not text.isprintable():
        raise ValueError("it must be a plain file name without '/', such as _READY")
    return text


def path(text: str) -> str:
    """Return the text of a path; whether it is there is not asked here."""
    if "\0" in text:
        raise ValueError("it must be a path: no name can hold a null character")
    return text


def template(*fields: str, one_of: frozenset[str] = frozenset()) -> Callable[[str], str]:
    """Make a reader of templates that use only `fields`, and at least one of `one_of` where that is given."""
    allowed = " ".join(f"{{{field}}}" for field in fields)

    def read(text: str) -> str:
        used = set(re.findall(r"\{(\w+)\}", text))
        if not used <= set(fields) or re.search(r"[{}]", re.sub(r"\{\w+\}", "", text)):
            raise ValueError(f"it may use only {allowed}, and braces for nothing else")
        if one_of and not used & one_of:
            needed = " ".join(f"{{{field}}}" for field in fields if field in one_of)
            raise ValueError(f"it must use at least one of {needed}, or all jobs would have the same id")
        return plain(text)

    return read


def base_url(text: str) -> str:
    """Return Playment's base URL without a slash at its end; `http://` only for loopback hosts."""
    parts = _url(text)
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ValueError(
            "it must begin with https://: the key would travel readable (http:// only for a loopback host)"
        )
    return text.rstrip("/")


def publish_to(text: str) -> str:
    """Return the base URL under which the watch folder is served, or `s3://bucket/prefix`, with a slash at its end.

    `http://` only for loopback and private addresses: a name can be made to point anywhere.
    """
    if text.lower().startswith("s3://"):
        return _store(text)
    base = _served(text)
    return base if base.endswith("/") else base + "/"


def endpoint(text: str) -> str:
    """Return an object store's address without a slash at its end; `http://` as for `publish_to`."""
    return _served(text).rstrip("/")


def region(text: str) -> str:
    """Return the name of an object store's region."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", text):
        raise ValueError("it must be a region's name such as eu-central-1")
    return text


def _store(text: str) -> str:
    """Return `s3://bucket/prefix/`. The prefix is plain ASCII: signers of URLs differ on all else."""
    bucket, _, prefix = text[5:].partition("/")
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html; other stores take `_` and capitals.
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]", bucket):
        raise ValueError("it must be s3://bucket/prefix, the bucket of 3 to 63 letters, digits, '.', '-' and '_'")
    parts = prefix.rstrip("/").split("/") if prefix.rstrip("/") else []
    if any(part in {"", ".", ".."} or not re.fullmatch(r"[A-Za-z0-9._-]+", part) for part in parts):
        raise ValueError("it must be s3://bucket/prefix, the prefix of letters, digits, '.', '-', '_' and single '/'")
    return "/".join(["s3:/", bucket, *parts, ""])


def _served(text: str) -> str:
    parts = _url(text)
    host = parts.hostname or ""
    if parts.scheme == "http" and not is_loopback(host) and not is_private(host):
        raise ValueError("it must begin with https:// (http:// only for localhost, loopback and private addresses)")
    return text


def hidden(_text: str) -> str:
    """Return what is shown in place of a secret."""
    return "***"


def _url(text: str) -> SplitResult:
    """Split an http(s) URL in which nothing can be read in two ways; raise ValueError otherwise."""
    # urlsplit drops tabs and line breaks without a word, so it must not be the first to look.
    if not text.isascii() or not text.isprintable() or " " in text:
        _no_url("no spaces or other characters that need percent-encoding")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        _no_url("a port from 1 to 65535")
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        _no_url("https:// and a host")
    if "@" in parts.netloc or "?" in text or "#" in text:
        _no_url("no user, password, query or fragment")
    host = parts.hostname or ""
    if port == 0 or parts.netloc.endswith(":") or not (address_of(host) or _HOST_NAME.fullmatch(host)):
        _no_url("a host name or address and, if need be, a port")
    if not _URL_PATH.fullmatch(parts.path):
        _no_url("a percent-encoded path")
    return parts


def _no_url(needed: str) -> NoReturn:
    raise ValueError(f"it must be a URL such as https://host/base/ with {needed}")
