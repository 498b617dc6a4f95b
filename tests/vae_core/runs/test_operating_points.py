"""An operating point is kept beside its run, used from then on, and forgotten."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.vae_core.handmade import change_weights
from vae_core.basics.paths import pretrained_folder, runs_folder
from vae_core.runs import operating_points
from vae_core.runs.operating_points import (
    FOLDER,
    forget_operating_point,
    keep_operating_point,
    mark_of,
    usual_rate,
)
from vae_core.runs.run import CALIBRATION_FILE, OPERATING_POINT_FILE, WEIGHTS_FILE, Run, RunError
from vae_core.runs.store import RunStore
from vae_core.scoring.operating_point import Costs, KnownImages, OperatingPoint
from vae_core.scoring.roc import Rate
from vae_core.settings.options import FALSE_ALARMS


def made(time: str, mark: str) -> OperatingPoint:
    good = KnownImages(60, "a" * 64, Rate(2, 30))
    bad = KnownImages(40, "b" * 64, Rate(18, 20))
    return OperatingPoint(0.03, "halves", Costs(10, 1, 0.05), good, bad, time, "Ann", mark)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A copy of a finished run with its calibration."""
    folder = tmp_path / "copy"
    shutil.copytree(pretrained_folder() / "digits-mean-field-d16", folder)
    return Run.open(folder)


@pytest.fixture(autouse=True)
def _empty_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAE_RUNS_DIR", str(tmp_path / "store"))


def in_store(run: Run) -> Path:
    return runs_folder() / FOLDER / f"{mark_of(run)}.json"


def test_what_was_kept_is_the_usual_rate_until_it_is_forgotten(run):
    assert usual_rate(run).false_alarms == FALSE_ALARMS
    assert usual_rate(run).source == "default"
    path = keep_operating_point(run, made)
    assert path == run.folder / OPERATING_POINT_FILE
    found = usual_rate(run)
    assert (found.false_alarms, found.source, found.note) == (0.03, "operating point", "")
    assert found.point is not None
    assert found.point == made(found.point.made, mark_of(run))
    assert found.point.made.endswith("+00:00")
    assert forget_operating_point(run)
    assert not forget_operating_point(run)
    assert usual_rate(run).source == "default"


def test_a_copied_folder_keeps_it(run, tmp_path):
    keep_operating_point(run, made)
    shutil.copytree(run.folder, tmp_path / "mailed")
    assert usual_rate(Run.open(tmp_path / "mailed")).false_alarms == 0.03


@pytest.mark.parametrize("file", [WEIGHTS_FILE, CALIBRATION_FILE])
def test_that_of_other_weights_or_another_calibration_is_not_used_and_said(run, file):
    keep_operating_point(run, made)
    kept = change_weights(run.folder / file)
    found = usual_rate(run)
    assert (found.false_alarms, found.source) == (FALSE_ALARMS, "default")
    assert "belongs to other weights or another calibration" in found.note
    (run.folder / file).write_bytes(kept)
    assert usual_rate(run).source == "operating point"


def test_without_a_calibration_in_the_folder_none_can_be_kept(run):
    (run.folder / CALIBRATION_FILE).unlink()
    with pytest.raises(RunError, match="the calibration that it belongs to is not in the folder"):
        keep_operating_point(run, made)


def test_that_of_a_pretrained_model_is_in_the_run_store():
    run = Run.open("pretrained/digits-mean-field-d16")
    path = keep_operating_point(run, made)
    assert path == in_store(run)
    assert not (run.folder / OPERATING_POINT_FILE).exists()
    assert usual_rate(run).false_alarms == 0.03
    assert not list(RunStore().listed())
    assert forget_operating_point(run)
    assert not path.exists()


def test_where_the_folder_cannot_be_written_it_is_in_the_run_store(run):
    (run.folder / OPERATING_POINT_FILE).mkdir()  # which no file can take the place of
    assert keep_operating_point(run, made) == in_store(run)
    assert usual_rate(run).false_alarms == 0.03
    assert forget_operating_point(run)
    assert usual_rate(run) == operating_points.UsualRate()


def test_the_last_one_that_was_kept_is_used(run):
    keep_operating_point(run, made)
    in_store(run).parent.mkdir(parents=True)
    shutil.copy(run.folder / OPERATING_POINT_FILE, in_store(run))
    keep_operating_point(run, lambda time, mark: replace(made(time, mark), false_alarms=0.01))
    assert usual_rate(run).false_alarms == 0.01
    assert not in_store(run).exists()


def changed(**values: Any) -> Callable[[str], str]:
    return lambda text: json.dumps(json.loads(text) | values)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-40],
        lambda _: "",
        lambda _: "[]",
        lambda _: "[" * 100_000,
        lambda text: text + " " * 30_000,
        changed(format=2),
        changed(false_alarms=0.5),
        changed(false_alarms=True),
        changed(false_alarms=float("nan")),
        changed(false_alarms="0.03"),
        changed(way="guessed"),
        changed(costs={"miss": 0, "alarm": 1, "share_bad": 0.1}),
        changed(costs=None),
        changed(good={"images": 3}),
        changed(good=7),
        changed(bad={"images": 3, "digest": "a" * 64, "called": {"count": 4, "images": 3}}),
        changed(bad={"images": 3, "digest": "../x", "called": {"count": 1, "images": 3}}),
        changed(made="yesterday"),
        changed(made="2026-01-01T00:00:00"),
        changed(by="x" * 81),
        changed(by=None),
        changed(mark="0"),
        lambda text: json.dumps({k: v for k, v in json.loads(text).items() if k != "by"}),
    ],
)
def test_a_damaged_one_is_said_and_not_used_and_can_be_forgotten(run, damage):
    path = keep_operating_point(run, made)
    path.write_text(damage(path.read_text()))
    found = usual_rate(run)
    assert (found.false_alarms, found.source, found.point) == (FALSE_ALARMS, "default", None)
    assert f"{OPERATING_POINT_FILE} of" in found.note
    assert "is damaged" in found.note
    assert forget_operating_point(run)


def test_a_link_in_its_place_is_neither_followed_nor_its_target_removed(run, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("precious")
    (run.folder / OPERATING_POINT_FILE).symlink_to(outside)
    assert "is a symbolic link" in usual_rate(run).note
    keep_operating_point(run, made)
    assert usual_rate(run).false_alarms == 0.03
    forget_operating_point(run)
    (run.folder / OPERATING_POINT_FILE).symlink_to(outside)
    assert forget_operating_point(run)
    assert outside.read_text() == "precious"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pipes in folders")
def test_a_pipe_in_its_place_blocks_nothing(run):
    os.mkfifo(run.folder / OPERATING_POINT_FILE)
    assert "is a pipe" in usual_rate(run).note


def test_weights_and_calibration_are_read_only_where_something_is_kept(run, monkeypatch):
    monkeypatch.setattr(operating_points, "mark_of", lambda _: pytest.fail("nothing is kept"))
    assert usual_rate(run) == operating_points.UsualRate()


def test_a_giant_in_the_place_of_a_calibration_is_not_read(run):
    keep_operating_point(run, made)
    os.truncate(run.folder / CALIBRATION_FILE, 8_000_000_000)  # sparse: it takes no space
    assert mark_of(run) == ""
    assert usual_rate(run).source == "default"


def test_control_characters_of_its_name_reach_no_terminal(run):
    path = keep_operating_point(run, made)
    path.write_text(changed(by="Ann\x1b[2J\nroot")(path.read_text()))
    point = usual_rate(run).point
    assert point is not None
    assert point.by == "Ann�[2J�root"
