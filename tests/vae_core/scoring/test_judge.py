"""Images are compared with held-out ones of their own binarisation alone."""

import pytest

from vae_core.scoring.judge import Judge, as_judge
from vae_core.scoring.report import report_images


def test_a_calibration_of_another_binarisation_is_dropped(calibration):
    assert Judge.of(calibration, "dynamic").calibration is calibration
    for other in ("threshold", "none"):
        assert Judge.of(calibration, other) == Judge(other, None)
    assert Judge.of(None, "dynamic").calibration is None


def test_a_calibration_stands_for_the_judge_of_its_own_binarisation(
    calibration, finished_model, test_digits
):
    judge = as_judge(calibration)
    assert (judge.binarisation, judge.calibration) == ("dynamic", calibration)
    assert as_judge(judge) is judge
    assert as_judge(None) == Judge()
    x = test_digits[:2]
    reports = [report_images(finished_model, x, 50, each) for each in (judge, calibration)]
    assert reports[0] == reports[1]


def test_the_place_is_that_among_the_held_out_scores(calibration, finished_model, test_digits):
    images = Judge.of(calibration, "dynamic").context(finished_model, test_digits[:3], 20, 0)
    places = as_judge(calibration).places(images)
    log_px = calibration.measure(finished_model, test_digits[:3]).log_px
    assert [place.log_px for place in places if place] == pytest.approx(log_px.tolist())
    below = (calibration.held_out.log_px < log_px[0]).sum().item()
    assert places[0] is not None
    assert places[0].lower == below
    assert Judge().places(images) == [None] * 3
