"""How cameras, data sets and tools name frames: what is sent in order, what is held, and what EXIF alone can tell.

Each scheme gives its names in the order in which they were taken.
"""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.reading import names_of, one_by_one, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Verdict(StrEnum):
    """What becomes of a folder: in order and sent, held, or held where its frames have EXIF times."""

    RIGHT = "right"
    HELD = "held"
    HELD_WITH_EXIF = "held-only-with-EXIF"


class Scheme(NamedTuple):
    what: str
    verdict: Verdict
    names: list[str]


RIGHT, HELD, HELD_WITH_EXIF = Verdict
CLOCK_12 = "Screenshot %Y-%m-%d at %I.%M.%S %p.png"
LATE = datetime(2024, 1, 31, 23, 58, 30, tzinfo=UTC)


def times(count: int, step: float, form: str, start: datetime = LATE) -> list[str]:
    """Return names by strftime, so many seconds apart."""
    return [(start + timedelta(seconds=step * number)).strftime(form) for number in range(count)]


def frames(form: str, numbers: Iterable[int] = range(1, 31)) -> list[str]:
    """Return names by a form of printf."""
    return [form % number for number in numbers]


def nested(form: str, outer: Iterable[int], inner: Iterable[int]) -> list[str]:
    return [form % (one, other) for one in outer for other in inner]


def floats(step: float = 1 / 30, count: int = 200, start: float = 1_700_000_000.1) -> list[str]:
    return [str(round(start + number * step, 7)) for number in range(count)]


def shots() -> Iterator[str]:
    """Yield names of one pattern that a camera wrote on the last day of a month and the next."""
    yield from times(20, 7, "IMG_%Y%m%d_%H%M%S.jpg")


