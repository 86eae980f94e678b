"""What a page of another origin is to show must be allowed to it: a browser loads it with CORS."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from agent.errors import Unpublished
from agent.model.hosts import is_mixed
from agent.publishing.probe import Probe
from tests.serving import Served
from tests.support import command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = "https://label.example.com"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "a.jpg").write_bytes(b"12345")
    with Served(tmp_path) as running:
        yield running


def problem(served: Served, path: str = "/a.jpg", origin: str = PAGE) -> str:
    with contextlib.closing(Probe("Label Studio", origin)) as probe:
        try:
            probe.check(served.url + path, 5)
        except Unpublished as error:
            return str(error)
    return ""


@pytest.mark.parametrize("allows", ["*", PAGE])
def test_what_the_page_may_show_is_fine(served: Served, allows: str) -> None:
    served.allows = allows
    assert not problem(served)
    assert served.origins == [PAGE]


@pytest.mark.parametrize("allows", ["", "null", "https://other.example.com", f"{PAGE}/", f"{PAGE}, *"])
def test_what_it_may_not_show_is_no_published_file(served: Served, allows: str) -> None:
    served.allows = allows
    told = problem(served)
    assert "Access-Control-Allow-Origin" in told
    assert PAGE in told
    assert repr(allows or "nothing") in told


def test_each_redirect_must_allow_it_too(served: Served) -> None:
    assert "can be fetched, but" in problem(served, "/moved/a.jpg")
    assert served.origins == [PAGE]


def test_a_page_of_the_same_origin_needs_no_header_and_neither_does_a_target_that_copies(served: Served) -> None:
    served.allows = ""
    assert not problem(served, origin=served.url)
    assert not problem(served, "/moved/a.jpg", origin="")
    assert served.origins[1:] == [None, None]


def test_what_cannot_be_fetched_at_all_is_told_as_that(served: Served) -> None:
    served.allows = ""
    assert "answered 404" in problem(served, "/b.jpg")


@pytest.mark.parametrize("name", ["check", "run"])
def test_the_probe_is_not_switched_off_where_nobody_else_looks(tmp_path: Path, name: str) -> None:
    given = {
        "TARGET": "label-studio",
        "LABEL_STUDIO_URL": PAGE,
        "LABEL_STUDIO_TOKEN": "0" * 40,
        "LABEL_STUDIO_IMAGE_PROJECT": "1",
        "LABEL_STUDIO_SEQUENCE_PROJECT": "2",
        "WATCH_DIR": str(tmp_path),
        "LEDGER_PATH": str(tmp_path / "ledger.db"),
        "PUBLISH_TO": "https://files.example.com/",
        "PUBLISH_PROBE": "off",
    }
    told = command(name, environ=given, cwd=tmp_path)
    assert told.returncode == 2
    assert "PUBLISH_PROBE is 'off': Label Studio looks at no URL when a task is made" in told.stdout + told.stderr
    assert not (tmp_path / "ledger.db").exists()


@pytest.mark.parametrize(
    ("url", "page", "mixed"),
    [
        ("http://10.0.0.6/a.jpg", "https://ls.example.com", True),
        ("http://files/a.jpg", "https://ls.example.com", True),
        ("http://127.0.0.1:8/a.jpg", "https://ls.example.com", False),
        ("https://files/a.jpg", "https://ls.example.com", False),
        ("http://10.0.0.6/a.jpg", "http://10.0.0.5:8080", False),
        ("http://10.0.0.6/a.jpg", "", False),
    ],
)
def test_an_https_page_loads_no_http_picture(url: str, page: str, mixed: bool) -> None:
    assert is_mixed(url, page) is mixed
