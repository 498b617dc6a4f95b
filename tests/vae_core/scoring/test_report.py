"""Score reports of images and of files: every figure, its calibration, and bad files."""

import io
import json
import math

import pytest
import torch
from PIL import Image

from tests.vae_core.scoring.test_score import run_to_the_end
from vae_core.cli.rows import COLUMNS, PREPARATION, as_row
from vae_core.data.decode import ImageError
from vae_core.data.pixels import model_input
from vae_core.scoring.figures.complexity import code_length
from vae_core.scoring.figures.regret import likelihood_regret
from vae_core.scoring.files import score_files
from vae_core.scoring.foreign import foreign_images
from vae_core.scoring.judge import Judge, as_judge
from vae_core.scoring.report import report_images, report_steps
from vae_core.scoring.score import score_images
from vae_core.settings.choices import Binarisation
from vae_core.wording.verdict import report_sentence

# ---- reports


def test_a_report_holds_what_each_figure_is_alone(finished_model, calibration, test_digits):
    x = test_digits[:6]
    reports = report_images(finished_model, x, 300, calibration)
    scores = score_images(finished_model, x, 300, calibration)
    assert [r.score for r in reports] == scores
    assert [r.code_bits for r in reports] == code_length(x).tolist()
    regret = likelihood_regret(finished_model, x, calibration.seed)
    assert [r.regret for r in reports] == pytest.approx(regret.amortisation.tolist())
    for report in reports:
        bits = report.score.bits_per_dim * 64 - report.code_bits
        assert report.complexity_corrected == pytest.approx(bits)


def test_figures_are_compared_as_the_held_out_ones_were_made(
    finished_model, calibration, test_digits
):
    """Another K changes the score, not the judgement."""
    few, many = (report_images(finished_model, test_digits[:5], k, calibration) for k in (20, 400))
    for a, b in zip(few, many, strict=True):
        assert a.score.log_px != b.score.log_px
        assert a.judgement == b.judgement
        assert a.judgement is not None
        assert a.score.place is not None
        assert a.judgement.values["log_px"] == a.score.place.log_px
        assert a.judgement.percentiles["log_px"] == a.score.percentile
        assert a.verdict == a.judgement.verdict


def test_steps_lead_to_the_same_report(finished_model, calibration, test_digits):
    x = test_digits[3:4]
    shares, ((report, course),) = run_to_the_end(report_steps(finished_model, x, 2500, calibration))
    (expected,) = report_images(finished_model, x, 2500, calibration)
    assert report.judgement == expected.judgement
    assert report.neighbours == expected.neighbours
    assert course.log_px[-1] == report.score.log_px
    assert shares[-1] == 1


@pytest.mark.slow
def test_digits_are_typical_and_other_pictures_are_not(
    finished_model, calibration, digits, test_digits
):
    def called_unlike(x: torch.Tensor) -> float:
        verdicts = [r.verdict for r in report_images(finished_model, x, 20, calibration)]
        return verdicts.count("unlike the training data") / len(verdicts)

    assert called_unlike(test_digits) <= 0.08
    for kind in ("noise", "black", "white", "stripes", "inverted", "permuted"):
        foreign = foreign_images(kind, digits.split("test")[0][:20])
        assert called_unlike(model_input(foreign[0], "dynamic")) == 1, kind
        x = torch.cat([model_input(image, "dynamic") for image in foreign])
        assert called_unlike(x) >= 0.95, kind


def test_without_a_calibration_there_are_figures_and_no_verdict(finished_model, test_digits):
    (bare,) = report_images(finished_model, test_digits[:1], 50)
    assert bare.score.place is bare.verdict is None
    assert bare.neighbours is bare.classes is bare.judgement is None
    assert report_sentence(bare) == ""
    assert bare.values["log_px"] == bare.score.log_px
    assert math.isnan(bare.values["latent_distance"]), "no training latent is known"
    (other,) = report_images(finished_model, test_digits[:1], 50, seed=1)
    assert other.regret != bare.regret


def test_another_seed_changes_the_estimate_and_not_what_is_compared(
    finished_model, calibration, test_digits
):
    x = test_digits[:3]
    reports, others = (report_images(finished_model, x, 50, calibration, seed) for seed in (0, 5))
    for one, other in zip(reports, others, strict=True):
        assert one.score.log_px != other.score.log_px
        assert one.regret == other.regret
        assert one.judgement == other.judgement


@pytest.mark.slow
def test_the_nearest_training_images_are_mostly_of_the_same_digit(
    finished_model, calibration, digits, test_digits
):
    labels = digits.split("test")[1][:100].tolist()
    reports = report_images(finished_model, test_digits[:100], 10, calibration)
    training = digits.split("train")[1]
    near = [r.neighbours for r in reports if r.neighbours]
    assert all(training[n.indices[0]] == n.labels[0] for n in near)
    same = sum(n.labels[0] == label for n, label in zip(near, labels, strict=True))
    right = sum(r.classes.best == y for r, y in zip(reports, labels, strict=True) if r.classes)
    assert same >= 65
    assert right >= 70


# ---- files


def png(grey: torch.Tensor) -> bytes:
    out = io.BytesIO()
    Image.fromarray(grey.numpy()).save(out, "PNG")
    return out.getvalue()


def test_a_file_that_cannot_be_read_is_named_and_the_rest_are_scored(
    finished_model, digits, calibration
):
    images = digits.split("test")[0][:, 0]
    files = [
        ("first.png", png(images[0])),
        ("broken.png", png(images[1])[:60]),
        ("missing.png", ImageError("missing.png cannot be opened; check where it lies.")),
        ("last.png", png(images[2])),
    ]
    results = list(score_files(finished_model, files, 100, as_judge(calibration)))
    assert [r.file for r in results] == [name for name, _ in files]
    assert [r.score is not None for r in results] == [True, False, False, True]
    assert "broken.png" in results[1].error
    assert results[2].error.startswith("missing.png cannot be opened")
    rows = [as_row(r) for r in results]
    assert list(rows[0]) == ["file", "ok", "sha256", *PREPARATION, *COLUMNS]
    assert rows[1] == {"file": "broken.png", "ok": False, "error": results[1].error}
    json.dumps(rows)


@pytest.mark.slow
def test_a_file_of_a_test_image_scores_as_the_image_does(finished_model, digits):
    pixels = digits.split("test")[0][:40]
    files = [(f"{i}.png", png(image[0])) for i, image in enumerate(pixels)]
    results = list(score_files(finished_model, files, 50))
    x = torch.cat([model_input(image, "dynamic") for image in pixels])
    expected = score_images(finished_model, x, 50)
    assert len(results) == 40, "more than a batch"
    for result, score in zip(results, expected, strict=True):
        assert result.score is not None
        assert result.score.log_px == pytest.approx(score.log_px, abs=1e-4)


def test_scores_of_another_binarisation_have_no_percentile(finished_model, digits, calibration):
    file = ("a.png", png(digits.split("test")[0][0, 0]))
    cases: list[tuple[Binarisation, bool]]
    cases = [("dynamic", True), ("threshold", False), ("none", False)]
    for binarisation, compared in cases:
        judge = Judge.of(calibration, binarisation)
        (result,) = score_files(finished_model, [file], 50, judge)
        assert result.score is not None
        assert result.report is not None
        assert (result.report.verdict is not None) is compared
        assert (result.score.percentile is not None) is compared


def test_no_files_give_no_scores(finished_model):
    assert list(score_files(finished_model, [], 10)) == []
