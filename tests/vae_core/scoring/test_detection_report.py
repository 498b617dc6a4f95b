"""An evaluation of the scorer is kept beside its run, and says in words what its figures say."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.vae_core.handmade import change_weights
from vae_core.basics.progress import result_of
from vae_core.runs.records import (
    DETECTION_FILE,
    calibration_of,
    detection_of,
    write_calibration,
    write_detection,
)
from vae_core.runs.run import Run, RunError
from vae_core.scoring.calibration import Calibration
from vae_core.scoring.detection import (
    SCORES,
    Detection,
    DetectionReport,
    Separation,
    detection_steps,
    separation,
)
from vae_core.wording.detection import findings, misled


@pytest.fixture(scope="module")
def report(finished_model, calibration, digits) -> DetectionReport:
    return result_of(detection_steps(finished_model, digits, calibration, images=20))


@pytest.fixture
def run(finished: Run, report: DetectionReport, tmp_path: Path) -> Run:
    """A copy of the finished run with its evaluation."""
    folder = tmp_path / "copy"
    shutil.copytree(finished.folder, folder)
    write_detection(report, folder)
    return Run.open(folder)


# ---- beside a run


def test_what_was_written_is_read_again(run, report, calibration):
    found = detection_of(run)
    assert found is not None
    assert found == dataclasses.replace(
        report, calibration=json.loads(json.dumps(dict(calibration.protocol)))
    )
    assert found.calibration["images"] == 200


def test_a_run_without_one_has_none(finished):
    assert detection_of(finished) is None


def test_that_of_other_weights_or_of_another_version_is_not_shown(run, report):
    weights = run.folder / "model.safetensors"
    kept = change_weights(weights)
    assert detection_of(run) is None
    weights.write_bytes(kept)
    assert detection_of(run) is not None
    older = {**report.calibration, "format": 0}
    write_detection(dataclasses.replace(report, calibration=older), run.folder)
    assert detection_of(run) is None
    (run.folder / DETECTION_FILE).write_text('{"format": 0}')
    assert detection_of(run) is None


def test_a_report_without_a_score_of_the_table_is_none_and_not_damaged(run):
    path = run.folder / DETECTION_FILE
    written = json.loads(path.read_text())
    for found in written["kinds"].values():
        del found["scores"]["regret"]
    path.write_text(json.dumps(written))
    assert detection_of(run) is None


def _without(name: str) -> Callable[[str], str]:
    return lambda text: json.dumps({k: v for k, v in json.loads(text).items() if k != name})


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-40],
        lambda _: "",
        lambda _: "[]",
        lambda text: text.replace('"false_alarms": 0', '"false_alarms": 7'),
        lambda text: text.replace('"auroc": ', '"auroc": "no" , "was": '),
        lambda text: text.replace('"kinds": {', '"kinds": 3, "were": {'),
        lambda text: json.dumps(json.loads(text) | {"kinds": {}}),
        lambda text: json.dumps(json.loads(text) | {"own_images": 0}),
        lambda text: json.dumps(json.loads(text) | {"calibration": {}}),
        _without("level"),
        _without("calibration"),
    ],
)
def test_a_damaged_one_is_named_with_what_makes_it_again(run, damage):
    path = run.folder / DETECTION_FILE
    path.write_text(damage(path.read_text()))
    with pytest.raises(RunError, match=rf"{DETECTION_FILE}.*damaged.*vae_core detect"):
        detection_of(run)


def test_what_cannot_be_written_leaves_the_old_one(run, report):
    odd = dataclasses.replace(report, false_alarms=float("nan"))
    with pytest.raises(ValueError, match="JSON"):
        write_detection(odd, run.folder)
    assert detection_of(run) is not None


# ---- in words


def made(raw: dict[str, float], others: dict[str, float], unlike: float = 1.0) -> DetectionReport:
    """A report with such AUROCs of raw log p(x) and of the other scores, by kind."""
    kinds = {
        kind: Detection(
            100,
            unlike,
            {
                score: Separation(raw[kind] if score == "log_px" else others[score], 0.5, 0.5)
                for score in SCORES
            },
        )
        for kind in raw
    }
    return DetectionReport(100, 0.03, 0.04, kinds, 0, {})


OTHERS: list[str] = [score for score in SCORES if score != "log_px"]
FAIR = dict.fromkeys(OTHERS, 0.9)


def test_where_raw_likelihood_fails_is_said_with_the_score_that_corrects_it():
    report = made({"black": 0.1, "shirts": 0.95, "noise": 1.0}, {**FAIR, "regret": 0.97})
    assert misled(report) == ["black"]
    text = " ".join(findings(report))
    assert "fails on black pages (AUROC 0.100): it ranks them above the model's own" in text
    assert "The likelihood regret corrects this: AUROC 0.970 there" in text
    assert "shirts" not in text


def test_chance_is_called_chance_and_a_failure_may_have_no_correction():
    report = made({"black": 0.5, "noise": 1.0}, dict.fromkeys(OTHERS, 0.48))
    assert misled(report) == []
    text = " ".join(findings(report))
    assert "separates black pages (AUROC 0.500) from own test images no better than" in text
    assert "No other score here corrects this." in text


def test_where_it_fails_nowhere_its_weakest_place_is_named():
    text = " ".join(findings(made({"black": 0.99, "shirts": 0.7}, {**FAIR, "combined": 0.92})))
    assert "ranks no kind above" in text
    assert "weakest against shirts (AUROC 0.700), where the p-value over all figures" in text
    assert "black" not in text


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ((1.0, 0.97), "finds 97% or more of every foreign kind."),
        ((1.0, 0.31), "finds 90% or more of every foreign kind but shirts (31%)."),
        ((0.8, 0.31), "finds of foreign images shirts (31%) and black pages (80%)."),
    ],
)
def test_what_the_verdict_misses_is_named(shares, said):
    report = made({"black": 0.99, "shirts": 0.7}, FAIR)
    kinds = {
        kind: dataclasses.replace(found, called_unlike=share)
        for (kind, found), share in zip(report.kinds.items(), shares, strict=True)
    }
    last = findings(dataclasses.replace(report, kinds=kinds))[-1]
    assert "calls 3.0% of 100 own test images unlike" in last
    assert last.endswith(said)


@pytest.mark.slow
def test_the_standard_error_is_the_spread_over_samples():
    rng, own, foreign = np.random.default_rng(0), 80, 50
    found = [
        separation(rng.normal(size=own), rng.normal(1, 1, size=foreign)).auroc for _ in range(400)
    ]
    mean = float(np.mean(found))
    kind = Detection(foreign, 0.0, {"log_px": Separation(mean, 0.0, 0.0)})
    report = DetectionReport(own, 0.0, 0.0, {"any": kind}, 0, {})
    assert report.auroc_se("any", "log_px") == pytest.approx(np.std(found), rel=0.15)


def test_the_calibration_is_read_as_before(calibration: Calibration, run):
    write_calibration(calibration, run.folder)
    found, report = calibration_of(run), detection_of(run)
    assert found is not None
    assert report is not None
    assert report.calibration["model"] == found.protocol["model"]