RIGHT_SCHEMES = {
    "KITTI raw": frames("%010d.png", range(154)),
    "KITTI odometry": frames("%06d.png", range(1101)),
    "KITTI flow 2015, pairs": nested("%06d_%02d.png", range(20), (10, 11)),
    "KITTI multi-view": nested("%06d_%02d.png", range(3), range(21)),
    "TUM RGB-D": [f"{1305031102 + n // 30}.{175304 + n % 30 * 27000:06d}.png" for n in range(90)],
    "EuRoC MAV": [f"{1403636579763555584 + n * 50_000_000}.png" for n in range(40)],
    "ROS image_view": frames("frame%04d.jpg", range(9990, 10010)),
    "ROS bag export, seconds and padded nanoseconds": [
        f"{1700000000 + n // 3}-{n % 3 * 333333333:09d}.png" for n in range(30)
    ],
    "ROS seconds and bare nanoseconds": [
        f"{1700000000 + n // 10}.{n % 10 * 100_000_000 + n * 137 + 10}.png" for n in range(60)
    ],
    "nuScenes": [
        f"n015-2018-07-24-11-22-45+0800__CAM_FRONT__{1532402927612460 + n * 500_000 + n * n % 977}.jpg"
        for n in range(40)
    ],
    "nuScenes, several logs": [
        f"n015-2018-07-{day}-11-22-45+0800__CAM_FRONT__{1532402927612460 + day * 86_400_000_000 + n * 500_000}.jpg"
        for day in range(24, 28)
        for n in range(10)
    ],
    "Waymo frames": [f"{1550083467346370 + n * 99_995}.jpg" for n in range(50)],
    "Waymo segment": frames(
        "segment-10203656353524179475_7625_000_7645_000_with_camera_labels_FRONT_%04d.jpg", range(198)
    ),
    "ffmpeg %d": frames("out%d.png", range(1, 1200)),
    "ffmpeg %04d past its width": frames("%04d.jpg", range(9980, 10020)),
    "DJI 0999 to 1000": frames("DJI_%04d.JPG", range(990, 1010)),
    "DJI with date": [f"DJI_{stamp}_{n:04d}_V.JPG" for n, stamp in enumerate(times(30, 3, "%Y%m%d%H%M%S"), 980)],
    "GoPro": frames("GOPR%04d.JPG", range(8120, 8180)),
    "GoPro time lapse": frames("G%07d.JPG", range(19_970, 20_030)),
    "iPhone": frames("IMG_%04d.JPG", range(4711, 4760)),
    "Sony": frames("DSC%05d.JPG", range(95, 130)),
    "Sony burst": [f"DSC_{n:04d}_BURST20230813092638111.jpg" for n in range(1, 31)],
    "Canon with folder number": [f"{100 + n // 9999}-{n % 9999 + 1:04d}.JPG" for n in range(9980, 10020)],
    "Android": [*shots()],
    "Pixel": [f"PXL_{stamp}{n * 37 % 1000:03d}.jpg" for n, stamp in enumerate(times(20, 1, "%Y%m%d_%H%M%S"))],
    "Pixel, several kinds": [
        f"PXL_{stamp}{n * 37 % 1000:03d}{('', '.MP', '.NIGHT')[n % 3]}.jpg"
        for n, stamp in enumerate(times(40, 3, "%Y%m%d_%H%M%S", LATE))
    ],
    "Huawei burst": [
        "IMG_20240101_120000_BURST001_COVER.jpg",
        *frames("IMG_20240101_120000_BURST%03d.jpg", range(2, 12)),
    ],
    "Windows camera": times(30, 2, "WIN_%Y%m%d_%H_%M_%S_Pro.jpg"),
    "counter and time": [f"cam_{n:04d}_{1_700_000_000_123 + n * 33}.jpg" for n in range(30)],
    "time and counter": [f"{1_700_000_000_123 + n * 33}_{n:04d}.jpg" for n in range(30)],
    "Dropbox camera uploads": ["2024-01-01 12.00.00.jpg", "2024-01-01 12.00.00-1.jpg", "2024-01-01 12.00.01.jpg"],
    "AOSP camera, two in a second": [
        "IMG_20240101_120000.jpg",
        "IMG_20240101_120000_1.jpg",
        "IMG_20240101_120000_2.jpg",
        "IMG_20240101_120001.jpg",
    ],
    "Open Camera, two in a second": [
        "IMG_20231115_170430.jpg",
        "IMG_20231115_170431.jpg",
        "IMG_20231115_170431 (1).jpg",
        "IMG_20231115_170432.jpg",
    ],
    "Samsung, two in a second": [
        "20240101_120000.jpg",
        "20240101_120000(0).jpg",
        "20240101_120000(1).jpg",
        "20240101_120001.jpg",
    ],
    "GNOME screenshots": [
        "Screenshot from 2024-01-01 12-00-00.png",
        "Screenshot from 2024-01-01 12-00-00-1.png",
        "Screenshot from 2024-01-01 12-00-01.png",
    ],
    "macOS screenshots, 24 hours": times(12, 600, "Screenshot %Y-%m-%d at %H.%M.%S.png"),
    "macOS screenshots, one hour of 12": times(12, 60, CLOCK_12, datetime(2024, 1, 1, 15, 2, tzinfo=UTC)),
    "macOS screenshots, before and after noon": times(12, 600, CLOCK_12, datetime(2024, 1, 1, 11, 2, tzinfo=UTC)),
    "VLC snapshots": [f"vlcsnap-2024-01-01-12h{n:02d}m30s123.png" for n in range(30)],
    "mpv": frames("mpv-shot%04d.jpg"),
    "Explorer's new names": frames("frame (%d).jpg", range(1, 120)),
    "WhatsApp": frames("IMG-20240101-WA%04d.jpg"),
    "Cityscapes": [f"aachen_{n:06d}_000019_leftImg8bit.png" for n in range(174)],
    "Cityscapes sequences": nested("bochum_%06d_%06d_leftImg8bit.png", range(4), range(30)),
    "BDD tracking": frames("b1c66a42-6f7d68ca-%07d.jpg", range(1, 203)),
    "COCO": [f"{n:012d}.jpg" for n in (139, 285, 632, 724, 776, 785, 802, 872, 885, 1000)],
    "COCO 2014": [f"COCO_val2014_{n:012d}.jpg" for n in (42, 73, 74, 133, 136, 139, 143, 164)],
    "MOT": frames("%06d.jpg", range(1, 601)),
    "DAVIS": frames("%05d.jpg", range(80)),
    "YouTube-VOS, every fifth": frames("%05d.jpg", range(0, 180, 5)),
    "A2D2": [f"20180807145028_camera_frontcenter_{n:09d}.png" for n in range(91, 180)],
    "ApolloScape": [f"170908_{61502408 + n * 133:09d}_Camera_5.jpg" for n in range(40)],
    "Argoverse": [f"ring_front_center_{315975640448534784 + n * 33_333_333}.jpg" for n in range(40)],
    "Oxford RobotCar": [f"{1399381446204705 + n * 62_500}.png" for n in range(40)],
    "Lyft": [f"host-a004_cam0_{1233947108297817786 + n * 200_000_000}.jpeg" for n in range(40)],
    "CARLA": frames("%08d.png", range(12, 400, 4)),
    "AirSim": [f"img_SimpleFlight_0_0_{1700000000123456789 + n * 33_000_000}.png" for n in range(30)],
    "Blender, from before zero": [f"{n:05d}.png" if n < 0 else f"{n:04d}.png" for n in range(-3, 12)],
    "After Effects": frames("Comp 1_%05d.png", range(120)),
    "Unity recorder": frames("image_001_%04d.png", range(120)),
    "Raspberry Pi": frames("image%d.jpg", range(1, 130)),
    "Hikvision": [
        f"192.168.1.64_01_{stamp}{n * 11 % 1000:03d}_TIMING.jpg" for n, stamp in enumerate(times(90, 1, "%Y%m%d%H%M%S"))
    ],
    "Axis": [f"image{stamp}-{n % 2 * 50:02d}.jpg" for n, stamp in enumerate(times(60, 0.5, "%y-%m-%d_%H-%M-%S"))],
    "motion": [f"01-{stamp}-{n % 2:02d}.jpg" for n, stamp in enumerate(times(60, 0.5, "%Y%m%d%H%M%S"))],
    "ZoneMinder": frames("%05d-capture.jpg"),
    "Frigate": [f"front-{1700000000 + n}.{n * 7919 % 999983 + 1}-{'k3j9x1a7'[n % 5 :]}.jpg" for n in range(40)],
    "trail camera": frames("RCNX%04d.JPG"),
    "time of day with date": times(150, 1, "%Y%m%d-%H%M%S.jpg"),
    "year, month, day with dots": times(60, 86_400, "%Y.%m.%d.jpg"),
    "ISO 8601, whole seconds without a fraction": [
        (LATE + timedelta(milliseconds=250 * n)).replace(tzinfo=None).isoformat().replace(":", "-") + ".jpg"
        for n in range(20)
    ],
    "RFC 3339 of Go": [
        f"2024-01-01T12-00-{n // 8:02d}{f'{n % 8 / 8:.3f}'.lstrip('0').rstrip('0').rstrip('.')}Z.jpg" for n in range(40)
    ],
    "Java's instants, groups of three digits": [
        f"2024-01-01T12-00-00.{text}Z.jpg" for text in ("100", "100050", "200", "200070", "300", "300090", "400")
    ],
    "float seconds": [f"{text}.jpg" for text in floats()],
    "float seconds, rounded": [f"{round(1_700_000_000 + n / 25, 3)}.jpg" for n in range(90)],
    "float seconds behind a name": [f"cam_front_{text}.png" for text in floats(0.1, 60)],
    "float seconds, the point an underscore": [f"{text.replace('.', '_')}.jpg" for text in floats()],
    "float seconds, the point a comma": [f"{text.replace('.', ',')}.jpg" for text in floats()],
    "float seconds, two of them": ["1700000000.25.jpg", "1700000000.5.jpg"],
    "JavaScript's seconds": [
        f"{json.dumps(n / 8).removesuffix('.0')}.jpg" for n in range(13_600_000_000, 13_600_000_040)
    ],
    "float seconds from zero": [f"frame_{n * 0.05:.12g}.png" for n in range(60)],
    "float seconds, not rounded": [f"{n * 0.1}.png" for n in range(40)],
    "seconds with two decimals": [f"t_{n / 30:.2f}.jpg" for n in range(60)],
    "version-like": [f"v1.{n}.jpg" for n in range(1, 13)],
    "version-like, with gaps": [f"v1.{n}.jpg" for n in (1, 2, 3, 9, 11, 12)],
    "counter with dots": [f"cam.1.{n}.jpg" for n in range(1, 25)],
    "three numbers with dots": [f"1.{a}.{b}.jpg" for a in range(1, 3) for b in range(1, 13)],
    "chapter and frame": [f"{a}.{b}.jpg" for a in range(1, 4) for b in range(1, 25)],
    "signed counter": [f"t{n}.jpg" for n in range(-12, 10)],
    "signed counter with a plus": [f"t{n:+d}.jpg" for n in range(-12, 10)],
    "hexadecimal": [f"img_{n:x}.png" for n in range(1, 300)],
    "hexadecimal, padded": [f"{n:04x}.png" for n in range(0, 4000, 16)],
    "full-width digits": ["".join(chr(0xFF10 + int(digit)) for digit in str(n)) + ".jpg" for n in range(1, 25)],
    "circled digits": [f"\u56fe{chr(0x2460 + n)}.jpg" for n in range(9)],
    "superscript digits": ["x\u00b9.jpg", "x\u00b2.jpg", "x\u00b3.jpg"],
    "Arabic digits": ["".join(chr(0x660 + int(digit)) for digit in str(n)) + ".jpg" for n in range(1, 25)],
    "letters": [f"frame_{letter}.jpg" for letter in "abcdefgh"],
    "letters of split": [f"x{a}{b}.jpg" for a in "ab" for b in "abcdefghijklmnopqrstuvwxyz"],
    "two formats": [f"{n:04d}.{'jpg' if n % 3 else 'png'}" for n in range(30)],
    "two cases": [f"{'IMG' if n % 2 else 'img'}_{n:04d}.{'JPG' if n % 3 else 'jpg'}" for n in range(30)],
    "flags behind the number": [f"{n:06d}_{'IPPB'[n % 4]}.jpg" for n in range(30)],
    "number, then a word": [f"{n:03d} {word}.jpg" for n, word in enumerate(("start", "turn left", "stop", "go on"), 1)],
    "day, then night": [*frames("day_%04d.jpg", range(1, 20)), *frames("night_%04d.jpg", range(20, 40))],
    "downloads of one page": ["snapshot.jpg", *frames("snapshot (%d).jpg", range(1, 14))],
    "one name and numbers behind it": ["image.png", *frames("image-%d.png", range(1, 14))],
    "umlauts": frames("Auffahrt_\u00e4_%03d.jpg"),
    "one frame": ["frame.jpg"],
    "two frames": ["1.jpg", "2.jpg"],
}

