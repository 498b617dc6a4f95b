"""Likelihood regret: what q gains by being made for one image."""

import pytest
import torch

from tests.vae_core.linear import linear_gaussian, linear_vae, simulated
from vae_core.runs.checkpoint import load_model
from vae_core.runs.run import Run
from vae_core.runs.store import pretrained_runs
from vae_core.scoring.figures.regret import likelihood_regret
from vae_core.scoring.foreign import foreign_images

TRUTH = linear_gaussian(d=2, pixels=6)


def shifted(by: float):
    """The linear-Gaussian model with its exact posterior, but for the mean, and the true regret.

    KL(N(μ + δ, Λ⁻¹) ‖ N(μ, Λ⁻¹)) = ½ δᵀΛδ.
    """
    model = linear_vae(TRUTH, "full")
    delta = torch.tensor([by, -by], dtype=torch.float64)
    model.state_dict()["to_posterior.diagonal.mean_and_log_scale.bias"][:2] += delta
    return model, (0.5 * delta @ TRUTH.precision @ delta).item()


def test_the_exact_posterior_leaves_nothing_to_regret():
    x, _ = simulated(TRUTH, 20)
    found = likelihood_regret(shifted(0.0)[0], x)
    assert found.amortisation.abs().max() < 1e-6


def test_regret_grows_with_the_encoders_error_and_never_exceeds_it():
    x, _ = simulated(TRUTH, 20)
    means = []
    for by in (0.02, 0.1, 0.4):
        model, exact = shifted(by)
        found = likelihood_regret(model, x)
        assert (found.amortisation <= exact + 3 * found.amortisation_se + 1e-6).all()
        means.append(found.amortisation.mean().item())
    assert 0 < means[0] < means[1] < means[2]


def test_an_image_has_the_same_regret_whatever_it_is_scored_with(finished_model, test_digits):
    together = likelihood_regret(finished_model, test_digits[:70]).amortisation
    alone = likelihood_regret(finished_model, test_digits[66:68]).amortisation
    torch.testing.assert_close(together[66:68], alone, rtol=0, atol=1e-3)


def test_images_of_another_kind_are_regretted_more(finished_model, digits, test_digits):
    inverted = foreign_images("inverted", digits.split("test")[0][:40]).float() / 255
    own, foreign = (
        likelihood_regret(finished_model, x).amortisation for x in (test_digits[:40], inverted)
    )
    assert foreign.median() > own.quantile(0.95)


def of_the_digits() -> list[Run]:
    """The models of p(x) that come with the program, for the digits."""
    found = [each for each in pretrained_runs() if each.config.dataset == "digits"]
    return [each for each in found if not each.config.model.is_conditional]


@pytest.mark.slow
def test_every_family_has_a_regret(test_digits):
    for run in of_the_digits():
        found = likelihood_regret(load_model(run.folder), test_digits[:8])
        assert found.amortisation.isfinite().all()
        assert (found.amortisation > -3 * found.amortisation_se - 0.05).all()
