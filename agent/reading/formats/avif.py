"""AVIF: are the picture's items described, and all of them within the file? Small looks at any offset.

By ISO/IEC 14496-12 (boxes), ISO/IEC 23008-12 (items and their properties) and AOMedia's AV1 Image File Format. The
check takes a `Source` at offset 0 and returns a `Finding`. What is coded is AV1: its units (OBUs) say their lengths,
which must fill each coded item. Bytes behind the last item are fine. What no check without a decoder can see: changed
bytes within a unit, and a hole there that the file system does not show.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from agent.reading.formats.exif import MOST_BYTES, taken_in
from agent.reading.formats.isobmff import Box, Fields, boxes, header
from agent.reading.formats.source import BrokenError, Finding, animated, cut_short

if TYPE_CHECKING:
    from agent.model import Taken
    from agent.reading.formats.source import Source

_MOST_BOXES = 1000
_MOST_META = 4 * 1024 * 1024
_MOST_PLACES = 100_000
_MOST_UNITS = 10_000
_ZEROS = 16  # coded data does not end in so many: AV1 ends each tile with a bit that is set

_FRAMES = frozenset({3, 4, 6})  # AV1, 6.2.2: a frame header, a tile group, or both in one
# By quarter turns to the left (irot), then by how it is mirrored (imir: not, top to bottom, left to right), as EXIF has
# it: what libavif writes for each orientation.
_TURNS = {(0, None): 1, (1, None): 8, (2, None): 3, (3, None): 6, (0, 1): 2, (0, 0): 4, (1, 0): 5, (3, 0): 7}
_TURNS |= {(2, 0): 2, (2, 1): 4, (3, 1): 5, (1, 1): 7}


class _Place(NamedTuple):
    """Where bytes of an item lie: in the file, or in the box of items' own data (`inside`)."""

    inside: bool
    start: int
    length: int


class _Meta(NamedTuple):
    """What the box `meta` says: the first picture's item, the kinds of items, where they lie, and their properties."""

    primary: int
    kinds: dict[int, bytes]
    places: dict[int, list[_Place]]
    properties: dict[int, list[Box]]
    own: bytes


def check_avif(source: Source) -> Finding:
    """Find the items by `meta`; each must lie within the file, and those that are coded be units of AV1."""
    pixels: tuple[int, int] | None = None
    try:
        meta, film = _top(source)
        properties = meta.properties.get(meta.primary, [])
        pixels = _pixels(properties)
        _check_items(source, meta, film)
    except BrokenError as broken:
        return Finding(pixels, str(broken))
    return Finding(
        pixels,
        taken=_taken(source, meta),
        orientation=_orientation(properties),
        warnings=(animated("several", "AVIF"),) if film else (),
    )


def _top(source: Source) -> tuple[_Meta, int]:
    """Walk over the outermost boxes; return what `meta` says, and of a film where its data ends, else 0."""
    meta: _Meta | None = None
    has_tracks = False
    at = data_end = 0
    for _ in range(_MOST_BOXES):
        head = source.peek(16, at)
        if len(head) < 8 or not any(head):
            break
        kind, skip, length = header(head, source.size - at)
        if meta is not None and at + length > source.size and kind not in (b"mdat", b"moov"):
            break  # what follows the picture's own boxes is none
        if length < skip:
            raise BrokenError(f"damaged: the AVIF's box at byte {at:,} is none ({kind!r}); copy it again")
        if at + length > source.size:
            raise BrokenError(
                cut_short(f"the AVIF's box {kind!r} goes on to byte {at + length:,}, the file has {source.size:,}")
            )
        if kind == b"meta" and meta is None:
            if length > _MOST_META:
                raise BrokenError(f"damaged: the AVIF's description takes {length:,} bytes; save it again")
            meta = _meta(source.peek(length - skip, at + skip))
        at += length
        has_tracks = has_tracks or kind == b"moov"
        data_end = at if kind == b"mdat" else data_end
    if meta is None:
        raise BrokenError(cut_short("the AVIF has no description of a picture (meta)"))
    return meta, data_end if has_tracks else 0


def _meta(body: bytes) -> _Meta:
    found = {box.kind: box.body for box in boxes(body[4:])}
    primary = _primary(Fields(found.get(b"pitm", b"")))
    places = _places(Fields(found.get(b"iloc", b"")))
    properties = _properties(found.get(b"iprp", b""))
    return _Meta(primary, _kinds(found.get(b"iinf", b"")), places, properties, found.get(b"idat", b""))


def _primary(fields: Fields) -> int:
    version, _ = fields.full()
    return fields.number(4 if version else 2)


def _kinds(body: bytes) -> dict[int, bytes]:
    version, _ = Fields(body).full()
    found = {}
    for box in boxes(body[8 if version else 6 :]):
        fields = Fields(box.body)
        version, _ = fields.full()
        item = fields.number(4 if version == 3 else 2)
        fields.number(2)
        found[item] = fields.part(4)
    return found


