"""Who may ask the page: this host's names and the proxy's, no other site, and no order without an Origin."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.page.gates import HEADERS, POLICY, refusal

NAMES = frozenset({"agent.example.com"})


def ask(method: str = "GET", names: frozenset[str] = NAMES, **headers: str) -> str:
    given = {"host": "127.0.0.1:8345", **{name.replace("_", "-"): value for name, value in headers.items()}}
    return refusal(method, given, names)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:8345", "127.0.0.1", "localhost:9000", "[::1]:8345", "LOCALHOST", "agent.example.com", "127.8.8.8"],
)
def test_this_hosts_names_and_the_proxys_are_let_in(host: str) -> None:
    assert not ask(host=host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example.com",
        "localhost.evil.example.com",
        "127.0.0.1.evil.example.com",
        "evil.example.com:8345",
        "user@127.0.0.1",
        "127.0.0.1/x",
        "127.0.0.1:x",
        "127.0.0.1:99999",
        "127.0.0.1?x",
        "[::1",
        "0.0.0.0",
        "10.0.0.1",
        "localhost\\.evil",
        "127.0.0.1, evil.example.com",
    ],
)
def test_every_other_host_is_refused(host: str) -> None:
    assert "PAGE_NAMES" in ask(host=host)


@given(st.text(max_size=40))
def test_no_text_is_a_host_that_is_not_ours(text: str) -> None:
    if not ask(host=text, names=frozenset()):
        assert text.lower().startswith(("localhost", "127.", "[::1]"))


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
@pytest.mark.parametrize(
    "origin", ["http://evil.example.com", "null", "", "http://127.0.0.1:3000", "http://127.0.0.1", "http://[", "x"]
)
def test_another_origin_is_refused_whatever_it_asks(method: str, origin: str) -> None:
    assert ask(method, origin=origin)


def test_the_pages_own_origin_is_let_in_behind_a_proxy_too() -> None:
    assert not ask("POST", origin="http://127.0.0.1:8345")
    assert not ask("POST", host="agent.example.com", origin="https://agent.example.com")
    assert ask("POST", host="127.0.0.1:8345", origin="https://agent.example.com")  # the proxy hands on no Host


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_no_order_comes_without_an_origin(method: str) -> None:
    assert "Origin" in ask(method)


@pytest.mark.parametrize(
    ("site", "mode", "dest", "is_let_in"),
    [
        ("same-origin", "cors", "empty", True),
        ("none", "navigate", "document", True),
        ("cross-site", "navigate", "document", True),  # a link in a mail or a chat
        ("cross-site", "navigate", "iframe", False),
        ("cross-site", "no-cors", "image", False),
        ("cross-site", "no-cors", "script", False),
        ("same-site", "cors", "empty", False),  # another port of this host
    ],
)
def test_what_another_sites_page_loads_is_refused(site: str, mode: str, dest: str, is_let_in: bool) -> None:
    assert bool(ask(sec_fetch_site=site, sec_fetch_mode=mode, sec_fetch_dest=dest)) is not is_let_in


def test_the_policy_lets_no_script_run_but_the_pages_own_files() -> None:
    assert HEADERS["Content-Security-Policy"] == POLICY
    assert "unsafe" not in POLICY
    assert "http" not in POLICY
    assert "default-src 'none'" in POLICY
    assert "frame-ancestors 'none'" in POLICY
