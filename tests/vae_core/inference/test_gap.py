"""q refitted to an image, and the gap taken apart, against models whose answers are known."""

from collections.abc import Iterable
from typing import TypeVar

import pytest
import torch

from tests.vae_core.conftest import FAMILIES
from tests.vae_core.handmade import linear_model, ridge_model
from tests.vae_core.linear import linear_gaussian, simulated
from vae_core.inference.elbo import monte_carlo
from vae_core.inference.fitting import Fit, Schedule, log_weights
from vae_core.inference.gap import Gap, gap, regret
from vae_core.inference.quadrature import quadrature
from vae_core.inference.refit import OwnPosterior, own_parameters, refit
from vae_core.model.vae import VAE
from vae_core.settings.choices import PosteriorName
from vae_core.settings.config import ModelConfig

T = TypeVar("T")
ONE_PIXEL = torch.tensor([0.0, 1.0, 0.3], dtype=torch.float64).view(3, 1, 1, 1)


def last(states: Iterable[T]) -> T:
    *_, final = states
    return final


def gap_by_quadrature(model: VAE, x: torch.Tensor, schedule: Schedule | None = None) -> Gap:
    exact = quadrature(model, x)
    return gap(model, x, last(refit(model, x, schedule)).posterior, exact.log_px, exact.error)


@pytest.mark.parametrize("d", [2, 5])
@pytest.mark.parametrize("family", FAMILIES)
def test_before_the_first_step_q_is_the_encoders(family, d, generator):
    """Also where a family's code cannot be mapped over images."""
    config = ModelConfig(posterior=family, latent_size=d, hidden_size=8, image_shape=(1, 3, 3))
    model = VAE(config).double()
    x = torch.rand(3, 1, 3, 3, generator=generator, dtype=torch.float64)
    q = model.posterior(x)
    epsilon = q.noise(4, generator)
    with torch.no_grad():
        path = q.path(epsilon)
        for vectorised in (True, False):
            own = OwnPosterior(model.to_posterior, own_parameters(model, x), d, vectorised)
            own_path = own.path(epsilon)
            assert len(own_path.points) == len(path.points)
            torch.testing.assert_close(own_path.z, path.z, rtol=0, atol=1e-9)
            torch.testing.assert_close(own_path.log_q, path.log_q, rtol=0, atol=1e-9)
            kl = model.prior.kl(q, path.z, path.log_q)
            torch.testing.assert_close(model.prior.kl(own, path.z, path.log_q), kl)
            torch.testing.assert_close(own.score(own_path), q.score(path))
            part = own.rows(slice(1, 2)).path(epsilon[:, 1:2])
            torch.testing.assert_close(part.z, path.z[:, 1:2], rtol=0, atol=1e-9)


def test_moments_of_a_refitted_gaussian_are_exact():
    model = ridge_model("full")
    start = next(iter(refit(model, ONE_PIXEL)))
    for own, expected in zip(
        start.posterior.moments(0), model.posterior(ONE_PIXEL).moments(0), strict=True
    ):
        torch.testing.assert_close(own, expected)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_a_few_steps_raise_the_elbo_of_every_family(family):
    states = refit(ridge_model(family), ONE_PIXEL, Schedule(most_steps=40))
    elbos = torch.stack([state.elbo for state in states])
    assert (elbos[-1] > elbos[0] + 0.1).all()


@pytest.fixture(scope="module")
def digit_gap(trained, test_digits) -> Gap:
    return gap_by_quadrature(trained("full"), test_digits[:6])


@pytest.mark.thorough
def test_both_gaps_are_non_negative_within_error(digit_gap):
    assert (digit_gap.approximation > -3 * digit_gap.approximation_se).all()
    assert (digit_gap.amortisation > -3 * digit_gap.amortisation_se).all()
    assert (digit_gap.amortisation > 3 * digit_gap.amortisation_se).any()


def test_the_gaps_add_up_to_the_whole(digit_gap):
    whole = digit_gap.log_px - digit_gap.elbo
    torch.testing.assert_close(digit_gap.approximation + digit_gap.amortisation, whole)


