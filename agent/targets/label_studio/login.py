"""How we are let in: by a legacy token as it is, or by access tokens that a personal access token gives.

Source: trials with Label Studio 1.23.2. A personal access token is a JSON Web Token that is refused itself; what it is
exchanged for holds for 300 s.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from typing import TYPE_CHECKING, Final

from agent.errors import AccessRefused, TryLater
from agent.targets.label_studio import NAME, answers

if TYPE_CHECKING:
    from collections.abc import Callable

_JWT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_SECONDS: Final = 300.0  # of an access token that does not say how long it holds
_EARLY: Final = 30.0


class Login:
    """Gives the header of each request. All methods may be called by any thread; one renews for all.

    `exchange` gives the answer to a body for the address that renews; `carry` is told of every new header, and first
    of all of the legacy token's. Raises what `carry` does.
    """

    def __init__(
        self,
        token: str,
        exchange: Callable[[bytes], object],
        carry: Callable[[str], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._token = token
        self._exchange = exchange
        self._carry = carry
        self._monotonic = monotonic
        self._renewing = threading.Lock()
        self._is_personal = _JWT.fullmatch(token) is not None
        self._header = "" if self._is_personal else f"Token {token}"
        self._good_until = 0.0
        if not self._is_personal:
            carry(self._header)

    def header(self) -> str:
        """Return the header that lets us in, renewed where it ends soon.

        Raises AccessRefused where the renewal is refused, and TryLater (`refused`: nothing was asked with it).
        """
        if self._is_personal:
            with self._renewing:
                if self._monotonic() >= self._good_until:
                    self._renew()
        return self._header

    def is_renewed(self, refused: str) -> bool:
        """Tell whether there is another header than this one, which was refused; ask for one where there can be.

        Raises as `header` does.
        """
        if not self._is_personal:
            return False
        with self._renewing:
            if self._header == refused:
                self._renew()
        return True

    def _renew(self) -> None:
        asked = self._monotonic()
        try:
            access = answers.text(self._exchange(json.dumps({"refresh": self._token}).encode()), "access")
            if not _JWT.fullmatch(access):
                raise answers.bad_reply("its access token is none")
        except AccessRefused as error:
            sentence = f"{NAME} refused to renew the access: is the personal access token in use still?"
            raise AccessRefused(f"{sentence} ({error})", code=error.code) from None
        except TryLater as error:
            raise error.of_another() from None
        seconds = _seconds_of(access)
        self._good_until = asked + max(seconds - _EARLY, seconds / 2)
        self._header = f"Bearer {access}"
        self._carry(self._header)


def _seconds_of(access: str) -> float:
    """Return for how long a token holds, as it says itself: by the difference, since clocks may differ."""
    part = access.split(".")[1]
    try:
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        seconds = float(claims["exp"] - claims["iat"])
    except (ValueError, TypeError, KeyError):
        return _SECONDS
    return min(max(seconds, 1.0), 86_400.0)
