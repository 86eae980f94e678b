from __future__ import annotations

import hashlib
from os import fsdecode, fsencode
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from natsort import natsort_keygen

from agent.core.frame_order import arrange, digest

if TYPE_CHECKING:
    import random

# Any name that a file can have: bytes without `/` and NUL; and names that are alike, where ties are found.
anything = st.binary(min_size=1, max_size=40).map(lambda raw: fsdecode(raw.translate(None, b"/\0") or b"x"))
alike = st.from_regex(r"[fF](_0{0,2}[0-9]{1,2}|²|٣|é|é){1,2}\.(jpg|JPG|png)", fullmatch=True)
folders = st.lists(anything | alike, unique=True, max_size=20)


def numbered(*numbers: int) -> list[str]:
    return [f"frame_{number}.jpg" for number in numbers]


@given(folders, st.randoms(use_true_random=False))
def test_one_order_whatever_the_order_of_the_listing(names: list[str], rng: random.Random) -> None:
    shuffled = rng.sample(names, len(names))
    arranged = arrange(shuffled)
    assert arranged == arrange(names)
    assert sorted(arranged.names) == sorted(names)


@st.composite
def of_one_camera(draw: st.DrawFn) -> list[str]:
    """Names that differ in their numbers alone, with text around them in which natsort may see numbers, too."""
    text = st.sampled_from(["", "a", "_", ".", "-", " ", "é", "²", "٣", "1", "0", "e", "+"])
    texts = draw(st.lists(text, min_size=2, max_size=4))
    numbers = st.lists(st.from_regex(r"0{0,2}[0-9]{1,3}", fullmatch=True), min_size=len(texts), max_size=len(texts))
    rows = draw(st.lists(numbers, min_size=1, max_size=12))
    tail = draw(st.sampled_from([".jpg", ".jp2", ""]))
    return sorted({"".join(f"{a}{b}" for a, b in zip(texts, row, strict=True)) + tail for row in rows})


@given(of_one_camera() | folders)
def test_the_digest_is_taken_over_natsorts_order_and_then_that_of_the_bytes(names: list[str]) -> None:
    arranged = arrange(names)
    assert (arranged.digest_order or arranged.names) == tuple(sorted(sorted(names, key=fsencode), key=natsort_keygen()))


def test_natural_order() -> None:
    assert arrange(numbered(10, 9, 1, 2, 100)).names == tuple(numbered(1, 2, 9, 10, 100))
    assert arrange(["b2.jpg", "a10.jpg", "a9.jpg"]).names == ("a9.jpg", "a10.jpg", "b2.jpg")


@pytest.mark.parametrize(
    "names",
    [
        ("frame_01.jpg", "frame_1.jpg"),
        ("cafe\u0301.jpg", "caf\u00e9.jpg"),
        ("1.jpg", "\u0661.jpg"),
        ("a.JPG", "a.jpg"),
        ("\udc80.jpg", "\U0001f600.jpg"),
    ],
)
def test_names_that_look_alike_are_ordered_by_their_bytes(names: tuple[str, str]) -> None:
    assert tuple(sorted(names, key=fsencode)) == names
    assert arrange(names).names == names
    assert arrange(reversed(names)).names == names


