"""Where the target would make a job twice, a folder that other hosts may see is refused by `check`, and warned of."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from agent.host import mounts
from agent.reporting.checks import Level
from agent.reporting.checks.fleet import check_fleet
from agent.service.twice import late_of, twins_of_others
from agent.settings import load
from tests.support import Agent, environ

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


def test_a_shared_folder_is_refused_only_where_it_matters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert twins_of_others(settings_of(tmp_path, **OTHER)) == ""
    monkeypatch.setattr(mounts, "shared_place", lambda _path: "nas:/inbox")
    told = twins_of_others(settings_of(tmp_path, **OTHER))
    assert "nas:/inbox" in told
    assert "FLEET_DSN" in told
    assert twins_of_others(settings_of(tmp_path, **OTHER, FLEET_DSN="host=h dbname=d user=u")) == ""
    assert twins_of_others(settings_of(tmp_path)) == ""
    assert [each.level for each in check_fleet(settings_of(tmp_path, **OTHER), time.time)] == [Level.FAIL]
    assert [*check_fleet(settings_of(tmp_path), time.time)] == []
    assert late_of(settings_of(tmp_path)) is None
    assert late_of(settings_of(tmp_path, **OTHER)) == 120.0


def test_a_start_warns_of_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(mounts, "shared_place", lambda _path: "nas:/inbox")
    with caplog.at_level(logging.WARNING), Agent(settings_of(tmp_path, **OTHER)):
        pass
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len([text for text in told if "nas:/inbox" in text]) == 1
    assert len([text for text in told if "these settings have no effect: PLAYMENT_" in text]) == 1