def _places(fields: Fields) -> dict[int, list[_Place]]:
    """Read `iloc` (ISO/IEC 14496-12, 8.11.3): for each item where its parts lie, one of length 0 being all there is."""
    version, _ = fields.full()
    sizes = fields.number(2)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    wide = 4 if version == 2 else 2
    found: dict[int, list[_Place]] = {}
    left = _MOST_PLACES
    for _ in range(fields.number(wide)):
        item = fields.number(wide)
        how = fields.number(2) & 15 if version else 0
        if fields.number(2) or how > 1:
            raise BrokenError("damaged: a part of the AVIF's picture lies in another file; save it again")
        base = fields.number(base_size)
        parts = found.setdefault(item, [])
        for _ in range(fields.number(2)):
            left -= 1
            if not left:
                raise BrokenError(f"damaged: more than {_MOST_PLACES:,} parts in the AVIF; save it again")
            fields.number(index_size if version else 0)
            parts.append(_Place(how == 1, base + fields.number(offset_size), fields.number(length_size)))
    return found


def _properties(body: bytes) -> dict[int, list[Box]]:
    """Read `iprp`: the properties, and (`ipma`) which item has which of them, counted from 1."""
    found: dict[int, list[Box]] = {}
    inner = {box.kind: box.body for box in boxes(body)}
    every = [*boxes(inner.get(b"ipco", b""))]
    fields = Fields(inner.get(b"ipma", b""))
    version, flags = fields.full()
    for _ in range(fields.number(4)):
        item = fields.number(4 if version else 2)
        for _ in range(fields.number(1)):
            index = fields.number(2) & 0x7FFF if flags & 1 else fields.number(1) & 0x7F
            if 0 < index <= len(every):
                found.setdefault(item, []).append(every[index - 1])
    return found


def _pixels(properties: list[Box]) -> tuple[int, int]:
    body = next((box.body for box in properties if box.kind == b"ispe"), b"")
    width, height = int.from_bytes(body[4:8]), int.from_bytes(body[8:12])
    if not width or not height:
        raise BrokenError("damaged: the AVIF gives its picture no size; copy it again")
    return width, height


def _orientation(properties: list[Box]) -> int:
    turns = next((box.body[0] & 3 for box in properties if box.kind == b"irot" and box.body), 0)
    mirror = next((box.body[0] & 1 for box in properties if box.kind == b"imir" and box.body), None)
    return _TURNS[turns, mirror]


def _check_items(source: Source, meta: _Meta, film: int) -> None:
    coded = [item for item, kind in meta.kinds.items() if kind == b"av01"]
    if meta.primary not in meta.kinds or not any(meta.places.get(item) for item in coded):
        raise BrokenError("damaged: the AVIF holds no picture data; copy it again")
    source.drain()
    for parts in meta.places.values():
        for part in parts:
            end, whole = part.start + part.length, len(meta.own) if part.inside else source.size
            if end > whole or (not part.length and part.start >= whole):
                raise BrokenError(cut_short(f"the AVIF's picture data goes on to byte {end:,} of {whole:,}"))
    for item in coded:
        for part in meta.places.get(item, ()):
            _check_written(source, part)
        if len(meta.places.get(item, ())) == 1:
            _check_units(source, meta.places[item][0])
    if source.content_end <= film - _ZEROS:
        raise BrokenError(_unfilled())


def _check_written(source: Source, part: _Place) -> None:
    if part.inside:
        return
    end = part.start + part.length if part.length else source.size
    if part.length >= _ZEROS and not any(source.peek(_ZEROS, end - _ZEROS)):
        raise BrokenError(_unfilled())
    hole = next(source.holes(part.start, end), None)
    if hole is not None:
        raise BrokenError(cut_short(f"bytes {hole[0]:,} to {hole[1]:,} of the AVIF's picture were never written"))


def _unfilled() -> str:
    return cut_short("the AVIF's picture data ends in zeros, as where space was reserved and never filled")


def _check_units(source: Source, part: _Place) -> None:
    """Step over the units of a coded item (AV1, 5.3): one of a frame must be among them, and the last one fits."""
    if part.inside or not part.length:
        return
    at, end = part.start, part.start + part.length
    kinds = set()
    for _ in range(_MOST_UNITS):
        if at >= end:
            break
        head = source.peek(10, at)
        kinds.add(head[0] >> 3 & 15)
        extended, sized = head[0] >> 2 & 1, head[0] >> 1 & 1
        size, taken = _leb128(head[1 + extended :]) if sized else (end - at - 1 - extended, 0)
        at += 1 + extended + taken + size
    if at != end or not kinds & _FRAMES:
        raise BrokenError("damaged: the AVIF's picture data is no AV1; copy it again")


def _leb128(data: bytes) -> tuple[int, int]:
    """Return a number (AV1, 4.10.5) and how many bytes it takes, 8 at most."""
    value = 0
    for place, byte in enumerate(data[:8]):
        value |= (byte & 0x7F) << 7 * place
        if not byte & 0x80:
            return value, place + 1
    return value, 8


def _taken(source: Source, meta: _Meta) -> Taken | None:
    """Return when it was taken by the EXIF item: four bytes say where in it the TIFF structure begins."""
    item = next((item for item, kind in meta.kinds.items() if kind == b"Exif"), None)
    parts = meta.places.get(item, []) if item is not None else []
    if len(parts) != 1 or parts[0].inside:
        return None
    exif = source.peek(min(parts[0].length, MOST_BYTES), parts[0].start)
    return taken_in(exif[4 + int.from_bytes(exif[:4]) :])
