"""Quadrature against closed forms, and against a plain grid written from the definitions."""

import copy
import math

import pytest
import torch

from tests.vae_core.inference.test_importance import log_p_by_quadrature
from tests.vae_core.linear import linear_gaussian, linear_vae, simulated
from vae_core.basics.paths import pretrained_folder
from vae_core.inference.annealing import Annealing, ais
from vae_core.inference.quadrature import posterior_grid, quadrature
from vae_core.model.linear_gaussian import LinearGaussian
from vae_core.model.vae import VAE
from vae_core.runs.checkpoint import load_model
from vae_core.settings.config import ModelConfig


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits-full-d2", "digits-iaf-d2"])
def test_it_agrees_with_a_plain_fine_grid(name, test_digits):
    model, x = load_model(pretrained_folder() / name), test_digits[:4]
    exact = quadrature(model, x)
    assert exact.reached.all()
    assert (exact.error <= 1e-3).all()
    plain = log_p_by_quadrature(model, x)
    assert ((exact.log_px - plain).abs() <= 1e-3).all()


@pytest.mark.thorough
@pytest.mark.slow
def test_annealing_which_knows_no_grid_agrees(test_digits):
    model, x = load_model(pretrained_folder() / "digits-full-d2"), test_digits[:4]
    annealed = ais(model, x, Annealing(chains=24, temperatures=500, leapfrog_steps=5))
    exact = quadrature(model, x)
    assert ((exact.log_px - annealed.log_px).abs() <= 4 * annealed.se + 0.02).all()


@pytest.mark.slow
@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("scale", [3.0, 0.5, 0.05])
def test_it_finds_wide_and_narrow_posteriors(d, scale):
    truth = linear_gaussian(d, 20, scale)
    model, (x, _) = linear_vae(truth), simulated(truth, 9)
    exact = quadrature(model, x, 1e-6)
    assert exact.reached.all()
    assert ((exact.log_px - truth.log_px(x)).abs() < 1e-6).all()


@pytest.mark.parametrize("d", [1, 2])
def test_it_follows_a_posterior_that_lies_outside_the_first_grid(d):
    truth = linear_gaussian(d, 20, 0.5)
    model, (x, z) = linear_vae(truth), simulated(truth, 3)
    x = x + 14 * truth.weight[:, 0]  # as if z_1 were 14 larger
    exact = quadrature(model, x)
    assert exact.reached.all()
    assert (exact.low[:, 0] < z[:, 0] + 14).all()
    assert (exact.high[:, 0] > 10).all()
    assert ((exact.log_px - truth.log_px(x)).abs() < 1e-3).all()


@pytest.mark.slow
def test_the_error_it_claims_is_at_least_the_error_it_makes(generator):
    """A thin oblique posterior, on grids that are too coarse for it."""
    column = torch.randn(20, 1, generator=generator, dtype=torch.float64)
    twin = column + 0.03 * torch.randn(20, 1, generator=generator, dtype=torch.float64)
    bias = torch.zeros(20, dtype=torch.float64)
    truth = LinearGaussian(torch.cat([column, -twin], 1), bias, 0.1)
    model, (x, _) = linear_vae(truth), simulated(truth, 4)
    made = []
    for tolerance in (10.0, 1e-2, 1e-4):
        exact = quadrature(model, x, tolerance)
        assert exact.reached.all()
        made.append((exact.log_px - truth.log_px(x)).abs())
        assert (made[-1] <= exact.error + 1e-9).all()
    assert made[0].max() > 1e-2  # there was an error to be seen
    assert made[-1].max() < 1e-4


def test_a_tolerance_beyond_reach_is_said_not_to_be_reached():
    truth = linear_gaussian(1, 6)
    model, (x, _) = linear_vae(truth), simulated(truth, 2)
    exact = quadrature(model, x, 1e-17)
    assert not exact.reached.any()
    assert (exact.error < 1e-6).all()
    assert ((exact.log_px - truth.log_px(x)).abs() <= exact.error + 1e-9).all()


def test_the_posterior_on_the_grid_is_the_exact_gaussian():
    truth = linear_gaussian(2, 8, 1.5)
    model, (x, _) = linear_vae(truth), simulated(truth, 1)
    grid = posterior_grid(model, x, 301)
    q = truth.posterior(x)
    mean, covariance = grid.moments()
    torch.testing.assert_close(mean, q.mean[0], rtol=0, atol=1e-3)
    expected = q.scale_tril[0] @ q.scale_tril[0].T
    torch.testing.assert_close(covariance, expected, rtol=5e-3, atol=1e-4)
    assert math.isclose((grid.density.sum() * grid.cell).item(), 1, abs_tol=1e-3)
    z = torch.stack(torch.meshgrid(*grid.axes, indexing="ij"), -1).view(-1, 1, 2)
    log_q = torch.distributions.MultivariateNormal(q.mean, scale_tril=q.scale_tril).log_prob(z)
    torch.testing.assert_close(grid.log_density, log_q.view(301, 301), rtol=0, atol=1e-5)


@pytest.mark.parametrize("mass", [0.5, 0.9])
def test_the_contour_of_a_gaussian_holds_the_mass_it_says(mass):
    """In two dimensions the density falls to (1 − mass) of its peak."""
    truth = linear_gaussian(2, 8, 1.5)
    grid = posterior_grid(linear_vae(truth), simulated(truth, 1)[0], 401)
    assert math.isclose(grid.level(mass) / grid.density.max(), 1 - mass, rel_tol=0.02)


