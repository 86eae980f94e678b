"""Every link in what is written for people leads to what is there, and what is there is led to."""

from __future__ import annotations

import re
from posixpath import dirname, normpath
from urllib.parse import unquote

import pytest

from tests.documents import FIRST, READMES, ROOT

LINK = re.compile(r"\[(?:[^\[\]]|`[^`]*`)+\]\(([^()\s]+)\)")


def prose(text: str) -> str:
    """Return it without its blocks of code, in which a bracket is no link and a # no heading."""
    return re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(text: str) -> list[str]:
    """Return what its headings are called by a link, as GitHub makes them: a second one of the same name gets -1."""
    found: list[str] = []
    for heading in re.findall(r"^#{1,6} (.+?)\s*$", prose(text), flags=re.MULTILINE):
        name = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        again = sum(re.sub(r"-\d+$", "", other) == name for other in found)
        found.append(f"{name}-{again}" if again else name)
    return found


def wrong(path: str, link: str) -> str | None:
    """Return what is wrong with a link in the document `path`, or None."""
    place, _, anchor = unquote(link).partition("#")
    target = normpath(f"{dirname(path)}/{place}".lstrip("/")) if place else path
    if not (ROOT / target).exists():
        return f"{link}: there is no {target}"
    if anchor and anchor not in anchors(READMES.get(target, "")):
        return f"{link}: {target} has no such heading"
    return None


@pytest.mark.parametrize("path", READMES)
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(path: str) -> None:
    links = [link for link in LINK.findall(prose(READMES[path])) if not re.match(r"https?://", link)]
    assert [found for link in links if (found := wrong(path, link))] == []


def test_a_link_that_leads_nowhere_is_seen() -> None:
    found = LINK.findall(prose("a [b](c.md#d) [`e`](#f) ![g h](i.svg)\n```\n[j](k)\n```\n"))
    assert found == ["c.md#d", "#f", "i.svg"]
    assert wrong("README.md", "gone.md") == "gone.md: there is no gone.md"
    assert wrong("agent/README.md", "../systemd/README.md#gone") is not None
    assert wrong("README.md", "#try-it") is None
    assert anchors("# A, `b`!\n## 2. C_d\n## 2. C_d\n```sh\n# no\n```\n") == ["a-b", "2-c_d", "2-c_d-1"]


def test_the_first_one_leads_to_each_of_the_others() -> None:
    assert {link.partition("#")[0] for link in LINK.findall(FIRST)} >= READMES.keys() - {"README.md"}


def test_the_first_one_can_be_read_in_one_sitting() -> None:
    assert 100 <= len(FIRST.splitlines()) <= 220
