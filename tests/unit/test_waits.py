"""The page of waits: `core/retry.py` has them all, each is used, and `agent/README.md` shows them as they are."""

from __future__ import annotations

import ast
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core import retry
from agent.core.retry import ASKED, JOB, LOOKUP, POLICIES, RESULT, Policy
from tests.pure import PACKAGE

HEAD = (
    "| what waits, or is tried again | first wait | growth | longest | kept over a restart | given up |\n"
    "| --- | --- | --- | --- | --- | --- |\n"
)
UNITS = ((3600.0, "h"), (60.0, "min"), (1.0, "s"), (0.001, "ms"))
NAMES = {name: value for name, value in vars(retry).items() if isinstance(value, Policy)}
MODULES = {path: path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}


def _time(seconds: float) -> str:
    """Return a time in the largest unit of which it is a whole number, but below three minutes in seconds."""
    for size, unit in UNITS:
        count = seconds / size
        if count >= (3 if unit == "min" else 1) and math.isclose(count, round(count)):
            return f"{round(count)} {unit}"
    raise AssertionError(seconds)


def _row(policy: Policy) -> str:
    """Return a policy's row of the table."""
    first = policy.asked if policy.first is None else _time(policy.first)
    growth = {1.0: "none", 2.0: "doubles"}[policy.growth] + (", at random below it" if policy.jitter else "")
    longest = first if math.isinf(policy.longest) else _time(policy.longest)
    ends = [f"{policy.tries} tries"] if policy.tries else []
    ends += [] if math.isinf(policy.patience) else [_time(policy.patience)]
    given_up = f"after {' or '.join(ends)}" if ends else "never"
    return f"| {policy.what} | {first} | {growth} | {longest} | {'yes' if policy.kept else 'no'} | {given_up} |\n"


def test_the_readme_has_the_table_as_it_is() -> None:
    table = HEAD + "".join(map(_row, POLICIES))
    readme = (PACKAGE / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## Waiting and trying again\n")[2].partition("\n## ")[0]
    assert table in section, f"agent/README.md, 'Waiting and trying again', must hold this table:\n{table}"


def test_every_policy_is_in_the_table_and_used_by_a_stage() -> None:
    assert set(NAMES.values()) == set(POLICIES)
    assert len({policy.what for policy in POLICIES}) == len(POLICIES)
    used = {
        alias.name
        for source in MODULES.values()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and node.module == "agent.core.retry"
        for alias in node.names
    }
    assert set(NAMES) <= used


def test_no_other_module_has_a_policy_of_its_own() -> None:
    named = re.compile(r"^(_?[A-Z_]*(?:RETR|TRIES|BACKOFF|PATIENCE|AGAIN|PROBE)[A-Z_]*)(?::[^=]+)? =", re.MULTILINE)
    found = {
        (path.relative_to(PACKAGE).as_posix(), match[1])
        for path, source in MODULES.items()
        for match in named.finditer(source)
        if path.name != "retry.py"
    }
    assert found == {
        ("core/listing_queue.py", "PATIENCE"),  # how long a stirred folder may be put off: a rhythm
        ("ledger/orders.py", "RETRIED"),  # the states that a person's `retry` may be about
        ("publishing/object_store.py", "_RETRIES"),  # STORE, as obstore is told it
    }


@given(st.sampled_from(POLICIES), st.integers(1, 10_000), st.floats(0.001, 3600.0))
def test_waits_only_grow_and_never_beyond_the_longest(policy: Policy, failures: int, asked: float) -> None:
    first = asked if policy.first is None else None
    wait = policy.seconds(failures, first)
    assert 0 < wait <= policy.longest
    assert wait >= policy.seconds(max(1, failures - 1), first)
    if policy.growth == 1.0:
        assert wait == policy.seconds(first=first)


def test_the_figures_that_people_were_told() -> None:
    assert [JOB.seconds(failures) for failures in (1, 2, 9, 10, 900)] == [1, 2, 256, 300, 300]
    assert [RESULT.seconds(failures, 300.0) for failures in (1, 2, 9, 10, 900)] == [300, 600, 76_800, 86_400, 86_400]
    assert (LOOKUP.seconds(), LOOKUP.patience, ASKED.longest) == (10, 3600, 86_400)


def test_what_is_another_s_to_say_must_be_handed_in() -> None:
    with pytest.raises(AssertionError, match="hand it in"):
        ASKED.seconds()