@pytest.mark.thorough
@pytest.mark.slow
def test_a_richer_family_has_a_smaller_approximation_gap():
    x, brisk = ONE_PIXEL[:2], Schedule(rate=0.02, most_steps=500)
    families: list[PosteriorName] = ["mean-field", "full", "planar", "iaf"]
    gaps = {family: gap_by_quadrature(ridge_model(family), x, brisk) for family in families}
    for poorer, richer in [("mean-field", "full"), ("full", "planar"), ("full", "iaf")]:
        drop = gaps[poorer].approximation - gaps[richer].approximation
        error = gaps[poorer].approximation_se + gaps[richer].approximation_se
        assert (drop > 4 * error).all(), (poorer, richer)
    for each in gaps.values():
        assert (each.approximation > -3 * each.approximation_se).all()


@pytest.mark.thorough
@pytest.mark.slow
def test_the_approximation_gap_of_a_linear_model_is_the_known_one():
    truth = linear_gaussian(d=3, pixels=6)
    x, _ = simulated(truth, 2)
    exact = truth.log_px(x)
    known_gaps: dict[PosteriorName, float] = {
        "mean-field": truth.mean_field_gap.item(),
        "full": 0.0,
    }
    for family, known in known_gaps.items():
        model = linear_model(truth, family)
        parts = gap(model, x, last(refit(model, x)).posterior, exact, torch.zeros(2))
        error = (parts.approximation - known).abs()
        assert (error < 3 * parts.approximation_se + 5e-3).all(), family


@pytest.mark.slow
def test_no_image_depends_on_the_others():
    """Nor on how long they take: some stop early here and some do not."""
    model = ridge_model("planar")
    schedule = Schedule(rate=0.03, check_every=5, patience=1, rates=2, most_steps=120)
    together = last(refit(model, ONE_PIXEL, schedule))
    assert len(together.steps.unique()) > 1
    epsilon = together.posterior.noise(5)
    assert isinstance(together.posterior, OwnPosterior)
    for i in range(3):
        alone = last(refit(model, ONE_PIXEL[i : i + 1], schedule))
        assert alone.steps.item() == together.steps[i].item()
        z = alone.posterior.path(epsilon[:, i : i + 1]).z
        expected = together.posterior.rows(slice(i, i + 1)).path(epsilon[:, i : i + 1]).z
        torch.testing.assert_close(z, expected, rtol=0, atol=1e-6)


def test_a_fit_changes_nothing_in_the_model(trained, test_digits):
    model = trained("full")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    last(refit(model, test_digits[:2], Schedule(most_steps=40)))
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_a_fit_leaves_the_head_to_others_while_it_runs():
    """A model is shared by pages: its head must never hold the weights of one image."""
    model, callers = ridge_model("full"), []
    model.to_posterior.register_forward_hook(lambda head, *_: callers.append(head))
    last(refit(model, ONE_PIXEL, Schedule(most_steps=20)))
    assert callers
    assert all(head is not model.to_posterior for head in callers)


def test_q_against_itself_has_no_amortisation_gap_and_no_error():
    model = ridge_model("full")
    parts = regret(model, ONE_PIXEL, model.posterior(ONE_PIXEL), 100)
    assert (parts.amortisation == 0).all()
    assert (parts.amortisation_se == 0).all()


@pytest.mark.slow
def test_a_measured_elbo_is_not_flattered_by_the_noise_of_the_fit(generator):
    """Fitted to two draws, which it comes to know by heart."""
    model, x = ridge_model("full"), ONE_PIXEL[:1]
    few = last(refit(model, x, Schedule(samples=2, check_samples=2, rate=0.03)))
    parts = regret(model, x, few.posterior)
    fresh = few.posterior.noise(20_000, generator)
    with torch.no_grad():
        elbo, se = monte_carlo(log_weights(model, x, few.posterior, fresh))
    assert abs(elbo - parts.best_elbo) < 4 * (se + parts.best_elbo_se)
    assert few.elbo > elbo + 10 * se


@pytest.mark.slow
def test_a_fit_says_whether_it_converged():
    model, x = ridge_model("full"), ONE_PIXEL[:1]
    short = last(refit(model, x, Schedule(most_steps=30)))
    assert (short.done, short.converged.item(), short.steps.item()) == (True, False, 30)
    states: list[Fit] = list(refit(model, x, Schedule(rate=0.03)))
    assert states[-1].done
    assert states[-1].converged.item()
    assert states[-1].steps.item() < Schedule().most_steps
    shares = [state.share for state in states]
    assert shares == sorted(shares)
    assert states[-1].trace.shape == (len(states), 1)
