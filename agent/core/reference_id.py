"""A unit → the reference_id under which Playment knows it, the same on every run and host. Pure."""

from __future__ import annotations

import re

from agent.model import basename, parent

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
