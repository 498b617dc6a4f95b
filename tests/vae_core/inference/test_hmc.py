"""Hamiltonian Monte Carlo on densities whose moments are known."""

import itertools
import math

import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from tests.vae_core.linear import linear_gaussian, linear_vae, simulated
from vae_core.inference.hmc import (
    RunningChains,
    StepSize,
    hmc_steps,
    posterior_steps,
    split_r_hat,
    state_at,
    transition,
)

COVARIANCE = torch.tensor([[1.0, 0.8, 0.0], [0.8, 1.0, -0.3], [0.0, -0.3, 0.5]]).double()
SCALES = torch.tensor([1.0, 0.05]).double()  # of two images
MEANS = torch.tensor([[1.0, -2.0, 0.5], [0.0, 0.3, 0.0]]).double()
TARGET = MultivariateNormal(MEANS, SCALES[:, None, None] ** 2 * COVARIANCE)
PRECISION = TARGET.precision_matrix


def log_target(z: Tensor) -> Tensor:
    """The log density of the target, up to a constant."""
    centred = z - MEANS
    return -0.5 * torch.einsum("nbi,bij,nbj->nb", centred, PRECISION, centred)


def last(chains) -> RunningChains:
    *_, running = chains
    return running


@pytest.fixture(scope="module")
def gaussian_chains() -> RunningChains:
    start = TARGET.mean + 3 * torch.randn(24, 2, 3, generator=torch.Generator().manual_seed(5))
    return last(hmc_steps(log_target, start.double(), draws=800, warmup=300))


@pytest.mark.thorough
def test_a_correlated_gaussian_is_sampled_right(gaussian_chains):
    draws = gaussian_chains.draws.flatten(0, 1)  # (S · chains, B, d)
    assert draws.shape == (19_200, 2, 3)
    error = (draws.mean(0) - MEANS) / SCALES[:, None]
    assert (error.abs() < 0.06).all()
    for image in range(2):
        covariance = torch.cov(draws[:, image].T) / SCALES[image] ** 2
        assert ((covariance - COVARIANCE).abs() < 0.1).all()


def test_the_chains_agree_and_are_accepted_as_often_as_asked(gaussian_chains):
    assert (gaussian_chains.r_hat() < 1.02).all()
    assert ((gaussian_chains.acceptance - 0.75).abs() < 0.07).all()


def test_every_image_finds_its_own_step_size(gaussian_chains):
    wide, narrow = gaussian_chains.step_size
    assert math.isclose(wide / narrow, 20, rel_tol=0.2)


@pytest.mark.slow
@pytest.mark.parametrize("target", [0.6, 0.9])
def test_the_acceptance_follows_the_target(target):
    start = MEANS.expand(8, 2, 3)
    running = last(hmc_steps(log_target, start, 200, 300, target=target))
    assert ((running.acceptance - target).abs() < 0.08).all()


def test_a_transition_leaves_the_density_as_it_is(generator):
    """Exact draws stay exact draws at a step so long that half the paths are refused."""
    start = torch.randn(40_000, 1, 1, generator=generator, dtype=torch.float64)

    def log_prob(z: Tensor) -> Tensor:
        return -0.5 * z.square().sum(-1)

    step = torch.tensor([1.9], dtype=torch.float64)
    state, acceptance = transition(log_prob, state_at(log_prob, start), step, 3, generator)
    assert 0.3 < acceptance.mean() < 0.9
    assert abs(state.z.mean()) < 4 / 200
    assert abs(state.z.square().mean() - 1) < 4 * math.sqrt(2) / 200
    assert abs(state.z.pow(4).mean() - 3) < 4 * math.sqrt(96) / 200
    torch.testing.assert_close(state.log_prob, log_prob(state.z))
    torch.testing.assert_close(state.gradient, -state.z)


def test_short_steps_keep_the_energy(generator):
    """The error of the leapfrog falls with the square of the step."""
    unit = torch.randn(400, 2, 3, generator=generator, dtype=torch.float64)
    start = state_at(log_target, TARGET.mean + (TARGET.scale_tril @ unit[..., None])[..., 0])
    lost = []
    for step in (0.2, 0.1):
        noise = torch.Generator().manual_seed(3)
        _, acceptance = transition(log_target, start, step * SCALES, round(2 / step), noise)
        lost.append(1 - acceptance.mean().item())
    assert 3 < lost[0] / lost[1] < 5.5


