"""The latent space of a model: encode images, decode points, project to a plane."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vae_core.basics.arrays import Floats
from vae_core.basics.blocks import map_blocks
from vae_core.basics.errors import InvalidArgument
from vae_core.inference.dimensions import ACTIVE_VARIANCE, Moments, dimension_figures
from vae_core.model.posteriors import Path
from vae_core.model.priors import Prior
from vae_core.model.vae import VAE

_ENCODE_AT_ONCE = 100  # these images with all their draws fit into a processor's cache
_DECODE_AT_ONCE = 500
_MOMENT_SAMPLES = 64


@dataclass(frozen=True)
class Encoded:
    """The first two moments of q(z|x) for N images.

    Attributes:
        mean: E[z|x], (N, d).
        variance: Var[z_i|x], (N, d).
        halves: two independent estimates of mean and variance, each from half of the draws; they
            are equal if the family has its moments in closed form.
        prior: mean and standard deviation of each z_i under p(z), (d,) each.
    """

    mean: Tensor
    variance: Tensor
    halves: tuple[Moments, Moments]
    prior: Moments


@torch.no_grad()
def encode(model: VAE, x: Tensor, seed: int = 0, draws: int = _MOMENT_SAMPLES) -> Encoded:
    """Compute posterior means and variances of images x (N, C, H, W) in [0, 1], on the CPU.

    Exact for Gaussian families. For flows, estimated from ``draws`` (4 or more) of each posterior.
    """
    generator = torch.Generator(model.device).manual_seed(seed)

    def moments(block: Tensor) -> tuple[Tensor, ...]:
        q = model.posterior(model.as_images(block))
        twice = *q.moments(draws // 2, generator), *q.moments(draws // 2, generator)
        return tuple(each.cpu() for each in twice)

    mean, variance, *other = map_blocks(moments, x, at_once=_ENCODE_AT_ONCE)
    halves = (mean, variance), (other[0], other[1])
    centre, scale = (each.detach().cpu() for each in model.prior.moments())
    whole = (mean + other[0]) / 2, (variance + other[1]) / 2
    return Encoded(*whole, halves, prior=(centre, scale))


@torch.no_grad()
def kl_to_prior(model: VAE, x: Tensor, seed: int = 0, draws: int = _MOMENT_SAMPLES) -> Tensor:
    """KL(q(z|x) ‖ p(z)) of each image x (N, C, H, W) in nats, (N,), on the CPU.

    In closed form if the family has one, otherwise the mean over ``draws``.
    """
    generator = torch.Generator(model.device).manual_seed(seed)

    def kl(block: Tensor) -> Tensor:
        q = model.posterior(model.as_images(block))
        return model.prior.kl(q, *q.rsample_and_log_prob(draws, generator)).mean(0).cpu()

    return map_blocks(kl, x, at_once=_ENCODE_AT_ONCE)


@torch.no_grad()
def aggregate_draws(model: VAE, x: Tensor, seed: int = 0, draws: int = 1) -> Floats:
    """Draw z ~ q(z|x) ``draws`` times for each image x (N, C, H, W): (N · draws, d).

    All draws are a sample of the aggregate posterior, which equals the prior in an ideal model.
    """
    generator = torch.Generator(model.device).manual_seed(seed)

    def drawn(block: Tensor) -> Tensor:
        q = model.posterior(model.as_images(block))
        return q.rsample_and_log_prob(draws, generator)[0].flatten(0, 1)

    return map_blocks(drawn, x, at_once=_ENCODE_AT_ONCE).double().cpu().numpy()


@torch.no_grad()
def posterior_path(model: VAE, x: Tensor, n: int, seed: int = 0) -> Path:
    """Draw n times from q(z|x) for each image x (B, C, H, W), with every stage of a flow."""
    q = model.posterior(model.as_images(x))
    return q.path(q.noise(n, torch.Generator(model.device).manual_seed(seed)))


@dataclass(frozen=True)
class Dimensions:
    """Information in each latent dimension; every attribute is (d,).

    Attributes:
        kl: KL(q(z_i|x) ‖ p(z_i)) averaged over images, in nats. For flows, and for priors other
            than the standard normal, it is the KL of the Gaussians with the same moments.
        spread: variance of E[z_i|x] over images.
    """

    kl: Floats
    spread: Floats

    @property
    def order(self) -> NDArray[np.intp]:
        """The dimensions sorted by their KL, largest first."""
        return np.argsort(-self.kl, kind="stable")

    @property
    def dead(self) -> NDArray[np.bool_]:
        """Mask of the dimensions that hardly depend on the image (Burda et al. 2016, §5.2)."""
        return self.spread <= ACTIVE_VARIANCE


def dimensions(encoded: Encoded) -> Dimensions:
    """Compute KL and spread of each latent dimension over two or more encoded images."""
    kl, spread = dimension_figures(encoded.prior, *encoded.halves)
    return Dimensions(kl.clamp(min=0).numpy(), spread.numpy())  # noise can make it negative


@dataclass(frozen=True)
class Plane:
    """A plane through the mean of the latents, to draw d dimensions in two.

    For d = 2 the plane is the latent space itself.

    Attributes:
        origin: (d,).
        axes: (2, d), orthonormal.
        explained: share of the latents' variance along each axis, (2,).
    """

    origin: Floats
    axes: Floats
    explained: Floats

    def project(self, z: Floats) -> Floats:
        """Project latents (…, d) to coordinates in the plane, (…, 2)."""
        return (z - self.origin) @ self.axes.T

    def lift(self, points: Floats) -> Floats:
        """Map coordinates in the plane (…, 2) to latents (…, d)."""
        return points @ self.axes + self.origin


def plane_of(latents: Floats) -> Plane:
    """Plane to draw latents (N, d): the latent space for d ≤ 2, else two principal axes."""
    d = latents.shape[1]
    if d <= 2:
        variance = latents.var(0)
        axes = np.eye(2, d)
        explained = axes @ (variance / max(variance.sum(), 1e-12))
        return Plane(np.zeros(d), axes, explained)
    return _principal_plane(latents, [-1, -2])


def narrowest_plane_of(latents: Floats) -> Plane:
    """Plane in which draws of q(z|x), (N, d), are narrowest compared with the prior N(0, I).

    The axes solve Σ_q v = λ Σ_p v for the two smallest λ, where λ is the ratio of q's variance to
    the prior's variance. In these directions the image determines z best. With Σ_p = I they are the
    last principal axes of the draws. For d ≤ 2 the plane is the latent space itself.
    """
    return plane_of(latents) if latents.shape[1] <= 2 else _principal_plane(latents, [0, 1])


def _principal_plane(latents: Floats, which: Sequence[int]) -> Plane:
    """Plane of two principal axes, counted from the axis with the least variance."""
    variance, directions = np.linalg.eigh(np.cov(latents, rowvar=False))  # in ascending order
    axes = directions[:, which].T
    largest = np.abs(axes).argmax(1)
    axes = axes * np.sign(axes[[0, 1], largest])[:, None]  # fix the sign, which is arbitrary
    return Plane(latents.mean(0), axes, variance[which] / max(variance.sum(), 1e-12))


def quantile_grid(prior: Prior, size: int, plane: Plane | None = None) -> Floats:
    """Make a grid at evenly spaced quantiles of the prior, for a sheet of decoded images.

    For the standard normal, each point stands for an equal share of the prior: the grid is the
    inverse normal CDF of a regular grid in (0, 1)² (Kingma & Welling 2014, appendix A).

    Args:
        size: points per side.
        plane: the grid follows the axes of this plane; the first two dimensions if None.

    Returns:
        (size, size, 2): rows from high to low along the second axis, columns from low to high
        along the first one.
    """
    axes = torch.eye(2, prior.latent_size) if plane is None else torch.as_tensor(plane.axes)
    levels = (torch.arange(size, dtype=torch.float64) + 0.5) / size
    along = prior.quantiles(levels, axes).cpu().double().numpy()  # (size, 2)
    first, second = np.meshgrid(along[:, 0], along[::-1, 1])
    return np.stack([first, second], -1)


@torch.no_grad()
def decode(model: VAE, z: Floats | Tensor) -> NDArray[np.float32]:
    """Decode latents (…, d) to E[x|z], (…, C, H, W) in [0, 1]."""
    latents = torch.as_tensor(z, dtype=torch.float32, device=model.device)
    flat = latents.reshape(-1, latents.shape[-1])
    images = map_blocks(model.mean_image, flat, at_once=_DECODE_AT_ONCE)
    return images.view(*latents.shape[:-1], *model.config.image_shape).cpu().numpy()


def nearest(latents: Floats, point: Floats, count: int) -> NDArray[np.intp]:
    """Find the ``count`` rows of latents (N, d) nearest to a point (d,); indices, nearest first."""
    distances = np.linalg.norm(latents - point, axis=1)
    return np.argsort(distances, kind="stable")[:count]


# ---- q(z|x) in a plane


@torch.no_grad()
def posterior_contours(
    model: VAE, x: Tensor, radii: Sequence[float] = (1, 2, 3), points: int = 180
) -> list[Floats]:
    """Closed curves around the mass 1 − exp(−r²/2) of q(z|x), for an image (1, C, H, W), d = 2.

    Each curve is the image of the circle ‖ε‖ = r under the map from ε to z. The map is invertible,
    so the mass inside the circle stays inside the curve. For a Gaussian the curve is an ellipse.

    Returns:
        An array (points, 2) for each radius, with equal first and last points.

    Raises:
        InvalidArgument: if the model does not have d = 2.
    """
    if model.config.latent_size != 2:
        raise InvalidArgument(f"Contours are drawn for d = 2, not d = {model.config.latent_size}.")
    q = model.posterior(model.as_images(x))
    circle = torch.as_tensor(_circle(points), dtype=x.dtype, device=model.device)[:, None]
    return [q.path(r * circle).z[:, 0].double().cpu().numpy() for r in radii]


def ellipse(points: Floats, radius: float, count: int = 180) -> Floats:
    """Ellipse at ``radius`` σ of the Gaussian with the moments of these points (N, 2).

    Returns:
        A closed curve, (count, 2).
    """
    covariance = np.cov(points, rowvar=False) + 1e-12 * np.eye(2)
    return points.mean(0) + radius * _circle(count) @ np.linalg.cholesky(covariance).T


def _circle(points: int) -> Floats:
    angle = np.linspace(0, 2 * np.pi, points)
    return np.stack([np.cos(angle), np.sin(angle)], -1)


# ---- paths through the latent space


def straight_path(start: Floats, end: Floats, steps: int) -> Floats:
    """Points on the line between two latents (d,), ends included, (steps, d)."""
    share = np.linspace(0, 1, steps)[:, None]
    return (1 - share) * start + share * end


def spherical_path(start: Floats, end: Floats, steps: int) -> Floats:
    """Points on the arc around the origin between two latents (d,), ends included, (steps, d).

    Angle and distance from the origin change evenly, so the path stays where the prior has its
    mass: in many dimensions near ‖z‖ = √d (White 2016, arXiv 1609.04468). If no unique arc exists
    (d = 1, or the origin lies between or at the ends), the path is the straight line.
    """
    lengths = np.linalg.norm(start), np.linalg.norm(end)
    if min(lengths) < 1e-9:
        return straight_path(start, end, steps)
    first, last = start / lengths[0], end / lengths[1]
    angle = np.arccos(np.clip(first @ last, -1, 1))
    if np.sin(angle) < 1e-6:
        return straight_path(start, end, steps)
    share = np.linspace(0, 1, steps)[:, None]
    direction = np.sin((1 - share) * angle) * first + np.sin(share * angle) * last
    return ((1 - share) * lengths[0] + share * lengths[1]) * direction / np.sin(angle)


def traversals(z: Floats, dims: Sequence[int], values: Floats) -> Floats:
    """Vary one dimension of a latent (d,) at a time: (len(dims), len(values), d)."""
    latents = np.tile(z, (len(dims), len(values), 1))
    for row, dim in enumerate(dims):
        latents[row, :, dim] = values
    return latents
