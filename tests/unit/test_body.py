from __future__ import annotations

import pytest

from agent.model import Edition, Frame, Job, Kind, Stamp
from agent.targets.playment.body import body


def _frame(position: int, name: str) -> Frame:
    return Frame(position, name, f"d/{name}", Stamp(1, 2, 3, 4), "00", f"https://host/d/{name}")


def _job(kind: Kind, edition: Edition, batch_id: str | None = None) -> Job:
    frames = (_frame(0, "f_1.jpg"), _frame(1, "f_2.jpg"))[: 1 if kind is Kind.IMAGE else 2]
    return Job(1, "ref", "d", kind, edition, "work", batch_id, 7, frames, 0)


@pytest.mark.parametrize(("edition", "named_by"), [(Edition.V0, "tag"), (Edition.V1, "work_flow_id")])
def test_an_image(edition: Edition, named_by: str) -> None:
    assert body(_job(Kind.IMAGE, edition)) == {
        "reference_id": "ref",
        named_by: "work",
        "data": {"image_url": "https://host/d/f_1.jpg"},
        "priority_weight": 7,
    }


@pytest.mark.parametrize(("edition", "named_by"), [(Edition.V0, "tag"), (Edition.V1, "work_flow_id")])
def test_a_sequence_in_a_batch(edition: Edition, named_by: str) -> None:
    assert body(_job(Kind.SEQUENCE, edition, "b1")) == {
        "reference_id": "ref",
        named_by: "work",
        "data": {
            "video_data": {
                "frames": [
                    {"frame_id": "f_1.jpg", "src": "https://host/d/f_1.jpg"},
                    {"frame_id": "f_2.jpg", "src": "https://host/d/f_2.jpg"},
                ]
            }
        },
        "batch_id": "b1",
        "priority_weight": 7,
    }
