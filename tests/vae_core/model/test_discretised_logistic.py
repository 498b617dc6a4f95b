"""The discretised logistic: exact masses of the 256 values of an 8-bit pixel."""

import numpy as np
import pytest
import torch
from scipy.special import expit

from vae_core.model.likelihoods import logistic
from vae_core.model.likelihoods.discretised_logistic import DiscretisedLogistic

VALUES = torch.arange(256.0)
LOG_SCALES = torch.tensor([-12.0, -9.0, -7.0, -5.0, -3.0, -1.0, 0.0, 2.0, 5.0])[:, None, None]
MEANS = torch.tensor([-1.7, -1.0, -0.996, -0.5004, 0.0, 0.0039, 0.31, 0.998, 1.2])[:, None]
ROUNDING = 2e-7 * (-LOG_SCALES.double()).exp()
"""How well float32 knows (edge − m)/s: edges and means are known to 10⁻⁷."""


def log_masses(kind: torch.dtype) -> torch.Tensor:
    """log P(v) for all scales, means and values."""
    return logistic.log_mass(VALUES.to(kind), MEANS.to(kind), LOG_SCALES.to(kind))


def reference() -> np.ndarray:
    """The same masses as differences of σ, on the side of the mean where σ is small."""
    edges = np.concatenate([[-np.inf], (np.arange(255) - 127) / 127.5, [np.inf]])
    u = (edges - MEANS.double().numpy()) / np.exp(LOG_SCALES.double().numpy())
    low, high = u[..., :-1], u[..., 1:]
    return np.where(low > 0, expit(-low) - expit(-high), expit(high) - expit(low))


def test_the_masses_of_all_values_sum_to_one_in_float32():
    total = log_masses(torch.float32).double().exp().sum(-1)
    torch.testing.assert_close(total, torch.ones_like(total), rtol=0, atol=1e-5)


def test_the_masses_are_differences_of_the_logistic_function():
    exact, found = reference(), log_masses(torch.float64)
    assert (found <= 0).all()
    np.testing.assert_allclose(found.exp().numpy(), exact, rtol=1e-9, atol=1e-13)
    seen = exact > 1e-250
    np.testing.assert_allclose(found.numpy()[seen], np.log(exact[seen]), rtol=1e-6, atol=1e-9)


def test_float32_agrees_with_float64():
    exact = log_masses(torch.float64)
    away = (log_masses(torch.float32) - exact).abs()
    assert (away < 1e-6 * exact.abs() + 2e-6 + ROUNDING).all()


def test_gradients_are_finite_and_those_of_float64():
    found = []
    for kind in (torch.float32, torch.float64):
        at = [
            each.to(kind).expand(9, 9, 256).clone().requires_grad_() for each in (MEANS, LOG_SCALES)
        ]
        slopes = torch.autograd.grad(logistic.log_mass(VALUES.to(kind), *at).sum(), at)
        found.append(torch.stack(slopes).double())
    assert found[0].isfinite().all()
    away = (found[0] - found[1]).abs()
    assert (away < 1e-4 * found[1].abs() + 1e-3 + ROUNDING * (-LOG_SCALES).exp()).all()


def test_slopes_are_the_gradients():
    at = [each.double().expand(9, 9, 256).clone().requires_grad_() for each in (MEANS, LOG_SCALES)]
    expected = torch.autograd.grad(logistic.log_mass(VALUES.double(), *at).sum(), at)
    torch.testing.assert_close(logistic.slopes(VALUES.double(), *at), expected)


def test_the_mean_is_the_sum_over_all_values():
    expected = (log_masses(torch.float64).exp() * VALUES).sum(-1)
    at = torch.broadcast_tensors(MEANS.double(), LOG_SCALES.double())
    found = logistic.mean_value(*at)[..., 0]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize(("mean", "log_scale"), [(-0.9, -3.0), (0.2, -7.0), (0.4, 0.3)])
def test_draws_have_the_masses(mean, log_scale, generator):
    count = 50_000
    m, s = torch.full((count,), mean), torch.full((count,), log_scale)
    drawn = logistic.sample_values(m, s, generator)
    shares = torch.bincount(drawn.long(), minlength=256) / count
    masses = logistic.log_mass(VALUES.double(), m[0], s[0]).exp()
    error = (masses * (1 - masses) / count).sqrt()
    assert ((shares - masses).abs() < 5 * error + 1e-4).all()


def outputs_of(means: list[float], log_scale: float) -> torch.Tensor:
    m = torch.tensor(means, dtype=torch.float64)
    return torch.stack([m, torch.full_like(m, log_scale)], -1)


@pytest.fixture
def every_value() -> tuple[torch.Tensor, torch.Tensor]:
    """Pixels of all values (256, D), and outputs of many means and scales for each (256, D, 2)."""
    scales = LOG_SCALES[2:-1]  # a model's
    at = torch.broadcast_tensors(MEANS.double(), scales.double())
    outputs = torch.stack(at, -1).flatten(0, -2).expand(256, -1, -1)
    return logistic.pixels_of(VALUES.double())[:, None].expand(outputs.shape[:2]), outputs.clone()


def test_the_mean_curvature_is_the_fisher_information(every_value):
    likelihood = DiscretisedLogistic()
    slope, curvature = likelihood.slope_and_curvature(*every_value)
    masses = likelihood.by_pixel(*every_value).exp()[..., None, None]
    fisher = (masses * slope[..., None] * slope[..., None, :]).sum(0)
    torch.testing.assert_close((masses * curvature).sum(0), fisher, rtol=1e-6, atol=1e-9)


def test_the_curvature_is_positive_and_exact_in_the_mean(every_value):
    x, outputs = every_value
    _, curvature = DiscretisedLogistic().slope_and_curvature(x, outputs)
    largest = curvature.abs().amax((-2, -1))
    assert (torch.linalg.eigvalsh(curvature)[..., 0] >= -1e-12 * largest).all()
    mean = outputs[..., 0].clone().requires_grad_()
    log_p = logistic.log_mass(logistic.values_of(x), mean, outputs[..., 1])
    (slope,) = torch.autograd.grad(log_p.sum(), mean, create_graph=True)
    (bend,) = torch.autograd.grad(slope.sum(), mean)
    torch.testing.assert_close(curvature[..., 0, 0], -bend, rtol=1e-6, atol=1e-6)


def test_a_scale_beyond_its_limit_counts_as_the_limit():
    x = torch.tensor([[0.0, 0.2, 1.0]], dtype=torch.float64)
    low, high = logistic.LOG_SCALES
    likelihood = DiscretisedLogistic()
    for beyond, limit in ((low - 100, low), (high + 100, high)):
        found = likelihood(x, outputs_of([0.0, 0.2, -1.0], beyond)[None])
        torch.testing.assert_close(found, likelihood(x, outputs_of([0.0, 0.2, -1.0], limit)[None]))
        assert found.isfinite().all()


def test_initial_outputs_have_the_mean_they_were_made_for():
    likelihood = DiscretisedLogistic()
    mean = torch.tensor([0.02, 0.3, 0.5, 0.9], dtype=torch.float64)
    outputs = likelihood.initial_outputs(mean)
    assert outputs.shape == (4, 2)
    torch.testing.assert_close(likelihood.mean(outputs), mean)
    assert likelihood.initial_outputs(torch.tensor([0.0, 1.0])).isfinite().all()
