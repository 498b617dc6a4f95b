"""Scores of images: their place among held-out ones, their course and their pixels."""

import dataclasses
import math
from collections.abc import Iterable
from typing import TypeVar

import pytest
import torch

from vae_core.basics.progress import Step, result_of
from vae_core.data.pixels import evaluation_images, model_input
from vae_core.inference.importance import log_density, log_density_steps
from vae_core.inference.proposals import refine, refined_log_density
from vae_core.scoring.context import ImageContext
from vae_core.scoring.pixel_map import pixel_terms
from vae_core.scoring.place import Place
from vae_core.scoring.score import Score, convergence_steps, score_images
from vae_core.scoring.typicality import verdict_of

T = TypeVar("T")


def place(values, log_px: float) -> Place:
    return Place.among(torch.as_tensor(values, dtype=torch.float64), log_px)


def run_to_the_end(steps: Iterable[Step[T]]) -> tuple[list[float], T]:
    """Shares of all steps, and the result of the last."""
    taken = list(steps)
    return [step.share for step in taken], result_of(taken)


# ---- the place among held-out images


def test_the_percentile_is_the_share_that_scores_lower_and_ties_count_half():
    held_out = [-4.0, -3.0, -3.0, -1.0]
    assert [place(held_out, v).percentile for v in (-9, -4, -3.5, -3, -1, 0)] == [
        0, 12.5, 25, 50, 87.5, 100,
    ]  # fmt: skip


def test_both_ends_are_atypical():
    held_out = torch.arange(1000)
    verdicts = {v: verdict_of(place(held_out, v).tail) for v in (-1, 30.5, 500.5, 970.5, 2000)}
    assert verdicts == {
        -1: "unlike the training data",
        30.5: "unusual",
        500.5: "typical",
        970.5: "unusual",
        2000: "unlike the training data",
    }


def test_few_held_out_images_cannot_call_anything_unlike_them():
    assert verdict_of(place(torch.arange(30), -1e9).tail) == "unusual"


@pytest.mark.parametrize("level", [0.01, 0.1, 0.5])
def test_an_image_of_the_data_is_flagged_no_more_often_than_the_level_says(level):
    draws = torch.randn(2000, 251, generator=torch.Generator().manual_seed(0))
    tails = [place(row[1:], row[0].item()).tail for row in draws.double()]
    flagged = sum(tail <= level for tail in tails) / len(tails)
    assert flagged <= level + 3 * math.sqrt(level * (1 - level) / len(tails))
    assert flagged >= 0.6 * level


def test_the_error_of_a_percentile_covers_the_truth():
    draws = torch.randn(1000, 200, generator=torch.Generator().manual_seed(1)).double()
    for score, truth in ((-1.0, 15.866), (0.0, 50.0), (2.0, 97.725)):
        places = [place(row, score) for row in draws]
        covered = [abs(p.percentile - truth) <= 2 * p.percentile_se for p in places]
        assert sum(covered) / len(covered) > 0.93
    assert place(draws[0], -99).percentile_se > 0


def test_a_held_out_image_scored_again_finds_itself_whatever_k(finished_model, calibration, digits):
    x, _ = evaluation_images(digits, "validation", "dynamic", 0, 5)
    for samples in (20, 200, 300):
        scores = score_images(finished_model, x, samples, calibration)
        found = torch.tensor([s.place.log_px for s in scores if s.place], dtype=torch.float64)
        expected = calibration.held_out.log_px[:5]
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_the_percentile_compares_equal_k_alone(finished_model, calibration, test_digits):
    """Another K is another score, but no other place."""
    one, many = (score_images(finished_model, test_digits[:30], k, calibration) for k in (1, 500))
    assert all(a.log_px != b.log_px for a, b in zip(one, many, strict=True))
    assert [a.percentile for a in one] == [b.percentile for b in many]


def test_held_out_scores_are_compared_with_scores_by_their_own_k_and_seed(
    finished_model, calibration, test_digits
):
    x, protocol = test_digits[:3], {**calibration.protocol, "importance_samples": 50, "seed": 3}
    other = dataclasses.replace(calibration, protocol=protocol)
    scores = score_images(finished_model, x, 300, other)
    expected = refined_log_density(finished_model, x, 50, 3).log_px.tolist()
    assert [s.place.log_px for s in scores if s.place] == pytest.approx(expected, abs=1e-4)
    assert [s.log_px for s in scores] == pytest.approx(
        refined_log_density(finished_model, x, 300, 0).log_px.tolist(), abs=1e-4
    )
    assert [s.refined for s in scores] == refine(finished_model, x).is_fitted.tolist()


# ---- the numbers


def test_bits_per_dim_are_nats_in_other_units(trained, test_digits):
    (score,) = score_images(trained("full"), test_digits[:1], 100)
    assert math.isclose(score.bits_per_dim * 64 * math.log(2), -score.log_px)