def test_nothing_is_said_of_a_whole_sequence() -> None:
    for names in (numbered(*range(1, 41)), numbered(*range(0, 200, 5)), numbered(7), []):
        arranged = arrange(names)
        assert (arranged.gaps, arranged.warnings) == (None, ())


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([f"t{number}.jpg" for number in (-2, 0, 1, 2)], "frame -1 is missing (-2 to 2, step 1)"),
        (numbered(1, 2, 4), "frame 3 is missing (1 to 4, step 1)"),
        (numbered(10, 20, 40), "frame 30 is missing (10 to 40, step 10)"),
        (numbered(*range(1, 10), 11, 12, 14), "frames 10 and 13 are missing (1 to 14, step 1)"),
        (
            numbered(*(number for number in range(1, 101) if number % 10)),
            "frames 10, 20, 30, 40, 50, 60, 70, 80 and 90 are missing (1 to 99, step 1)",
        ),
        (["Frame_0.jpg", *numbered(*range(1, 20), *range(21, 30))], "frame 20 is missing (0 to 29, step 1)"),
        ([f"{chr(0x660 + n)}.jpg" for n in (0, 1, 2, 3, 4, 5, 6, 7, 9)], "frame 8 is missing (0 to 9, step 1)"),
        (numbered(*range(1, 5), *range(6, 41)), "frame 5 is missing (1 to 40, step 1)"),
        (numbered(*range(1, 9), *range(11, 41)), "frames 9 to 10 are missing (1 to 40, step 1)"),
        (
            numbered(*(number for number in range(1, 41) if number not in {5, 9, 10, 11})),
            "frames 5 and 9 to 11 are missing (1 to 40, step 1)",
        ),
        (
            numbered(*(number for number in range(101) if number not in {5, 9, 50})),
            "frames 5, 9 and 50 are missing (0 to 100, step 1)",
        ),
        (numbered(*range(0, 50, 5), *range(60, 200, 5)), "frames 50 to 55 are missing (0 to 195, step 5)"),
        (numbered(*range(1, 13), *range(14, 20)), "frame 13 is missing (1 to 19, step 1)"),
        ([f"cam0_{n:06d}.jpg" for n in range(30) if n != 8], "frame 8 is missing (0 to 29, step 1)"),
        ([f"{n:06d}_left.png" for n in range(30) if n != 8], "frame 8 is missing (0 to 29, step 1)"),
        ([f"{n}.{'jpg' if n % 2 else 'png'}" for n in range(30) if n != 8], "frame 8 is missing (0 to 29, step 1)"),
        ([f"v2.take3_{n}_1080.jpg" for n in range(30) if n != 8], "frame 8 is missing (0 to 29, step 1)"),
        (
            [f"{10**30 + n}.jpg" for n in range(30) if n != 8],
            f"frame {10**30 + 8} is missing ({10**30} to {10**30 + 29}, step 1)",
        ),
        (numbered(*range(20), 10**40), f"frames 20 to {10**40 - 1} are missing (0 to {10**40}, step 1)"),
    ],
)
def test_missing_numbers(names: list[str], said: str) -> None:
    assert arrange(names).gaps == said


@pytest.mark.parametrize(
    "names",
    [
        numbered(1, 2, 9),
        numbered(1, 3),
        numbered(1, 2, 4, 8),
        numbered(0, 1, 3, 4, 6, 7, 9, 10, 12, 13, 15, 16, 18, 19),
        numbered(0, 3, 6, 10, 13, 16, 20),
        numbered(0, 33, 67, 100, 133, 167, 200),
        numbered(139, 285, 632, 724, 776),
        [f"{120000 + n // 60 * 100 + n % 60:06d}.jpg" for n in range(180) if n != 8],
        [f"20240101{120000 + n // 60 * 100 + n % 60}.jpg" for n in range(180)],
        [f"202401{n}.jpg" if n < 32 else f"202402{n - 31:02d}.jpg" for n in range(10, 50)],
        [f"{1_700_000_000 + n * n % 5 + 4 * n}.jpg" for n in range(9)],
        [f"2026-11-01T12-00-{n // 10:02d}.{n % 10}00.jpg" for n in range(30) if n != 8],
        [f"{1_700_000_000_000 + n * 100 + n * n % 7}.jpg" for n in range(30)],
        [f"cam{n % 2}_{n}.jpg" for n in range(30) if n != 8],
        [f"frame_{n}_{n * n}.jpg" for n in range(30) if n != 8],
        ["cover.jpg", *numbered(*range(1, 20), *range(21, 30))],
        ["a.jpg", "b.jpg"],
    ],
)
def test_no_gap_where_the_numbering_is_not_regular(names: list[str]) -> None:
    assert arrange(names).gaps is None


def test_nine_tenths_of_the_steps_are_enough_however_far_the_others_are() -> None:
    assert arrange(numbered(*range(10), 1000)).gaps == "frames 10 to 999 are missing (0 to 1000, step 1)"
    assert arrange(numbered(*range(9), 1000)).gaps is None
    assert arrange(numbered(*range(9), 10)).gaps == "frame 9 is missing (0 to 10, step 1)"


