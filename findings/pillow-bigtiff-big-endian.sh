#!/usr/bin/env bash
# Pillow 13.0.0 opens no big-endian BigTIFF: it takes the file for a TIFF of its own by the first four bytes, warns of
# corrupt EXIF data, of which there is none, and ends in UnidentifiedImageError.
#
# It opens the three other kinds, and has the beginning of the fourth (`MM`, 0, 43) in its list of what it accepts. So
# neither a look at the first bytes nor one at that list tells that such a file cannot be opened, and the warning sends
# whoever reads it to the wrong place. `tiffcp -8 -B` of libtiff writes such files, too.
#
# Seen with Pillow 13.0.0 (libtiff 4.7.2); the files are written, and read to compare, by tifffile 2026.3.3:
#   II, TIFF:    accepted by its first bytes, loads
#   II, BigTIFF: accepted by its first bytes, loads
#   MM, TIFF:    accepted by its first bytes, loads
#   MM, BigTIFF: accepted by its first bytes, UnidentifiedImageError, 'Corrupt EXIF data'
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
trap 'exit 1' HUP INT TERM # what runs now ends first, and writes no more into it
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-cache-dir pillow==13.0.0 tifffile==2026.3.3 numpy==2.4.6

"$place/venv/bin/python" - <<'PYTHON'
import io
import sys
import warnings

import numpy
import tifffile
from PIL import Image, TiffImagePlugin, features

pixels = numpy.arange(48 * 64 * 3, dtype=numpy.uint8).reshape(48, 64, 3)


def opened(content):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            with Image.open(io.BytesIO(content)) as picture:
                return "loads" if numpy.array_equal(numpy.asarray(picture), pixels) else "other pixels"
        except Image.UnidentifiedImageError as error:
            words = sorted({str(each.message).partition(".")[0] for each in told})
            return ", ".join([type(error).__name__, *map(repr, words)])


print(f"Pillow {Image.__version__} (libtiff {features.version('libtiff')})")
seen = {}
for order, mark in (("<", "II"), (">", "MM")):
    for is_big, kind in ((False, "TIFF"), (True, "BigTIFF")):
        file = io.BytesIO()
        tifffile.imwrite(file, pixels, byteorder=order, bigtiff=is_big, photometric="rgb")
        content = file.getvalue()
        assert numpy.array_equal(tifffile.imread(io.BytesIO(content)), pixels)
        is_accepted = content.startswith(tuple(TiffImagePlugin.PREFIXES))
        seen[mark, kind] = is_accepted, opened(content)
        told = "accepted by its first bytes" if is_accepted else "not accepted by its first bytes"
        print(f"  {f'{mark}, {kind}:':12} {told}, {seen[mark, kind][1]}")
refused = seen.pop(("MM", "BigTIFF"))
is_so = refused == (True, "UnidentifiedImageError, 'Corrupt EXIF data'") and set(seen.values()) == {(True, "loads")}
sys.exit(0 if is_so else "this has changed")
PYTHON
