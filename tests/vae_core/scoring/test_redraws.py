"""Scores of several draws of one image's binary pixels."""

import pytest
import torch

from vae_core.data.pixels import model_input
from vae_core.scoring.redraws import Redraws, redraw_steps
from vae_core.scoring.report import report_images


@pytest.fixture(scope="module")
def pixels(digits) -> torch.Tensor:
    return digits.split("test")[0][3]


@pytest.fixture(scope="module")
def redraws(finished_model, calibration, pixels) -> list[Redraws]:
    return list(redraw_steps(finished_model, pixels, 50, calibration, draws=4))


def test_they_come_one_by_one(redraws):
    assert [len(each.reports) for each in redraws] == [1, 2, 3, 4]
    assert [each.share for each in redraws] == [0.25, 0.5, 0.75, 1]
    assert redraws[-1].reports[:3] == redraws[2].reports


def test_each_is_the_report_of_its_own_draw(redraws, finished_model, calibration, pixels):
    for seed, report in enumerate(redraws[-1].reports):
        x = model_input(pixels, "dynamic", seed)
        (alone,) = report_images(finished_model, x, 50, calibration)
        assert report.score.log_px == alone.score.log_px
        assert report.verdict == alone.verdict


def test_draws_differ_and_are_counted(redraws):
    last = redraws[-1]
    assert last.log_px.unique().numel() == 4
    assert len(last.percentiles) == 4
    assert sum(count for _, count in last.verdicts) == 4
    assert last.verdicts[0][0] == max(last.verdicts, key=lambda pair: pair[1])[0]


def test_without_held_out_images_there_are_no_verdicts(finished_model, pixels):
    (only,) = redraw_steps(finished_model, pixels, 50, draws=1)
    assert (only.percentiles, list(only.verdicts)) == ([], [])