def test_a_path_into_nothing_is_refused(generator):
    start = torch.full((40, 1, 1), 0.5)

    def log_prob(z: Tensor) -> Tensor:
        return (torch.log(z) - z).sum(-1)  # NaN below 0

    state, step = state_at(log_prob, start), torch.tensor([2.5])
    for _ in range(3):
        state, _ = transition(log_prob, state, step, 3, generator)
    assert (state.z > 0).all()
    assert state.log_prob.isfinite().all()
    assert state.gradient.isfinite().all()
    assert (state.z == 0.5).any()
    assert (state.z != 0.5).any()


def test_split_r_hat_is_the_textbook_formula(generator):
    draws = torch.randn(100, 3, generator=generator, dtype=torch.float64)
    draws[:, 1] += 0.7
    halves = [
        draws[part, chain].numpy() for chain in range(3) for part in (slice(50), slice(50, 100))
    ]
    grand = sum(h.mean() for h in halves) / 6
    between = 50 / 5 * sum((h.mean() - grand) ** 2 for h in halves)
    within = sum(h.var(ddof=1) for h in halves) / 6
    expected = math.sqrt((49 / 50 * within + between / 50) / within)
    assert math.isclose(split_r_hat(draws).item(), expected, rel_tol=1e-12)


def test_r_hat_sees_chains_apart_and_chains_that_drift(generator):
    same = torch.randn(400, 4, generator=generator)
    assert split_r_hat(same) < 1.02
    assert split_r_hat(same + torch.tensor([0.0, 0.0, 0.0, 3.0])) > 1.3
    assert split_r_hat(same + torch.linspace(0, 3, 400)[:, None]) > 1.1
    assert split_r_hat(same[:3]).isnan()


def test_the_same_seed_gives_the_same_draws_and_another_gives_others():
    start = MEANS.expand(2, 2, 3)
    first, again, other = (
        last(hmc_steps(log_target, start, 5, 5, seed=seed)).draws for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_it_can_be_watched_and_left_at_any_time():
    chains = hmc_steps(log_target, MEANS.expand(4, 2, 3), draws=50, warmup=20)
    seen = [(r.share, len(r.draws)) for r in itertools.islice(chains, 27)]
    assert seen[19] == (20 / 70, 0)
    assert seen[26] == (27 / 70, 7)
    assert next(chains).r_hat().shape == (2, 3)


def test_the_step_size_stays_once_the_warm_up_is_over():
    chains = hmc_steps(log_target, MEANS.expand(4, 2, 3), draws=20, warmup=20)
    sizes = [running.step_size.clone() for running in chains]
    assert not torch.equal(sizes[0], sizes[19])
    assert all(torch.equal(sizes[19], size) for size in sizes[19:])


def test_the_step_size_rises_when_too_much_is_accepted():
    step = StepSize(torch.ones(2), target=0.7)
    step.update(torch.tensor([[1.0, 0.0], [1.0, 0.2]]))
    assert step.value[0] > 1 > step.value[1]


@pytest.mark.thorough
@pytest.mark.slow
def test_the_posterior_of_a_linear_model_is_sampled_right():
    truth = linear_gaussian(3, 12)
    x, _ = simulated(truth, 4)
    draws = last(posterior_steps(linear_vae(truth), x, draws=500, warmup=200)).draws.flatten(0, 1)
    exact = truth.posterior(x)
    mean, variance = exact.moments(0)
    assert ((draws.mean(0) - mean) / variance.sqrt()).abs().max() < 0.15
    assert (draws.var(0) / variance - 1).abs().max() < 0.2
    correlation = torch.corrcoef(draws[:, 0].T)
    covariance = exact.scale_tril[0] @ exact.scale_tril[0].T
    expected = covariance / (variance[0, :, None] * variance[0]).sqrt()
    assert (correlation - expected).abs().max() < 0.08


@pytest.mark.parametrize("numbers", [(0, 10, 5), (10, 0, 5), (10, 10, 0)])
def test_numbers_that_cannot_work_are_refused(numbers):
    with pytest.raises(ValueError, match="at least one"):
        next(hmc_steps(log_target, MEANS.expand(2, 2, 3), *numbers))
