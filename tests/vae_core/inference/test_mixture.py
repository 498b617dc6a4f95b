"""Mixtures: their densities, their draws, and the two error estimates of log p̂(x)."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.autograd.functional import jacobian
from torch.distributions import Independent, MultivariateNormal, Normal

from vae_core.inference.batch_error import BATCHES, BatchSums
from vae_core.inference.importance import RunningDensity
from vae_core.inference.mixture import GaussianMixture, KernelMixture, Mixture, joined
from vae_core.model.noise import standard_normal_log_prob

COMPONENTS, IMAGES, SIZE = 3, 2, 4


def gaussians(generator: torch.Generator, stretch: float) -> GaussianMixture:
    shape = (COMPONENTS, IMAGES, SIZE)
    lower = torch.randn(*shape, SIZE, generator=generator, dtype=torch.float64).tril(-1)
    return GaussianMixture(
        mean=torch.randn(*shape, generator=generator, dtype=torch.float64),
        share=torch.rand(shape[:2], generator=generator, dtype=torch.float64).softmax(0),
        modes=torch.ones(IMAGES, dtype=torch.int64),
        scale_tril=lower + torch.eye(SIZE, dtype=torch.float64) / 2,
        stretch=torch.full(shape[:2], stretch, dtype=torch.float64),
    )


def kernels(generator: torch.Generator) -> KernelMixture:
    shape = (COMPONENTS, IMAGES, SIZE)
    return KernelMixture(
        mean=torch.randn(*shape, generator=generator, dtype=torch.float64),
        share=torch.rand(shape[:2], generator=generator, dtype=torch.float64).softmax(0),
        modes=torch.ones(IMAGES, dtype=torch.int64),
        scale=torch.rand(shape, generator=generator, dtype=torch.float64) + 0.1,
    )


def density(mixture: Mixture, z: Tensor) -> Tensor:
    """log density of a mixture without stretched tails by PyTorch's own distributions."""
    if isinstance(mixture, GaussianMixture):
        each = MultivariateNormal(mixture.mean, scale_tril=mixture.scale_tril)
    else:
        assert isinstance(mixture, KernelMixture)
        each = Independent(Normal(mixture.mean, mixture.scale), 1)
    return (each.log_prob(z[:, None]) + mixture.share.log()).logsumexp(1)


@pytest.mark.parametrize("make", [lambda g: gaussians(g, 0.0), kernels])
def test_the_density_of_a_mixture_is_the_sum_over_its_components(make, generator):
    mixture = make(generator)
    path = mixture.path(mixture.noise(50, generator))
    assert path.z.shape == (50, IMAGES, SIZE)
    torch.testing.assert_close(path.log_q, density(mixture, path.z))


def test_a_stretched_component_has_the_density_of_its_draws(generator):
    """log q by the Jacobian of the map from noise to draws."""
    mixture = gaussians(generator, 0.3)
    epsilon = torch.randn(1, IMAGES, SIZE, generator=generator, dtype=torch.float64)

    def draw(one: Tensor) -> Tensor:
        return mixture.draws(torch.zeros(1, IMAGES, dtype=torch.long), one)

    slope = jacobian(draw, epsilon)
    found = mixture.component_log_prob(draw(epsilon))[0, 0]
    for i in range(IMAGES):
        log_abs_det = torch.linalg.slogdet(slope[0, i, :, 0, i]).logabsdet  # pyright: ignore
        expected = standard_normal_log_prob(epsilon[0, i]) - log_abs_det
        torch.testing.assert_close(found[i], expected)


@pytest.mark.slow
@pytest.mark.parametrize("make", [lambda g: gaussians(g, 0.12), kernels])
def test_the_mean_weight_of_a_normalised_density_is_one(make, generator):
    """The density is that of the same components with other shares."""
    mixture = make(generator)
    other = replace(mixture, share=mixture.share.flip(0))
    found = []
    for _ in range(300):
        path = mixture.path(mixture.noise(20, generator))
        found.append((other.log_prob(path.z) - path.log_q).exp().mean(0))
    means = torch.stack(found)
    error = means.std(0) / math.sqrt(len(means))
    assert ((means.mean(0) - 1).abs() <= 4 * error).all()


@pytest.mark.parametrize("first", [0, 7, 400])
def test_any_run_of_draws_has_the_shares_of_the_mixture(first, generator):
    mixture = kernels(generator)
    numbers = mixture.chosen(torch.randn(IMAGES, generator=generator), 1000)[first : first + 100]
    counts = torch.stack([(numbers == j).double().mean(0) for j in range(COMPONENTS)])
    assert (counts - mixture.share).abs().max() < 0.03


def test_a_component_without_a_share_is_never_chosen(generator):
    mixture = kernels(generator)
    share = torch.tensor([[0.5, 0.0], [0.0, 1.0], [0.5, 0.0]], dtype=torch.float64)
    mixture = KernelMixture(mixture.mean, share, mixture.modes, mixture.scale)
    chosen = mixture.chosen(torch.randn(IMAGES, generator=generator), 500)
    assert set(chosen[:, 0].tolist()) == {0, 2}
    assert set(chosen[:, 1].tolist()) == {1}
    assert mixture.path(mixture.noise(5, generator)).log_q.isfinite().all()


def test_mixtures_of_single_images_join_to_one(generator):
    whole = gaussians(generator, 0.12)
    first = GaussianMixture(
        whole.mean[:2, :1], whole.share[:2, :1], whole.modes[:1],
        whole.scale_tril[:2, :1], whole.stretch[:2, :1],
    )  # fmt: skip
    both = joined([first, whole.rows(slice(1, 2))])
    epsilon = both.noise(9, generator)
    path = both.path(epsilon)
    for i, alone in enumerate((first, whole.rows(torch.tensor([1])))):
        own = alone.path(epsilon[:, i : i + 1])
        torch.testing.assert_close(path.z[:, i : i + 1], own.z)
        torch.testing.assert_close(path.log_q[:, i : i + 1], own.log_q)


def test_the_error_of_batches_is_that_of_their_mean(generator):
    log_w = torch.randn(BATCHES * 50, 3, generator=generator, dtype=torch.float64)
    sums = BatchSums(torch.empty(0))
    for part in log_w.split(70):
        sums = sums.and_more(part)
    means = log_w.exp().view(50, BATCHES, 3).mean(0)
    expected = means.std(0) / math.sqrt(BATCHES) / means.mean(0)
    found = sums.se(log_w.logsumexp(0))
    assert ((found / expected - 2.365 / 1.96).abs() < 1e-3).all()


def test_too_few_draws_have_no_error_by_batches():
    sums = BatchSums(torch.empty(0)).and_more(torch.zeros(2 * BATCHES - 1, 3))
    assert torch.equal(sums.se(torch.zeros(3)), torch.zeros(3))


def test_nearly_equal_weights_have_no_heavy_tail():
    """Their largest ones may look like a heavy tail if seen from close."""
    log_w = torch.zeros(200, 1, dtype=torch.float64)
    log_w[:40, 0] = 1e-3 * (torch.arange(1, 41) / 41).double() ** -1.5
    running = RunningDensity(200)
    running.add(log_w, log_w, log_w)
    found = running.estimate()
    assert found.pareto_k <= 0.5
    assert found.trusted
