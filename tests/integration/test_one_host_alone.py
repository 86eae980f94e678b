"""Where the target would make a job twice, a folder that other hosts may see is warned of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.host import mounts
from agent.service.twice import late_of, twins_of_others
from agent.settings import load
from tests.support import environ

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from agent.settings.settings import Settings

OTHER = {
    "TARGET": "label-studio",
    "LABEL_STUDIO_URL": "http://127.0.0.1:9",
    "LABEL_STUDIO_TOKEN": "t",
    "LABEL_STUDIO_IMAGE_PROJECT": "1",
    "LABEL_STUDIO_SEQUENCE_PROJECT": "2",
    "PUBLISH_PROBE": "all",
}


def settings_of(place: Path, **changed: str) -> Settings:
    return load.load(environ(place, "http://127.0.0.1:9", **changed), place, None)


def test_a_shared_folder_is_warned_of_only_where_it_matters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert twins_of_others(settings_of(tmp_path, **OTHER)) == ""
    monkeypatch.setattr(mounts, "shared_place", lambda _path: "nas:/inbox")
    told = twins_of_others(settings_of(tmp_path, **OTHER))
    assert "nas:/inbox" in told
    assert "FLEET_DSN" in told
    assert twins_of_others(settings_of(tmp_path, **OTHER, FLEET_DSN="host=h dbname=d user=u")) == ""
    assert twins_of_others(settings_of(tmp_path)) == ""
    assert late_of(settings_of(tmp_path)) is None
    assert late_of(settings_of(tmp_path, **OTHER)) == 120.0