NFD = unicodedata.normalize("NFD", "Auffahrt_\u00e4_")

HELD_SCHEMES = {
    "a counter that begins again": [*frames("IMG_%04d.JPG", range(9990, 10000)), *frames("IMG_%04d.JPG", range(1, 20))],
    "two frames of it": ["IMG_9999.JPG", "IMG_0001.JPG"],
    "Sony's": [*frames("DSC%05d.JPG", range(9990, 10000)), *frames("DSC%05d.JPG", range(1, 5))],
    "DJI's at 999": [*frames("DJI_%04d.JPG", range(990, 1000)), *frames("DJI_%04d.JPG", range(1, 40))],
    "a counter of 16 bits": [
        *frames("block_%d.raw.png", range(65_500, 65_536)),
        *frames("block_%d.raw.png", range(1, 90)),
    ],
    "times of day past midnight": ["235957.jpg", "235958.jpg", "235959.jpg", "000000.jpg", "000001.jpg", "000002.jpg"],
    "a 12-hour clock": ["125958.jpg", "125959.jpg", "010000.jpg", "010001.jpg", "010002.jpg"],
    "a 12-hour clock with am and pm": times(9, 1200, CLOCK_12, datetime(2024, 1, 1, 11, 2, tzinfo=UTC)),
    "day, month, year": times(9, 86_400, "%d-%m-%Y_%H-%M-%S.jpg"),
    "day, month, year with dots": times(9, 86_400, "Foto %d.%m.%Y.jpg"),
    "day, month, year in one": times(9, 86_400, "%d%m%Y_%H%M%S.jpg"),
    "month, day, year over two years": times(9, 86_400, "%m-%d-%Y.jpg", datetime(2023, 12, 28, tzinfo=UTC)),
    "months by name": times(9, 86_400, "%d-%b-%Y_%H%M%S.jpg"),
    "months by name, the year first": times(9, 86_400, "%Y-%b-%d.jpg"),
    "aria2": ["frame_001.jpg", "frame_001.1.jpg", "frame_002.jpg", "frame_003.jpg"],
    "Explorer, the same name again": [*frames("f%d.jpg"), "f7 (1).jpg"],
    "Explorer, one file and its copy": ["f.jpg", "f (1).jpg"],
    "Explorer, English": [*frames("f%d.jpg"), "f7 - Copy.jpg"],
    "Explorer, English, twice": ["f.jpg", "f - Copy.jpg", "f - Copy (2).jpg"],
    "Explorer, German": [*frames("f%d.jpg"), "f7 - Kopie.jpg"],
    "Explorer, Portuguese": [*frames("f%d.jpg"), "f7 - C\u00f3pia.jpg"],
    "Explorer, Chinese": [*frames("f%d.jpg"), "f7 - \u526f\u672c.jpg"],
    "Explorer of old": [*frames("f%d.jpg"), "Copy of f7.jpg"],
    "Google Drive, German": [*frames("f%d.jpg"), "Kopie von f7.jpg"],
    "Finder": [*frames("f%d.jpg"), "f7 copy.jpg", "f7 copy 2.jpg"],
    "Finder, Japanese": [*frames("f%d.jpg"), "f7\u306e\u30b3\u30d4\u30fc.jpg"],
    "iCloud": [*frames("f%d.jpg"), "f7 2.jpg"],
    "Nautilus": [*frames("f%d.jpg"), "f7 (copy).jpg", "f7 (another copy).jpg"],
    "Nautilus of today": [*frames("f%d.jpg"), "f7 (Copy 2).jpg"],
    "Android's editors": [*frames("f%d.jpg"), "f7~2.jpg"],
    "Firefox": [*frames("f%d.jpg"), "f7(1).jpg"],
    "Safari": [*frames("f%d.jpg"), "f7-1.jpg"],
    "exported twice": [*frames("f%d.jpg"), "f7_1.jpg"],
    "edited": [*frames("f%d.jpg"), "f7-edited.jpg"],
    "Syncthing": [*frames("f%d.jpg"), "f7.sync-conflict-20240101-120000-CK225WL.jpg"],
    "Dropbox": [*frames("f%d.jpg"), "f7 (Anna's conflicted copy 2024-01-01).jpg"],
    "Dropbox, German": [*frames("f%d.jpg"), "f7 (In Konflikt stehende Kopie von Anna 2024-01-01).jpg"],
    "Nextcloud": [*frames("f%d.jpg"), "f7 (conflicted copy 2024-01-01 120000).jpg"],
    "ownCloud": [*frames("f%d.jpg"), "f7_conflict-20240101-120000.jpg"],
    "Seafile": [*frames("f%d.jpg"), "f7 (SFConflict anna@example.com 2024-01-01-12-00-00).jpg"],
    "OneDrive": [*frames("f%d.jpg"), "f7-DESKTOP-QRI9EIH.jpg"],
    "NFC and NFD": [name for n in range(1, 11) for name in (f"{NFD}{n:03d}.jpg", f"Auffahrt_\u00e4_{n:03d}.jpg")],
    "two cases of one name": ["frame_1.jpg", "frame_2.jpg", "Frame_2.jpg"],
    "two formats of one frame": [f"{n:03d}.{extension}" for n in range(9) for extension in ("jpg", "png")],
    "two widths of one number": ["frame_1.jpg", "frame_01.jpg", "frame_2.jpg"],
    "two cameras, by words": [f"{side}_{n:04d}.jpg" for n in range(20) for side in ("left", "right")],
    "two cameras, words behind": [f"{n:04d}_{side}.jpg" for n in range(20) for side in ("left", "right")],
    "two cameras, by numbers": nested("cam%d_%04d.jpg", range(2), range(20)),
    "two cameras, numbers behind": nested("%04d_Camera_%d.jpg", range(20), (5, 6)),
    "six cameras of nuScenes": [
        f"n015-2018-07-24-11-22-45+0800__CAM_{side}__{1532402927612460 + n * 500_000 + shift}.jpg"
        for n in range(9)
        for shift, side in enumerate(("FRONT", "BACK", "FRONT_LEFT"))
    ],
    "two cameras with one clock": [f"{camera}_{1700000000123 + n * 40}.jpg" for n in range(9) for camera in range(2)],
    "colour and heat": [f"DJI_20240101120000_{n:04d}_{lens}.JPG" for n in range(9) for lens in "TV"],
    "picture and depth": [f"{kind}_{n:05d}.png" for n in range(9) for kind in ("rgb", "depth")],
    "iPhone, edited": [*frames("IMG_%04d.JPG"), "IMG_E0007.JPG"],
    "a cover": ["cover.jpg", *frames("frame_%03d.jpg")],
    "front and back of a page": [f"{n}{side}.jpg" for n in range(1, 9) for side in "rv"],
    "ids": [
        f"{text}.jpg"
        for text in (
            "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
            "9c1185a5-c5e9-4c3a-b5f4-1b2e8f6a7d10",
            "16fd2706-8baf-433b-82eb-8c7fada847da",
            "886313e1-3b8a-5372-9b90-0c9aee199e5d",
        )
    ],
    "ids without dashes": [f"{text}.jpg" for text in ("f3a91c0b", "01bc77de", "9900aa12", "5d1e3f70", "c0ffee01")],
    "ids of letters and digits": [
        f"{text}.jpg" for text in ("dQw4w9WgXcQ", "9bZkp7q19f0", "kJQP7kiw5Fk", "L_jWHffIx5E")
    ],
    "words": ["one.jpg", "two.jpg", "three.jpg"],
    "sides": ["front.jpg", "left.jpg", "rear.jpg", "right.jpg"],
    "fractions or counters": ["1.5.jpg", "1.25.jpg"],
    "decimals of two widths": ["1.05.jpg", "1.10.jpg", "1.5.jpg"],
}

