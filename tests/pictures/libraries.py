"""Encoders that are libraries of Python: run as a script by the Python that has one, with its name and a list of jobs.

A job is the source, the file to make, and the options. It imports nothing of this project: that Python has none of it.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

Options = dict[str, Any]


def cv2(source: str, made: str, options: Options) -> None:
    """Write by OpenCV; the options are its IMWRITE_ flags, and `read`, one of its IMREAD_."""
    library = importlib.import_module("cv2")
    picture = library.imread(source, getattr(library, f"IMREAD_{options.pop('read', 'UNCHANGED')}"))
    flags = [number for name, value in options.items() for number in (getattr(library, f"IMWRITE_{name}"), value)]
    if not library.imwrite(made, picture, flags):
        sys.exit(f"OpenCV did not write {made} with {options}")


def pyvips(source: str, made: str, options: Options) -> None:
    """Write by libvips; the options are those of its savers, and `cast`, the colours to go to before."""
    picture = importlib.import_module("pyvips").Image.new_from_file(source)
    if cast := options.pop("cast", None):
        picture = picture.colourspace(cast)
    picture.write_to_file(made, **options)


def mozjpeg(source: str, made: str, options: Options) -> None:
    """Have mozjpeg code a JPEG anew, without loss."""
    optimize = importlib.import_module("mozjpeg_lossless_optimization").optimize
    Path(made).write_bytes(optimize(Path(source).read_bytes(), **options))


def main() -> None:
    """Do the jobs."""
    encode = {"cv2": cv2, "pyvips": pyvips, "mozjpeg": mozjpeg}[sys.argv[1]]
    for job in json.loads(Path(sys.argv[2]).read_text("utf-8")):
        encode(*job)


if __name__ == "__main__":
    main()
