"""Is this open file a whole image? Its digest, format and size, in one read. I/O.

"Whole" means proved: of one of our formats by its first bytes, with the end that its format calls for. The check of
each format is a module of `formats`; only what these find doubtful is decoded.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from agent.core.foreign_formats import HAVE_KIN, RAW_BYTES, foreign_picture, foreign_within, no_picture
from agent.core.image_format import HEAD_BYTES, extension_of, format_named, format_of
from agent.core.image_rules import USUAL_RULES, listed
from agent.errors import FileChanged
from agent.model import Image, Stamp
from agent.reading.formats import check_of
from agent.reading.formats.source import Finding, Source, cut_short

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.core.image_rules import ImageRules

    Decode = Callable[[Source, str, Finding, ImageRules], str | None]

_SMALLEST = 26  # bytes: the headers of a BMP of the oldest kind


def decoded(source: Source, form: str, finding: Finding, rules: ImageRules) -> str | None:
    """Return the problem's sentence of a picture that `decode` is asked about, or None where it is whole."""
    from agent.reading.decode import problem_of  # noqa: PLC0415 - Pillow takes 4 MiB, and few worker processes decode

    return problem_of(source, form, finding, rules)


def examine(fd: int, name: str, stamp: Stamp, decode: Decode = decoded, rules: ImageRules = USUAL_RULES) -> Image:
    """Read the open regular file `fd`, which looked like `stamp` before, once and tell whether it is a whole image.

    `name` serves only to compare its extension with the content (a difference is a `warning`); nothing is opened by
    it. `digest` covers all bytes, `pixels` comes from the header, `problem` is None where the image is whole. May be
    called in several threads; memory is half a MiB but for doubtful files, which are decoded one at a time:
    `decode` gives the problem's sentence, or None; where `rules` have it so, it is asked about all. A whole picture of
    a format that `rules` does not send is no problem here: its `format` says so.

    Not to be known: most holes in raw pixels, and some of their zero tails (`formats.zero_tail`); holes in what a
    TIFF's codings do not prove. An uncompressed picture that is all black is refused: its sentence says what to do.

    Raises `FileChanged` if the file has another size or was replaced since then; `OSError` if not all of it can be
    read. Where only its times are others, the image says so (`moved`): it was written or touched, or its file system
    moves the times of what is read.
    """
    source = Source(fd, stamp.size)
    head = source.peek(HEAD_BYTES, 0)
    form = format_of(head)
    finding = _found(source, form) if form else Finding(problem=_foreign(head, stamp.size, rules))
    source.drain()
    if finding.pixels and (too_large := rules.why_too_large(finding.pixels)):
        finding = Finding(finding.pixels, too_large)
    problem = finding.problem
    if form and not problem and (finding.doubt or rules.decodes):
        problem = decode(source, form, finding, rules)
    moved = _moved(stamp, os.fstat(fd), name)
    if source.read < stamp.size:  # that is not where the file ends
        raise OSError(errno.EIO, f"only {source.read:,} of {stamp.size:,} bytes came")
    if not stamp.size:
        problem = "empty file: 0 bytes; copy it again"
    warning = _mismatch(form, name)
    if finding.warnings:
        warning = "; ".join(filter(None, (warning, *finding.warnings)))
    return Image(source.digest(), form, finding.pixels, problem, warning, finding.taken, moved, finding.orientation)


def _found(source: Source, form: str) -> Finding:
    foreign = foreign_within(form, source.peek(RAW_BYTES, 0)) if form in HAVE_KIN else None
    return Finding(problem=foreign.sentence) if foreign else check_of(form)(source)


def _moved(before: Stamp, status: os.stat_result, name: str) -> Stamp | None:
    """Return how a file looks, where only its times are not as before; None where all is. Raises FileChanged."""
    if before.is_of(status):
        return None
    now = Stamp.of(status)
    moved = before._replace(mtime_ns=now.mtime_ns, ctime_ns=now.ctime_ns)
    if not moved.is_like(now):
        raise FileChanged(changed_while_read(name))
    return moved


def changed_while_read(name: str) -> str:
    """Return the sentence for a file that is to be read again."""
    return f"{name!r} changed while it was read; it is looked at again once it is quiet"


def _foreign(head: bytes, size: int, rules: ImageRules) -> str:
    """Say what a file is that has none of our first bytes."""
    if not any(head):
        return cut_short("it begins with zeros, as where space was reserved and never filled")
    picture = foreign_picture(head)
    if picture is not None:
        return picture.sentence
    kind, advice = no_picture(head) or ("", "")
    if not kind and size < _SMALLEST:
        return cut_short(f"only {size} bytes")
    begins = f"it begins like {kind} ({head[:8]!r})" if kind else f"it begins with {head[:8]!r}"
    allowed = f"allowed are {listed(rules.named)}"
    return f"not an image: {'; '.join(filter(None, (begins, advice, allowed)))}"


def _mismatch(form: str | None, name: str) -> str | None:
    extension = extension_of(name)
    expected = format_named(extension)
    if form is None or expected in (None, form):
        return None
    return f"it is a {form} although its name ends in .{extension}"
