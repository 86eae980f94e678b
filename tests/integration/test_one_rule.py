"""Adoption and `reconcile` take over the same jobs, whatever the ledger knows of one and a list shows of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.core.adoption import may_be_ours
from agent.ledger import lookups
from agent.ledger.store import Ledger
from agent.ledger.units import notice
from agent.model import Kind
from agent.model.jobs import Found, Lookup
from agent.model.units import Sight
from agent.reporting.reconcile import reconcile
from agent.sending.adoption import settle
from agent.targets import Batch
from tests.sending import Clock

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agent.targets import Target

DIGEST = "0123456789abcdef" * 4
ID = f"a~{DIGEST[:12]}"
BATCH = Batch("the-batch", "Default", is_default=True)


class OneList:
    """The part of a target that `reconcile` asks: one batch with one job."""

    name = "Playment"

    def __init__(self, found: Found) -> None:
        self._found = found

    def listed(self) -> Iterator[tuple[Batch, Sequence[Found]]]:
        yield BATCH, [self._found]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    opened = Ledger(tmp_path_factory.mktemp("place") / "ledger.db", Clock().now)
    with opened.transaction():
        notice(opened, Sight("a", Kind.SEQUENCE, "waits", 1, 10))
    yield opened
    opened.close()


def _waits(ledger: Ledger, lookup: Lookup) -> None:
    """Have the one row wait to be looked up."""
    with ledger.transaction():
        ledger.sql.execute(
            "update jobs set reference_id = ?, kind = ?, frame_count = ?, tag = ?, digest = ?, unanswered = ?, "
            "lookup = ?, state = 'pending', job_id = null, batch_id = null, next_attempt_at = updated_at",
            (
                lookup.reference_id,
                lookup.kind,
                lookup.frame_count,
                lookup.tag,
                lookup.digest,
                int(lookup.attempted),
                lookup.why,
            ),
        )


def _taken_over(ledger: Ledger) -> tuple[bool, str | None]:
    state, job_id = ledger.sql.execute("select state, job_id from jobs").fetchone()
    return state == "submitted", job_id


TAGS = st.sampled_from(["boxes", "lanes", None])
FRAMES = st.integers(0, 3)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.builds(
        Lookup,
        id=st.just(1),
        path=st.just("a"),
        reference_id=st.sampled_from([ID, "a"]),
        tag=TAGS,
        batch_id=st.none(),
        frame_count=FRAMES,
        kind=st.sampled_from(Kind),
        digest=st.sampled_from([DIGEST, "f" * 64]),
        why=st.sampled_from(["duplicate", "given-up", "changed"]),
        attempted=st.booleans(),
    ),
    st.none() | FRAMES,
    TAGS,
)
def test_both_take_over_what_may_be_ours_and_nothing_else(
    ledger: Ledger, wanted: Lookup, frames: int | None, tag: str | None
) -> None:
    found = Found("their-job", wanted.reference_id, frames, tag, BATCH.id)
    ours = may_be_ours(found, wanted)
    expected = (ours, "their-job" if ours else None)

    _waits(ledger, wanted)
    assert lookups.lookups(ledger.sql, ledger.now) == [wanted]
    with ledger.transaction():
        settle(ledger, wanted=[wanted], found={found.reference_id: found}, target="Playment", looked_at=ledger.now)
    assert _taken_over(ledger) == expected

    _waits(ledger, wanted)
    differences = list(reconcile(ledger, cast("Target", OneList(found)), adopt=True))
    assert _taken_over(ledger) == expected
    assert [each.adopted for each in differences if each.what == "unsent"] == [ours]