@pytest.mark.parametrize(("se", "trusted"), [(0.1, True), (0.0, True), (math.nan, False)])
def test_a_score_is_trusted_if_its_error_is_known(se, trusted):
    score = Score(-1.0, se, 50.0, 0.3, 0.1, -2.0, -1.0, 1.0, 500, True)
    assert score.trusted is trusted


def test_steps_lead_to_the_same_score(trained, test_digits):
    images = ImageContext(trained("full"), test_digits[3:4], 2500)
    shares, (course,) = run_to_the_end(convergence_steps(images))
    found = images.estimate()
    (expected,) = score_images(trained("full"), test_digits[3:4], 2500)
    assert math.isclose(found.log_px.item(), expected.log_px, abs_tol=1e-9)
    assert math.isclose(found.pareto_k.item(), expected.pareto_k, abs_tol=1e-6)
    assert shares == sorted(shares)
    assert all(0 < share <= 1 for share in shares)
    assert (course.samples[-1], course.log_px[-1]) == (2500, found.log_px.item())
    assert course.se[-1] == found.se.item()


@pytest.mark.parametrize("samples", [1, 7, 10, 100, 1000])
def test_the_course_ends_at_k_and_has_evenly_spread_stops(samples, trained, test_digits):
    images = ImageContext(trained("full"), test_digits[:1], samples)
    _, (course,) = run_to_the_end(convergence_steps(images))
    assert course.samples[0] == min(10, samples)
    assert course.samples[-1] == samples
    assert list(course.samples) == sorted(set(course.samples))
    assert len(course.log_px) == len(course.se) == len(course.samples)


def test_the_estimate_on_the_way_is_that_of_fewer_samples(trained, test_digits):
    """A chunk's noise is the same however many chunks follow; halts within one change nothing."""
    model, x = trained("full"), test_digits[:2]
    seen = {}
    for running in log_density_steps(model, x, 3000, stops=(17, 400, 1000, 2222)):
        seen[running.samples] = running.estimate()
    assert sorted(seen) == [17, 400, 1000, 2000, 2222, 3000]
    for samples in (1000, 2000, 3000):
        alone = log_density(model, x, samples)
        for name in ("log_px", "se", "ess", "elbo", "expected_log_likelihood", "kl", "pareto_k"):
            torch.testing.assert_close(
                getattr(seen[samples], name),
                getattr(alone, name),
                rtol=1e-6,
                atol=1e-6,
                equal_nan=True,
            )


def test_work_can_be_left_unfinished(trained, test_digits):
    steps = convergence_steps(ImageContext(trained("full"), test_digits[:1], 1_000_000))
    assert next(steps).share <= 0.001


def test_a_number_of_samples_out_of_range_is_refused(trained, test_digits):
    with pytest.raises(ValueError, match="1 to 1,000,000"):
        ImageContext(trained("full"), test_digits[:1], 0)
    with pytest.raises(ValueError, match="1 to 1,000,000"):
        score_images(trained("full"), test_digits[:1], 1_000_001)


# ---- pixels


def test_the_pixels_add_up_to_the_first_term_of_the_elbo(trained, test_digits):
    model, x = trained("full"), test_digits[:1]
    terms = pixel_terms(model, x, samples=20_000)
    expected = log_density(model, x, 20_000).expected_log_likelihood.item()
    assert terms.log_likelihood.shape == terms.reconstruction.shape == (1, 8, 8)
    assert terms.log_likelihood.sum().item() == pytest.approx(expected, abs=0.1)
    assert (terms.log_likelihood <= 0).all()
    assert ((terms.reconstruction >= 0) & (terms.reconstruction <= 1)).all()


def test_the_surprising_pixel_is_the_one_that_was_changed(trained, test_digits):
    x = test_digits[:1].clone()
    x[0, 0, 3, 0] = 1  # the left edge of a digit is always dark
    flat = pixel_terms(trained("full"), x).log_likelihood.flatten()
    assert flat.argmin().item() == 3 * 8


def test_an_image_always_gets_the_same_draw():
    pixels = torch.full((1, 8, 8), 128, dtype=torch.uint8)
    assert torch.equal(model_input(pixels, "dynamic"), model_input(pixels, "dynamic"))
    assert not torch.equal(model_input(pixels, "dynamic"), model_input(pixels, "dynamic", seed=1))


def test_no_two_images_share_the_noise_of_their_draws():
    """A draw that suits one would suit all, and the error of a mean would not fall with them."""
    pixels = torch.full((1, 8, 8), 128, dtype=torch.uint8)
    other = pixels.clone()
    other[0, 0, 0] = 129
    same = model_input(pixels, "dynamic") == model_input(other, "dynamic")
    assert 0.2 < same.double().mean() < 0.8
