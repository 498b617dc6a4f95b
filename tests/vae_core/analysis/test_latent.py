"""Where posteriors lie, how they are laid flat, and the ways between latents."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import Tensor
from torch.distributions import MultivariateNormal, kl_divergence

from tests.vae_core.conftest import FAMILIES
from vae_core.analysis import latent
from vae_core.model.posteriors import GaussianPosterior
from vae_core.model.priors import StandardNormal
from vae_core.model.vae import VAE
from vae_core.settings.choices import PosteriorName
from vae_core.settings.config import ModelConfig

Trained = Callable[[PosteriorName], VAE]
GAUSSIANS: tuple[PosteriorName, ...] = ("mean-field", "full")


def inside(curve: latent.Floats, points: latent.Floats) -> np.ndarray:
    """Which points (N, 2) a closed curve (M, 2) winds around."""
    to = curve[None] - points[:, None]
    angle = np.unwrap(np.arctan2(to[..., 1], to[..., 0]), axis=1)
    return np.abs(angle[:, -1] - angle[:, 0]) > np.pi


def gaussian(model: VAE, x: Tensor) -> MultivariateNormal:
    q = model.posterior(x)
    assert isinstance(q, GaussianPosterior)
    return MultivariateNormal(q.mean.double(), scale_tril=q.scale_tril.double())


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_a_contour_holds_the_mass_it_is_said_to_hold(
    family: PosteriorName, trained: Trained, test_digits: Tensor
) -> None:
    model, x, n = trained(family), test_digits[3:4], 6_000
    z = latent.posterior_path(model, x, n, seed=1).z[:, 0].double().numpy()
    curves = latent.posterior_contours(model, x, radii=(1, 2), points=120)
    for radius, curve in zip((1, 2), curves, strict=True):
        mass = 1 - np.exp(-(radius**2) / 2)
        se = np.sqrt(mass * (1 - mass) / n)
        assert inside(curve, z).mean() == pytest.approx(mass, abs=4 * se)


@pytest.mark.parametrize("family", GAUSSIANS)
def test_the_contour_of_a_gaussian_is_its_ellipse(
    family: PosteriorName, trained: Trained, test_digits: Tensor
) -> None:
    x = test_digits[:1]
    (curve,) = latent.posterior_contours(trained(family), x, radii=(2,))
    q = gaussian(trained(family), x)
    away = torch.from_numpy(curve) - q.mean
    mahalanobis = (away @ q.precision_matrix[0] * away).sum(-1).sqrt()
    torch.testing.assert_close(mahalanobis, torch.full_like(mahalanobis, 2), rtol=1e-4, atol=0)
    np.testing.assert_allclose(curve[0], curve[-1], atol=1e-6)


def test_contours_are_refused_where_they_cannot_be_drawn(test_digits: Tensor) -> None:
    model = VAE(ModelConfig(latent_size=3, image_shape=(1, 8, 8)))
    with pytest.raises(ValueError, match="d = 2, not d = 3"):
        latent.posterior_contours(model, test_digits[:1])


def test_the_ellipse_of_points_holds_the_mass_of_their_gaussian() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(20_000, 2)) @ np.array([[2.0, 0.0], [1.5, 0.3]]).T + [3, -1]
    share = inside(latent.ellipse(points, radius=2), points).mean()
    assert share == pytest.approx(1 - np.exp(-2), abs=0.01)


@pytest.mark.parametrize("family", GAUSSIANS)
def test_the_kl_of_an_image_is_that_of_its_gaussian(
    family: PosteriorName, trained: Trained, test_digits: Tensor
) -> None:
    model, x = trained(family), test_digits[:230]
    prior = MultivariateNormal(torch.zeros(2).double(), torch.eye(2).double())
    expected = kl_divergence(gaussian(model, x), prior)
    kl = latent.kl_to_prior(model, x)
    torch.testing.assert_close(kl.double(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_moments_and_kl_agree_with_many_draws(
    family: PosteriorName, trained: Trained, test_digits: Tensor
) -> None:
    model, x, n = trained(family), test_digits[:3], 20_000
    q = model.posterior(x)
    z, log_q = q.rsample_and_log_prob(n, torch.Generator().manual_seed(5))
    moments = latent.encode(model, x, draws=n)
    torch.testing.assert_close(moments.mean, z.mean(0), rtol=0, atol=0.03)
    torch.testing.assert_close(moments.variance, z.var(0), rtol=0.06, atol=1e-3)
    kl = (log_q - model.log_prior(z)).mean(0)
    torch.testing.assert_close(latent.kl_to_prior(model, x, draws=n), kl, rtol=0, atol=0.05)


def test_an_image_is_encoded_alike_whatever_it_is_encoded_with(
    trained: Trained, test_digits: Tensor
) -> None:
    together = latent.encode(trained("full"), test_digits)
    alone = latent.encode(trained("full"), test_digits[233:234])
    assert together.mean.shape == (300, 2)
    torch.testing.assert_close(alone.mean[0], together.mean[233])
    torch.testing.assert_close(alone.variance[0], together.variance[233])


@pytest.mark.parametrize("family", FAMILIES)
def test_the_aggregate_has_the_total_variance(
    family: PosteriorName, trained: Trained, test_digits: Tensor
) -> None:
    model = trained(family)
    draws = latent.aggregate_draws(model, test_digits, draws=16)
    moments = latent.encode(model, test_digits, draws=256)
    total = moments.variance.mean(0) + moments.mean.var(0)
    assert draws.shape == (16 * 300, 2)
    np.testing.assert_allclose(draws.var(0), total.numpy(), rtol=0.03)
    np.testing.assert_allclose(draws.mean(0), moments.mean.mean(0).numpy(), atol=0.03)


def encoded(mean: Tensor, variance: Tensor) -> latent.Encoded:
    prior = StandardNormal(mean.shape[1]).moments()
    return latent.Encoded(mean, variance, ((mean, variance), (mean, variance)), prior)


def test_a_dimension_that_ignores_the_image_is_dead_and_comes_last() -> None:
    generator = torch.Generator().manual_seed(0)
    signal = torch.randn(500, 1, generator=generator)
    mean = torch.cat([0.5 * signal, torch.zeros_like(signal), signal], 1)
    variance = torch.tensor([0.75, 1.0, 0.01]).expand(500, 3)
    found = latent.dimensions(encoded(mean, variance))
    assert found.order.tolist() == [2, 0, 1]
    assert found.dead.tolist() == [False, True, False]
    assert found.kl[1] == pytest.approx(0, abs=1e-7)
    expected = 0.5 * (signal.square().mean() + 0.01 - 1 - np.log(0.01))
    assert found.kl[2] == pytest.approx(float(expected), rel=1e-5)


def test_the_noise_of_few_draws_does_not_pass_for_signal() -> None:
    generator = torch.Generator().manual_seed(1)
    means = torch.zeros(2000, 3) + torch.randn(2000, 1, generator=generator) * torch.tensor(
        [0.0, 0.05, 0.8]
    )
    scale = torch.tensor([1.0, 1.0, 0.6])
    draws = means + scale * torch.randn(2, 16, 2000, 3, generator=generator)
    first, second = ((z.mean(0), z.var(0)) for z in draws)
    found = latent.dimensions(
        latent.Encoded(
            first[0], first[1], (first, second), StandardNormal(first[0].shape[1]).moments()
        )
    )
    np.testing.assert_allclose(found.spread, [0, 0.05**2, 0.8**2], atol=0.004, rtol=0.06)
    assert found.dead.tolist() == [True, True, False]
    exact = 0.5 * (means.square() + scale.square() - 1 - scale.square().log()).mean(0)
    np.testing.assert_allclose(found.kl, exact, atol=0.006)


# ---- the plane


def test_two_dimensions_are_drawn_as_they_are() -> None:
    latents = np.random.default_rng(0).normal(size=(50, 2)) * [3, 1] + [1, 2]
    plane = latent.plane_of(latents)
    np.testing.assert_array_equal(plane.project(latents), latents)
    assert plane.explained.sum() == pytest.approx(1)


def test_one_dimension_lies_on_the_first_axis() -> None:
    latents = np.random.default_rng(0).normal(size=(50, 1))
    plane = latent.plane_of(latents)
    np.testing.assert_array_equal(plane.project(latents), np.c_[latents, np.zeros(50)])
    np.testing.assert_array_equal(plane.lift(plane.project(latents)), latents)


@pytest.mark.parametrize("d", [3, 16])
def test_more_dimensions_are_drawn_in_their_principal_plane(d: int) -> None:
    rng = np.random.default_rng(1)
    latents = rng.normal(size=(400, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d)
    plane, reference = latent.plane_of(latents), PCA(2, svd_solver="full").fit(latents)
    np.testing.assert_allclose(plane.axes @ plane.axes.T, np.eye(2), atol=1e-12)
    along = np.abs(plane.axes @ np.array(reference.components_).T)
    np.testing.assert_allclose(along, np.eye(2), atol=1e-9)
    np.testing.assert_allclose(plane.explained, reference.explained_variance_ratio_)
    points = rng.normal(size=(7, 5, 2))
    np.testing.assert_allclose(plane.project(plane.lift(points)), points, atol=1e-9)


def test_the_narrowest_plane_is_the_one_that_the_image_says_most_about() -> None:
    # A rotated q(z|x) that is as wide as the prior but in two directions.
    rng = np.random.default_rng(3)
    turn = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    spread = np.array([1.0, 0.05, 0.9, 0.2, 1.1])
    draws = (rng.normal(size=(4000, 5)) * spread) @ turn.T + 2
    plane = latent.narrowest_plane_of(draws)
    np.testing.assert_allclose(plane.project(draws).std(0), [0.05, 0.2], rtol=0.05)
    along = np.abs(plane.axes @ turn[:, [1, 3]])
    np.testing.assert_allclose(along, np.eye(2), atol=0.05)
    np.testing.assert_allclose(plane.axes @ plane.axes.T, np.eye(2), atol=1e-12)
    assert (latent.plane_of(draws).project(draws).std(0) > 0.85).all()


def test_two_dimensions_need_no_narrowest_plane() -> None:
    draws = np.random.default_rng(4).normal(size=(50, 2)) * [3, 1]
    np.testing.assert_allclose(latent.narrowest_plane_of(draws).project(draws), draws)


def test_the_plane_does_not_flip_when_the_data_do() -> None:
    latents = np.random.default_rng(2).normal(size=(300, 4)) * [4, 3, 2, 1]
    axes = latent.plane_of(latents).axes
    np.testing.assert_allclose(latent.plane_of(-latents).axes, axes, atol=1e-9)
    assert (axes[[0, 1], np.abs(axes).argmax(1)] > 0).all()


def test_the_manifold_is_spaced_evenly_in_prior_probability() -> None:
    grid = latent.quantile_grid(StandardNormal(2), 5)
    probability = torch.special.ndtr(torch.from_numpy(grid)).numpy()
    levels = [0.1, 0.3, 0.5, 0.7, 0.9]
    np.testing.assert_allclose(probability[2, :, 0], levels)  # z_1 grows to the right
    np.testing.assert_allclose(probability[:, 2, 1], levels[::-1])  # z_2 grows upwards


def test_what_is_decoded_does_not_depend_on_the_shape_of_the_grid(trained: Trained) -> None:
    model, grid = trained("full"), latent.quantile_grid(StandardNormal(2), 6)
    images = latent.decode(model, grid)
    assert images.shape == (6, 6, 1, 8, 8)
    np.testing.assert_allclose(images[4, 1], latent.decode(model, grid[4, 1]), rtol=1e-5)


def test_a_point_is_its_own_nearest_neighbour() -> None:
    latents = np.array([[0.0, 0.0], [5.0, 5.0], [0.0, 1.0], [2.0, 0.0]])
    assert latent.nearest(latents, latents[2], 3).tolist() == [2, 0, 3]


# ---- ways


def test_the_straight_path_is_even_and_ends_where_it_should() -> None:
    a, b = np.array([1.0, -2.0, 0.5]), np.array([-3.0, 2.0, 4.0])
    path = latent.straight_path(a, b, 9)
    np.testing.assert_allclose(path[[0, -1]], [a, b])
    np.testing.assert_allclose(np.diff(path, axis=0), np.tile((b - a) / 8, (8, 1)))


@pytest.mark.parametrize("d", [2, 50])
def test_the_spherical_path_turns_and_grows_evenly(d: int) -> None:
    rng = np.random.default_rng(d)
    a, b = rng.normal(size=d), 2 * rng.normal(size=d)
    path = latent.spherical_path(a, b, 9)
    np.testing.assert_allclose(path[[0, -1]], [a, b])
    lengths = np.linalg.norm(path, axis=1)
    np.testing.assert_allclose(np.diff(lengths), (lengths[-1] - lengths[0]) / 8)
    units = path / lengths[:, None]
    turns = np.arccos(np.clip((units[1:] * units[:-1]).sum(1), -1, 1))
    np.testing.assert_allclose(turns, turns[0], rtol=1e-6)
    whole = np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    assert turns.sum() == pytest.approx(whole)


@pytest.mark.parametrize(
    ("a", "b"),
    [([1.5], [-0.5]), ([1.0, 2.0], [-2.0, -4.0]), ([0.0, 0.0], [1.0, 2.0]), ([1.0, 2.0],) * 2],
)
def test_without_an_arc_the_spherical_path_is_straight(a: list[float], b: list[float]) -> None:
    start, end = np.array(a), np.array(b)
    path = latent.spherical_path(start, end, 5)
    np.testing.assert_allclose(path, latent.straight_path(start, end, 5), atol=1e-12)


def test_a_traversal_moves_one_dimension_and_leaves_the_others() -> None:
    z, values = np.array([0.1, 0.2, 0.3]), np.array([-3.0, 0.0, 3.0])
    moved = latent.traversals(z, [2, 0], values)
    assert moved.shape == (2, 3, 3)
    np.testing.assert_array_equal(moved[0], [[0.1, 0.2, -3], [0.1, 0.2, 0], [0.1, 0.2, 3]])
    np.testing.assert_array_equal(moved[1], [[-3, 0.2, 0.3], [0, 0.2, 0.3], [3, 0.2, 0.3]])
