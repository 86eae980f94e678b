#!/usr/bin/env bash
# A whole WebP may end in tens of thousands of zero bytes that are picture data.
#
# "Compressed data holds no long runs of zeros, so a file that ends in them was never written to its end" goes well for
# JPEG and PNG, and is wrong of lossy WebP: its arithmetic coder gives zeros for what is as expected, and a flat area
# (night, black border) at the bottom comes last. By libwebp's fastest method a picture whose lower half is black ends
# in zeros for a sixth of the file. So zeros at the end prove a cut only beside what the picture shows there.
#
# Seen with Pillow 13.0.0 (libwebp 1.6.0): a picture of 1920 x 1080, noise above and black below, quality 80
#   WebP {'method': 0}   225,840 bytes, of which the last 40,593 are zero (18.0%)
#   WebP {'method': 4}   167,022 bytes, of which the last    103 are zero (0.1%)
#   JPEG                 258,055 bytes, of which the last      0 are zero (0.0%)
#   PNG                1,831,624 bytes, of which the last      0 are zero (0.0%)
set -euo pipefail

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
trap 'exit 1' HUP INT TERM # what runs now ends first, and writes no more into it
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --no-cache-dir pillow==13.0.0

"$place/venv/bin/python" - <<'PYTHON'
import io
import random

from PIL import Image, ImageChops, ImageStat, features

WIDTH, HEIGHT = 1920, 1080
scene = Image.frombytes("RGB", (WIDTH // 8, HEIGHT // 8), random.Random(7).randbytes(WIDTH * HEIGHT * 3 // 64))
scene = scene.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
scene.paste((0, 0, 0), (0, HEIGHT // 2, WIDTH, HEIGHT))
bottom = (0, HEIGHT // 2 + 16, WIDTH, HEIGHT)

print(f"libwebp in Pillow: {features.version('webp')}")
tails = {}
for form, options in (("WebP", {"method": 0}), ("WebP", {"method": 4}), ("JPEG", {}), ("PNG", {})):
    file = io.BytesIO()
    scene.save(file, form, **({"quality": 80} | options if form != "PNG" else {}))
    content = file.getvalue()
    if form == "WebP":
        assert 8 + int.from_bytes(content[4:8], "little") == len(content)  # RIFF: no byte is missing, none too many
    with Image.open(io.BytesIO(content)) as picture:
        decoded = picture.convert("RGB")
    away = sum(ImageStat.Stat(ImageChops.difference(decoded, scene)).mean) / 3
    brightest = max(high for _, high in decoded.crop(bottom).getextrema())
    assert away < 8, away  # of 256 steps: it is the picture, above and below
    assert brightest <= 2, brightest
    zeros = len(content) - len(content.rstrip(b"\0"))
    tails[form, options.get("method")] = zeros, len(content)
    name = f"{form} {options or ''}".strip()
    print(f"{name:18} {len(content):9,} bytes, of which the last {zeros:6,} are zero ({zeros / len(content):.1%})")

zeros, size = tails["WebP", 0]
assert zeros > 10_000 and zeros * 10 > size, "changed: the fastest method gives no long tail of zeros"
assert tails["WebP", 4][0] >= 32, "changed: the usual method gives no tail of zeros"
assert tails["JPEG", None][0] == tails["PNG", None][0] == 0
PYTHON
