"""Principal components of images, against their exact values."""

import pytest
import torch

from tests.vae_core.linear import linear_gaussian, simulated
from vae_core.model.linear_gaussian import LinearGaussian
from vae_core.model.principal import PrincipalComponents, most_images, principal_components


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    """Drawn from a linear Gaussian model with three latents, as images of two channels."""
    x, _ = simulated(linear_gaussian(d=3, pixels=24, scale=0.3), 400)
    return x.reshape(400, 2, 3, 4)


@pytest.fixture(scope="module")
def found(images) -> PrincipalComponents:
    return principal_components(images, 3)


def test_they_are_the_eigenvectors_of_the_covariance_and_the_noise_is_the_rest(images, found):
    values, vectors = torch.linalg.eigh(images.flatten(1).T.cov(correction=0))
    torch.testing.assert_close(found.variances, values[-3:].flip(0))
    torch.testing.assert_close((found.axes @ vectors[:, -3:]).abs(), torch.eye(3).flip(0).double())
    torch.testing.assert_close(found.noise, values[:-3].mean())


def test_no_other_weights_and_noise_make_the_images_more_probable(images, found):
    def log_px(change: float, noise: float) -> float:
        weight = found.from_codes().flatten(1).T * (1 + change)
        model = LinearGaussian(weight, found.mean.flatten(), found.noise.sqrt().item() * noise)
        return model.log_px(images).mean().item()

    best = log_px(0, 1)
    assert all(log_px(*other) < best for other in [(0.02, 1), (-0.02, 1), (0, 1.02), (0, 0.98)])


def test_codes_and_scales_are_those_of_the_true_posterior(images, found):
    weight = found.from_codes().flatten(1).T
    truth = LinearGaussian(weight, found.mean.flatten(), found.noise.sqrt().item())
    exact = truth.posterior(images)
    codes = (images - found.mean).flatten(1) @ found.to_codes().T
    torch.testing.assert_close(codes, exact.mean)
    torch.testing.assert_close(found.log_scale.expand(400, 3), exact.log_scale)


def test_the_channels_share_what_is_left_as_the_images_say(images, found):
    left = (images - found.mean).flatten(1)
    left = (left - left @ found.axes.T @ found.axes).reshape(400, 2, 12)
    between = torch.corrcoef(left.movedim(1, 0).flatten(1))
    ours = found.left / found.left.diagonal().sqrt().outer(found.left.diagonal().sqrt())
    torch.testing.assert_close(ours[0, 1], between[0, 1], rtol=0, atol=5e-3)  # means are left out
    torch.testing.assert_close(found.left.diagonal().mean(), found.noise)


def test_fewer_images_than_dimensions_leave_the_others_unused():
    images = torch.rand(5, 1, 4, 4)
    found = principal_components(images, 20)
    assert found.axes.shape == (20, 16)
    assert (found.from_codes()[16:] == 0).all()
    assert torch.allclose(found.log_scale[16:], torch.zeros(4))
    assert found.from_codes().isfinite().all()
    assert found.to_codes().isfinite().all()


def test_images_that_are_all_the_same_are_no_trouble():
    found = principal_components(torch.full((6, 3, 4, 4), 0.25), 2)
    assert found.noise > 0
    assert found.left.isfinite().all()
    assert (found.from_codes() == 0).all()


def test_global_random_numbers_stay_as_they_were(images):
    torch.manual_seed(3)
    principal_components(images, 2)
    drawn = torch.rand(2)
    torch.manual_seed(3)
    assert torch.equal(drawn, torch.rand(2))


def test_the_sample_is_bounded_by_memory_but_not_below_what_d_needs():
    assert most_images(3 * 32 * 32, 128) * 3 * 32 * 32 * 4 <= 100e6
    assert most_images(3 * 128 * 128, 512) == 4 * 512
