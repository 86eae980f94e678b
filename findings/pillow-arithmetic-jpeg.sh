#!/usr/bin/env bash
# Pillow 13.0.0 calls a whole JPEG a "broken data stream" where it is arithmetic-coded and above 64 KiB; with a larger
# ImageFile.MAXBLOCK the same file loads.
#
# Arithmetic coding (ITU-T T.81, SOF9) is part of the libjpeg-turbo in Pillow's wheels, and small files load. Pillow
# hands files to its decoders in blocks of ImageFile.MAXBLOCK bytes (65,536); libjpeg's Huffman decoder can stop in the
# middle of a block and wait for the next, its arithmetic decoder cannot. So the error says nothing of the file.
#
# Seen with Pillow 13.0.0 (libjpeg-turbo 3.2.0); the files are written, and read to compare, by jpeglib 1.0.2 (2.1.0):
#    62,303 bytes: loads; with MAXBLOCK as large: loads
#    69,198 bytes: broken data stream when reading image file; with MAXBLOCK as large: loads
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
trap 'exit 1' HUP INT TERM # what runs now ends first, and writes no more into it
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-cache-dir pillow==13.0.0 jpeglib==1.0.2 numpy==2.4.6

cd "$place"
venv/bin/python - <<'PYTHON'
from pathlib import Path

import jpeglib
import numpy
from PIL import Image, ImageFile, features

jpeglib.version.set("turbo210")
noise = numpy.random.default_rng(1).integers(0, 256, (320, 320, 3), dtype=numpy.uint8)


def load(name: str) -> str:
    try:
        with Image.open(name) as picture:
            picture.load()
            pixels = numpy.asarray(picture.convert("RGB")).astype(int)
    except OSError as error:
        return str(error)
    away = numpy.abs(pixels - jpeglib.read_spatial(name).spatial)
    return "loads" if away.max() <= 2 else f"loads, but up to {away.max()} steps away from jpeglib's pixels"


print(f"libjpeg-turbo in Pillow: {features.version('libjpeg_turbo')}; MAXBLOCK: {ImageFile.MAXBLOCK:,}")
whole = ImageFile.MAXBLOCK
for rows in range(32, 321, 32):
    name = f"{rows}.jpg"
    jpeglib.from_spatial(noise[:rows]).write_spatial(name, qt=85, flags=["+ARITH_CODE"])
    content = Path(name).read_bytes()
    assert b"\xff\xc9" in content  # SOF9: sequential, arithmetic
    ImageFile.MAXBLOCK = whole
    first = load(name)
    ImageFile.MAXBLOCK = len(content)
    second = load(name)
    print(f"{len(content):7,} bytes: {first}; with MAXBLOCK as large: {second}")
    expected = "loads" if len(content) <= whole else "broken data stream when reading image file"
    assert first == expected, "changed: which files load"
    assert second == "loads", "changed: a larger MAXBLOCK does not help"
PYTHON
