"""Which whole pictures are sent: the formats that annotators' pages show, and how large one may be. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from agent.core.image_format import EXTENSIONS
from agent.model import shown

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

FORMAT_CODE = "format"
"""The error code of a whole picture that is held since it is of a format that is not to be sent."""
USUAL = ("JPEG", "PNG", "WebP", "BMP")
"""What every browser shows, and every annotation tool that is one takes."""
UNSHOWN = frozenset({"TIFF"})
"""What no browser shows: Chromium 153 and 156 drew none of 610 real files."""
_EXPORTS = ("PNG", "JPEG")
_NAMES_TOLD = 3


class ImageRules(NamedTuple):
    """`formats` are those of `image_format.EXTENSIONS` that are sent, `most_pixels` is IMAGE_MAX_PIXELS.

    `decodes`: every picture is decoded (IMAGE_CHECK=full), not the doubtful alone.

    The usual limit is twice Pillow's `Image.MAX_IMAGE_PIXELS`, where its own error begins.
    """

    formats: frozenset[str] = frozenset(USUAL)
    most_pixels: int = 178_956_970
    decodes: bool = False

    def why_held(self, unsent: dict[str, list[str]], frames: int = 0) -> str:
        """Say why a whole picture is held, or a sequence of so many `frames`, and what to do.

        `unsent` are the formats that are not sent, each with the names of its files.
        """
        names = [name for each in unsent.values() for name in each]
        forms = [form for form in EXTENSIONS if form in unsent]
        what = f"it is {_a(forms[0])}"
        if frames:
            what = f"{len(names):,} of {frames:,} frames are {listed(forms)} ({_told(names)})"
        return f"{what}: {self.why_unsent(forms, 'them' if frames else 'it')}: 'retry' sends it as it is"

    def why_unsent(self, forms: Sequence[str], them: str) -> str:
        """Say why pictures of formats that are not sent are not, and what to do about `them`."""
        why, may = f"IMAGE_FORMATS allows {listed(self.named)}", "if your annotators' pages show that"
        if UNSHOWN.issuperset(forms):
            why = f"annotators' pages are browser pages, and browsers show no {listed(forms)}"
            may = "if your project converts what it gets"
        export = [form for form in _EXPORTS if form in self.formats] or self.named
        return (
            f"{why}. Export {them} as {listed(export, 'or')}; {may}, add {','.join(map(str.lower, forms))} to "
            "IMAGE_FORMATS"
        )

    def why_too_large(self, pixels: tuple[int, int]) -> str | None:
        """Say what is to be done about a picture of too many pixels; None for all others."""
        width, height = pixels
        if width * height <= self.most_pixels:
            return None
        return (
            f"too large: {width} x {height} pixels, and IMAGE_MAX_PIXELS allows {self.most_pixels:,}: raise it and "
            "'retry', or export the picture smaller"
        )

    @property
    def named(self) -> list[str]:
        """The formats that are sent, in the order in which they are told."""
        return [form for form in EXTENSIONS if form in self.formats]


USUAL_RULES = ImageRules()


def extensions_of(formats: Collection[str]) -> frozenset[str]:
    """Return the extensions that formats bring with them: those beyond the usual ones were added to be taken."""
    return frozenset(extension for form in formats if form not in USUAL for extension in EXTENSIONS[form])


def listed(words: Sequence[str], last: str = "and") -> str:
    """Return words as a sentence has them: `a, b and c`."""
    return f" {last} ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _a(form: str) -> str:
    return f"an {form}" if form[0] in "AEIOU" else f"a {form}"


def _told(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMES_TOLD:,} more" if len(names) > _NAMES_TOLD else ""
    return ", ".join(map(shown, names[:_NAMES_TOLD])) + more
