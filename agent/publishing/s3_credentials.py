"""The object store's credentials: from the settings, else from a profile's file, else from the machine's role.

obstore reads the environment and the roles (web identity, container, instance) itself, but no profile: measured with
0.12.1. So a profile that holds keys is read here; profiles that only say how to get keys are refused in words.
"""

from __future__ import annotations

import configparser
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from agent.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from obstore.store import S3Credential

_KEY, _SECRET, _TOKEN = "aws_access_key_id", "aws_secret_access_key", "aws_session_token"
_OTHER_WAYS = ("role_arn", "sso_session", "sso_start_url", "credential_process", "web_identity_token_file")


class Credentials:
    """Where the keys come from. `provide` is None where obstore is to ask for the machine's role.

    `ends` tells that the keys are a role's: a signed URL ends with them, whatever life it was given.
    """

    def __init__(self, provide: Callable[[], S3Credential] | None, region: str | None, *, ends: bool) -> None:
        self.provide = provide
        self.region = region
        self.ends = ends


def find(aws: Mapping[str, str]) -> Credentials:
    """Return the credentials that `aws`, the AWS_… settings and HOME, lead to.

    Raises SettingsError where they lead to half a key, or to a profile that holds none.
    """
    region = aws.get("AWS_REGION") or aws.get("AWS_DEFAULT_REGION")
    key, secret, token = (aws.get(name.upper()) for name in (_KEY, _SECRET, _TOKEN))
    if key and secret:
        return Credentials(lambda: _credential(key, secret, token), region, ends=bool(token))
    if key or secret:
        missing = (_SECRET if key else _KEY).upper()
        raise SettingsError([f"{missing} is not set: both it and the other half of the key must be, or neither."])
    profile = Profile(aws)
    problem = profile.problem()
    if problem:
        raise SettingsError([problem])
    if profile.has_key():
        return Credentials(profile, region or profile.region(), ends=profile.has_token())
    return Credentials(None, region or profile.region(), ends=True)


class Profile:
    """A profile in the files that the AWS programs share. Called, it gives the keys as they are there now."""

    def __init__(self, aws: Mapping[str, str]) -> None:
        home = aws.get("HOME", "")
        self._named = bool(aws.get("AWS_PROFILE"))
        self._name = aws.get("AWS_PROFILE") or "default"
        self._files = [
            aws.get("AWS_SHARED_CREDENTIALS_FILE") or f"{home}/.aws/credentials",
            aws.get("AWS_CONFIG_FILE") or f"{home}/.aws/config",
        ]
        self._read_at: tuple[object, ...] = ()
        self._values: dict[str, str] = {}

    def __call__(self) -> S3Credential:
        """Return the keys, to be asked for again at once: a mended file is obeyed without a restart.

        Raises ValueError with a sentence.
        """
        values = self._current()
        if not values.get(_KEY) or not values.get(_SECRET):
            raise ValueError(self.problem() or f"the profile {self._name} holds no keys any more")
        return _credential(values[_KEY], values[_SECRET], values.get(_TOKEN), datetime.now(UTC))

    def has_key(self) -> bool:
        """Tell whether there is a whole key."""
        values = self._current()
        return bool(values.get(_KEY) and values.get(_SECRET))

    def has_token(self) -> bool:
        """Tell whether the keys are a session's, which ends."""
        return bool(self._current().get(_TOKEN))

    def region(self) -> str | None:
        """Return the profile's region, if it names one."""
        return self._current().get("region")

    def problem(self) -> str | None:
        """Return what is wrong with the profile as a sentence, None where it holds keys or is none at all."""
        values = self._current()
        if self.has_key():
            return None
        ways = [way for way in _OTHER_WAYS if values.get(way)]
        if ways:
            return (
                f"The AWS profile {self._name!r} holds no keys, only {ways[0]}, which is not supported: set "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN), or use the machine's role."
            )
        if self._named or values.get(_KEY) or values.get(_SECRET):
            return (
                f"The AWS profile {self._name!r} has no {_KEY} and {_SECRET} in {' or '.join(self._files)}: put them "
                "there, or name another in AWS_PROFILE."
            )
        return None

    def _current(self) -> dict[str, str]:
        stamps = tuple(_stamp(file) for file in self._files)
        if stamps != self._read_at:
            self._values = self._read()
            self._read_at = stamps
        return self._values

    def _read(self) -> dict[str, str]:
        values: dict[str, str] = {}
        for file, section in zip(reversed(self._files), self._sections(), strict=True):
            parser = configparser.RawConfigParser(strict=False)
            try:
                parser.read(file, encoding="utf-8")
            except (configparser.Error, UnicodeDecodeError, OSError) as error:
                # The parser's own text repeats the line, which may hold the key.
                raise SettingsError([f"{file} cannot be read ({type(error).__name__}): look at its form."]) from None
            if parser.has_section(section):
                values.update(parser.items(section))
        return values

    def _sections(self) -> tuple[str, str]:
        return (self._name if self._name == "default" else f"profile {self._name}", self._name)


def _stamp(file: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _credential(key: str, secret: str, token: str | None, expires_at: datetime | None = None) -> S3Credential:
    return {"access_key_id": key, "secret_access_key": secret, "token": token, "expires_at": expires_at}