ONLY_EXIF_TELLS = {
    "renamed out of order": frames("frame_%03d.jpg", [1, 2, 4, 3, 5, 6]),
    "day and month, or month and day": ["08-01-2024.jpg", "09-01-2024.jpg", "01-02-2024.jpg", "02-02-2024.jpg"],
    "day, month and a short year": times(5, 86_400, "%d-%m-%y_%H-%M-%S.jpg"),
    "takes that were interleaved": [f"take{n % 2}_{n:03d}.jpg" for n in range(12)],
    "a counter from the wrong end": frames("%04d.jpg", range(30, 0, -1)),
}

SCHEMES = [
    *(Scheme(what, RIGHT, names) for what, names in RIGHT_SCHEMES.items()),
    *(Scheme(what, HELD, names) for what, names in HELD_SCHEMES.items()),
    *(Scheme(what, HELD_WITH_EXIF, names) for what, names in ONLY_EXIF_TELLS.items()),
]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda scheme: f"{scheme.verdict}: {scheme.what}")
def test_a_scheme(scheme: Scheme, seed: int) -> None:
    _, verdict, names = scheme
    assert len({*names}) == len(names)
    unit = read(names, seed=seed)
    with_times = read(names, seed=seed, taken=one_by_one(names))
    code = unit.hold and unit.hold[0]
    if verdict is RIGHT:
        assert (names_of(unit), code, with_times.hold) == (names, None, None)
    elif verdict is HELD:
        assert code == "order"
    else:
        assert (code, with_times.hold and with_times.hold[0]) == (None, "order")


def test_there_are_enough() -> None:
    assert len(SCHEMES) >= 45