def test_the_picture_can_have_the_axes_of_another():
    truth = linear_gaussian(2, 8)
    box = (torch.tensor([-3.0, -2.0]), torch.tensor([3.0, 4.0]))
    grid = posterior_grid(linear_vae(truth), simulated(truth, 1)[0], 31, box)
    assert [(a[0].item(), a[-1].item()) for a in grid.axes] == [(-3, 3), (-2, 4)]
    line = posterior_grid(linear_vae(linear_gaussian(1, 8)), simulated(linear_gaussian(1, 8), 1)[0])
    assert line.density.shape == (201,)
    assert math.isclose((line.density.sum() * line.cell).item(), 1, abs_tol=1e-3)


def test_images_do_not_change_each_other():
    truth = linear_gaussian(2, 8)
    model, (x, _) = linear_vae(truth), simulated(truth, 20)
    together, alone = quadrature(model, x), quadrature(model, x[17:18])
    torch.testing.assert_close(together.log_px[17:18], alone.log_px)
    assert quadrature(model, x[:0]).log_px.shape == (0,)


def test_progress_ends_at_the_end():
    truth = linear_gaussian(1, 8)
    seen: list[float] = []
    quadrature(linear_vae(truth), simulated(truth, 40)[0], on_progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1


def test_what_cannot_be_integrated_is_refused():
    truth = linear_gaussian(3, 8)
    model, (x, _) = linear_vae(truth), simulated(truth, 2)
    with pytest.raises(ValueError, match="d = 3"):
        quadrature(model, x)
    with pytest.raises(ValueError, match="positive"):
        quadrature(linear_vae(linear_gaussian(1, 8)), x, 0)
    with pytest.raises(ValueError, match="one image"):
        posterior_grid(linear_vae(linear_gaussian(1, 8)), x)


def test_a_posterior_with_no_width_to_speak_of_is_still_integrated():
    """σ = 0.0005 beside a first grid with lines 0.008 apart."""
    weight = torch.ones(1, 1, dtype=torch.float64)
    truth = LinearGaussian(weight, torch.zeros(1, dtype=torch.float64), 5e-4)
    x, _ = simulated(truth, 5)
    exact = quadrature(linear_vae(truth), x)
    assert exact.reached.all()
    assert ((exact.log_px - truth.log_px(x)).abs() < 1e-3).all()


def stiff_model(d: int, seed: int, factor: float) -> tuple[VAE, torch.Tensor]:
    """An untrained decoder whose weights are ``factor`` times larger, and two images of it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = ModelConfig(
            posterior="mean-field",
            latent_size=d,
            hidden_size=16,
            hidden_layers=1,
            image_shape=(1, 4, 4),
        )
        model = VAE(config).eval().requires_grad_(False)
        for parameter in model.decoder.parameters():
            parameter.mul_(factor)
        x = torch.bernoulli(torch.sigmoid(model.decode(torch.randn(2, d))))
    return model, x.view(2, 1, 4, 4)


def on_plain_grid(model: VAE, x: torch.Tensor, lines: int) -> torch.Tensor:
    """log p(x) in float64 from equal weights on a grid over [−7, 7]^d."""
    model, x, d = copy.deepcopy(model).double(), x.double(), model.config.latent_size
    axis = torch.linspace(-7, 7, lines, dtype=torch.float64)
    parts = (
        part[:, None] if d == 1 else torch.cartesian_prod(part, axis)
        for part in axis.split(100_000 if d == 1 else 50)
    )
    sums = [model.log_joint(x, z[:, None]).logsumexp(0) for z in parts]
    return torch.stack(sums).logsumexp(0) + d * math.log(14 / (lines - 1))


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize(("d", "factors", "lines"), [(1, (6, 12, 20, 30), 50_001),
                                                     (2, (3, 6, 10, 15), 501)])  # fmt: skip
def test_the_error_it_claims_covers_stiff_decoders(d, factors, lines):
    """Twenty models each, with two images; their modes are narrower than the first grid."""
    for seed in range(20):
        model, x = stiff_model(d, seed, factors[seed % 4])
        exact = quadrature(model, x)
        fine, coarse = (on_plain_grid(model, x, n) for n in (lines, (lines + 1) // 2))
        away = (exact.log_px - fine).abs()
        assert (away <= exact.error + (fine - coarse).abs()).all(), (seed, away, exact.error)
        assert torch.equal(exact.reached, exact.error <= 1e-3)
        assert exact.reached.all()


@pytest.mark.parametrize("d", [1, 2])
def test_a_sharp_mode_between_the_points_of_the_first_grid_is_found(d):
    """σ = 0.002 and a mean that lies midway between grid lines."""
    truth = LinearGaussian(
        torch.eye(d, dtype=torch.float64), torch.zeros(d, dtype=torch.float64), 2e-3
    )
    x = torch.full((1, 1, 1, d), 0.354, dtype=torch.float64)
    exact = quadrature(linear_vae(truth), x)
    assert exact.reached.all()
    assert ((exact.log_px - truth.log_px(x)).abs() <= exact.error).all()


def test_it_computes_in_float64_whatever_the_model_computes_in():
    model, x = stiff_model(1, 3, 30)
    double = quadrature(copy.deepcopy(model).double(), x.double())
    assert next(model.parameters()).dtype == torch.float32
    torch.testing.assert_close(quadrature(model, x).log_px, double.log_px, rtol=0, atol=1e-3)
    assert (double.error > 0).all()


def test_a_picture_says_whether_its_log_px_is_exact():
    truth = linear_gaussian(1, 6)
    model, (x, _) = linear_vae(truth), simulated(truth, 1)
    assert posterior_grid(model, x).reached
    assert not posterior_grid(model, x, tolerance=1e-17).reached
