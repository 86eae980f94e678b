"""A unit → the reference_id under which the target knows it, the same on every run and host. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from agent.model import basename, join, parent

FIELDS = ("path", "digest", "name", "stem", "folder", "host")
"""What a template may name in braces."""

DIGEST_DIGITS = 12
"""How many hex digits of a digest an id holds: 48 bits, enough to tell contents at one path apart."""

_FIELD = re.compile(r"\{(" + "|".join(FIELDS) + r")\}")


def reference_id(template: str, *, path: str, digest: str, host: str) -> str:
    """Return `template` with its fields filled in for the unit at `path` with the sha256 `digest` in hex.

    `{path}` is the whole path, `{folder}` what stands before its last slash ('' where there is none), `{name}` what
    stands behind it, `{stem}` the name without its extension, `{digest}` the digest's first 12 digits, `{host}` the
    host's name. Each field is filled in once and as it is: braces in a path mean nothing.
    """
    name = basename(path)
    values = {
        "path": path,
        "digest": digest[:DIGEST_DIGITS],
        "name": name,
        "stem": name.rpartition(".")[0] or name,
        "folder": parent(path),
        "host": host,
    }
    return _FIELD.sub(lambda found: values[found[1]], template)


class Named(NamedTuple):
    """What an id says of its unit: the path, and how the digest begins; None where the template holds none."""

    path: str | None
    digest: str | None


class IdReader:
    """Reads ids that a template has made on the host: the other way round than `reference_id`.

    A template without `{host}` tells nobody's ids from another host's.
    """

    def __init__(self, template: str, host: str) -> None:
        self._template = template
        self._host = host

    def read(self, text: str) -> list[Named]:
        """Return what an id may say, the likeliest first; nothing where the template cannot have made it.

        Without a digest in the template there may be one behind the id: that of other content at the path.
        """
        found = self._named(text)
        if "{digest}" not in self._template and (second := _SECOND.fullmatch(text)):
            return [*self._named(second["first"], second["digest"]), *found]
        return found

    def _named(self, text: str, digest: str | None = None) -> list[Named]:
        match = self._pattern.fullmatch(text)
        if match is None:
            return []
        fields = match.groupdict()
        path = fields.get("path")
        if path is None and "{folder}/{name}" in self._template:
            path = join(fields["folder"], fields["name"])
        return [Named(path, fields.get("digest", digest))]

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        parts = {**_PARTS, "host": re.escape(self._host)}
        pattern, end = "", 0
        seen: set[str] = set()
        for field in _FIELD.finditer(self._template):
            name = field[1]
            pattern += re.escape(self._template[end : field.start()])
            pattern += f"(?P={name})" if name in seen else f"(?P<{name}>{parts[name]})"
            seen.add(name)
            end = field.end()
        return re.compile(pattern + re.escape(self._template[end:]), re.DOTALL)


_DIGEST = f"[0-9a-f]{{{DIGEST_DIGITS}}}"
_PARTS = {"path": ".+", "digest": _DIGEST, "name": "[^/]+", "stem": "[^/]+", "folder": ".*"}
_SECOND = re.compile(f"(?P<first>.+)~(?P<digest>{_DIGEST})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class IdRules:
    """The settings that bear on a plan: the template of reference ids, the name of this host, and the jobs' tag.

    Without a `tag` any will do.
    """

    template: str
    host: str
    tag: str | None = None

    @property
    def reader(self) -> IdReader:
        """What reads such ids."""
        return IdReader(self.template, self.host)

    def reference_ids(self, path: str, digest: str) -> tuple[str, ...]:
        """Return the ids to try in order: a template without a digest has a second one, for other content there."""
        first = reference_id(self.template, path=path, digest=digest, host=self.host)
        return (first,) if "{digest}" in self.template else (first, f"{first}~{digest[:DIGEST_DIGITS]}")