def test_a_step_that_is_too_short_is_no_gap() -> None:
    assert arrange(numbered(*range(0, 200, 10), 195)).gaps is None


def test_many_gaps_are_told_briefly_and_counted_wholly() -> None:
    kept = [number for number in range(10_000) if number % 20 != 7]
    gaps = arrange(numbered(*kept)).gaps
    assert gaps is not None
    listed, _, rest = gaps.partition(" … and ")
    assert len(gaps) < 300
    assert int(rest.split()[0]) + listed.count(",") + 1 == 10_000 - len(kept)
    assert gaps.endswith(" more are missing (0 to 9999, step 1)")


def test_numbers_too_long_to_list_are_counted() -> None:
    start = 10**210
    names = [f"{start + number}.jpg" for number in range(60) if number not in {3, 50}]
    gaps = arrange(names).gaps
    assert gaps == f"2 frames are missing ({start} to {start + 59}, step 1)"


@given(st.sets(st.integers(0, 300), min_size=2), st.integers(1, 1000))
def test_a_gap_tells_numbers_that_are_not_there(numbers: set[int], step: int) -> None:
    gaps = arrange(numbered(*(number * step for number in numbers))).gaps
    if gaps is not None and " … " not in gaps:
        listed = gaps.removeprefix("frames ").removeprefix("frame ").split(" is missing")[0].split(" are missing")[0]
        told = [int(word) for word in listed.replace(",", " ").split() if word.isdecimal()]
        assert not numbers & {number // step for number in told}


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["frame_1.jpg", "frame_01.jpg"], "frame_01.jpg and frame_1.jpg have the same number"),
        (["frame_1.jpg", "frame_1.png"], "frame_1.jpg and frame_1.png have the same name but for the extension"),
        (["a.jpg", "a.JPG", "b7.png"], "a.JPG and a.jpg have the same name but for the extension"),
        (["f1.jpg", "f01.jpg", "f001.jpg"], "f001.jpg, f01.jpg and 1 more have the same number"),
        (["0.jpg", "00.jpg"], "0.jpg and 00.jpg have the same number"),
        (["\udce91.jpg", "\udce901.jpg"], "\\xe901.jpg and \\xe91.jpg have the same number"),
    ],
)
def test_clashes(names: list[str], said: str) -> None:
    assert arrange(names).warnings == (said,)


def test_what_is_no_clash() -> None:
    for names in (["1_2.jpg", "12.jpg"], ["A.jpg", "a.jpg"], ["cam0_1.jpg", "cam1_1.jpg"], ["a", "b"]):
        assert arrange(names).warnings == ()


def test_a_clash_is_not_taken_for_a_gap() -> None:
    arranged = arrange([*numbered(*range(1, 5), *range(6, 41)), "frame_04.jpg"])
    assert arranged.gaps == "frame 5 is missing (1 to 40, step 1)"
    assert len(arranged.warnings) == 1


def test_many_clashes_are_told_briefly() -> None:
    arranged = arrange(f"{number}.{extension}" for number in range(1000) for extension in ("jpg", "png"))
    assert len(arranged.warnings) == 4
    assert arranged.warnings[-1] == "997 more numbers or names are used twice in this folder"
    assert arranged.gaps is None


def test_the_digest_is_the_one_that_was_always_used() -> None:
    # From a shell: printf '%s\0%s\0' … | sha256sum. Ids at Playment hold it: this number must never change.
    frames = [("frame_1.jpg", hashlib.sha256(b"one").hexdigest()), ("l\udce9.jpg", hashlib.sha256(b"two").hexdigest())]
    assert digest(frames) == "7d9ed5ce1b3e2dc363d371c9c0a0e28b5436d622fa7bb6a8bd5c2a419b575fcc"
    assert digest([]) == hashlib.sha256().hexdigest()


@given(folders, st.data())
def test_other_frames_have_another_digest(names: list[str], data: st.DataObject) -> None:
    frames = [(name, hashlib.sha256(fsencode(name)).hexdigest()) for name in names]
    other = data.draw(st.permutations(frames))
    assert (digest(frames) == digest(other)) == (frames == other)
    assert len({digest(frames[:length]) for length in range(len(frames) + 1)}) == len(frames) + 1
