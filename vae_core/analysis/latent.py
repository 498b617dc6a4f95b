"""The latent space of a model: where data lie, what points decode to, how to lay it flat."""

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

_ENCODE_AT_ONCE = 100  # with all their draws this still fits a processor's cache
_DECODE_AT_ONCE = 500
_MOMENT_SAMPLES = 64


@dataclass(frozen=True)
class Encoded:
    """q(z|x) of N images, by its first two moments.

    Attributes:
        mean: E[z|x], (N, d).
        variance: Var[z_i|x], (N, d).
        halves: two independent estimates of both, each from half of the draws; the same where the
            family has its moments in closed form.
        prior: mean and standard deviation of each z_i under p(z), (d,) each.
    """

    mean: Tensor
    variance: Tensor
    halves: tuple[Moments, Moments]
    prior: Moments


@torch.no_grad()
def encode(model: VAE, x: Tensor, seed: int = 0, draws: int = _MOMENT_SAMPLES) -> Encoded:
    """Posterior means and variances of images x (N, C, H, W) in [0, 1], on the CPU.

    Exact for Gaussian families; from so many ``draws`` (4 or more) of each posterior for flows.
    """
    generator = torch.Generator(model.device).manual_seed(seed)

    def moments(block: Tensor) -> tuple[Tensor, ...]:
        q = model.posterior(block.to(model.device))
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

    In closed form where the family has one, else the mean over so many ``draws``.
    """
    generator = torch.Generator(model.device).manual_seed(seed)

    def kl(block: Tensor) -> Tensor:
        q = model.posterior(block.to(model.device))
        return model.prior.kl(q, *q.rsample_and_log_prob(draws, generator)).mean(0).cpu()

    return map_blocks(kl, x, at_once=_ENCODE_AT_ONCE)


@torch.no_grad()
def aggregate_draws(model: VAE, x: Tensor, seed: int = 0, draws: int = 1) -> Floats:
    """So many draws z ~ q(z|x) for each image x (N, C, H, W), (N · draws, d).

    Together they are a sample of the aggregate posterior, which is the prior in an ideal model.
    """
    generator = torch.Generator(model.device).manual_seed(seed)

    def drawn(block: Tensor) -> Tensor:
        q = model.posterior(block.to(model.device))
        return q.rsample_and_log_prob(draws, generator)[0].flatten(0, 1)

    return map_blocks(drawn, x, at_once=_ENCODE_AT_ONCE).double().cpu().numpy()


@torch.no_grad()
def posterior_path(model: VAE, x: Tensor, n: int, seed: int = 0) -> Path:
    """n draws from q(z|x) of each image x (B, C, H, W), with every stage of a flow."""
    q = model.posterior(x.to(model.device))
    return q.path(q.noise(n, torch.Generator(model.device).manual_seed(seed)))


@dataclass(frozen=True)
class Dimensions:
    """What each latent dimension carries; every attribute is (d,).

    Attributes:
        kl: KL(q(z_i|x) ‖ p(z_i)) averaged over images, in nats (for flows and for other priors than
            the standard normal, that of the Gaussians with the same moments).
        spread: the variance of E[z_i|x] over images.
    """

    kl: Floats
    spread: Floats

    @property
    def order(self) -> NDArray[np.intp]:
        """The dimensions by their KL, largest first."""
        return np.argsort(-self.kl, kind="stable")

    @property
    def dead(self) -> NDArray[np.bool_]:
        """Which dimensions hardly move with the image (Burda et al. 2016, §5.2)."""
        return self.spread <= ACTIVE_VARIANCE


def dimensions(encoded: Encoded) -> Dimensions:
    """KL and spread of each latent dimension over the encoded images, at least two."""
    kl, spread = dimension_figures(encoded.prior, *encoded.halves)
    return Dimensions(kl.clamp(min=0).numpy(), spread.numpy())  # noise alone can make it negative


@dataclass(frozen=True)
class Plane:
    """Two orthonormal directions through the mean of the latents, for drawing d dimensions in two.

    For d = 2 it is the latent space itself.

    Attributes:
        origin: (d,).
        axes: (2, d), orthonormal.
        explained: share of the latents' variance along each axis, (2,).
    """

    origin: Floats
    axes: Floats
    explained: Floats

    def project(self, z: Floats) -> Floats:
        """Coordinates in the plane, (…, 2), of latents (…, d)."""
        return (z - self.origin) @ self.axes.T

    def lift(self, points: Floats) -> Floats:
        """Latents (…, d) of coordinates in the plane (…, 2)."""
        return points @ self.axes + self.origin


def plane_of(latents: Floats) -> Plane:
    """The plane to draw latents (N, d) in: as is for d ≤ 2, the first two principal axes above."""
    d = latents.shape[1]
    if d <= 2:
        variance = latents.var(0)
        axes = np.eye(2, d)
        explained = axes @ (variance / max(variance.sum(), 1e-12))
        return Plane(np.zeros(d), axes, explained)
    return _principal_plane(latents, [-1, -2])


def narrowest_plane_of(latents: Floats) -> Plane:
    """The plane in which draws of q(z|x), (N, d), are narrowest against the prior N(0, I).

    Its axes solve Σ_q v = λ Σ_p v for the two smallest λ, the ratios of q's variance to the
    prior's: the directions that the image says most about. With Σ_p = I they are the last principal
    axes of the draws. As is for d ≤ 2.
    """
    return plane_of(latents) if latents.shape[1] <= 2 else _principal_plane(latents, [0, 1])


def _principal_plane(latents: Floats, which: Sequence[int]) -> Plane:
    """The plane of two principal axes, counted from the one of the least variance."""
    variance, directions = np.linalg.eigh(np.cov(latents, rowvar=False))  # in ascending order
    axes = directions[:, which].T
    largest = np.abs(axes).argmax(1)
    axes = axes * np.sign(axes[[0, 1], largest])[:, None]  # a direction has no sign of its own
    return Plane(latents.mean(0), axes, variance[which] / max(variance.sum(), 1e-12))


def quantile_grid(prior: Prior, size: int, plane: Plane | None = None) -> Floats:
    """A grid at evenly spaced quantiles of the prior, for a sheet of decoded images.

    Under the standard normal each point stands for an equal share of the prior: the inverse normal
    CDF of a regular grid in (0, 1)² (Kingma & Welling 2014, appendix A).

    Args:
        size: points a side.
        plane: whose axes the grid follows; the first two dimensions if None.

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
    """E[x|z], pixel probabilities (…, C, H, W) in [0, 1], of latents (…, d)."""
    latents = torch.as_tensor(z, dtype=torch.float32, device=model.device)
    flat = latents.reshape(-1, latents.shape[-1])
    images = map_blocks(model.mean_image, flat, at_once=_DECODE_AT_ONCE)
    return images.view(*latents.shape[:-1], *model.config.image_shape).cpu().numpy()


def nearest(latents: Floats, point: Floats, count: int) -> NDArray[np.intp]:
    """Indices of the ``count`` rows of latents (N, d) nearest to a point (d,), nearest first."""
    distances = np.linalg.norm(latents - point, axis=1)
    return np.argsort(distances, kind="stable")[:count]


# ---- how q(z|x) lies in a plane


@torch.no_grad()
def posterior_contours(
    model: VAE, x: Tensor, radii: Sequence[float] = (1, 2, 3), points: int = 180
) -> list[Floats]:
    """Closed curves that hold the mass 1 − exp(−r²/2) of q(z|x), for an image (1, C, H, W), d = 2.

    The circle ‖ε‖ = r goes through the map from ε to z. It is invertible, so what was inside stays
    inside: an ellipse for a Gaussian, and whatever a flow makes of one.

    Returns:
        An array (points, 2) for each radius, its last point being its first.

    Raises:
        InvalidArgument: if the model has not d = 2.
    """
    if model.config.latent_size != 2:
        raise InvalidArgument(f"Contours are drawn for d = 2, not d = {model.config.latent_size}.")
    q = model.posterior(x.to(model.device))
    circle = torch.as_tensor(_circle(points), dtype=x.dtype, device=model.device)[:, None]
    return [q.path(r * circle).z[:, 0].double().cpu().numpy() for r in radii]


def ellipse(points: Floats, radius: float, count: int = 180) -> Floats:
    """Where a Gaussian with the mean and covariance of these points (N, 2) is ``radius`` σ away.

    Returns:
        A closed curve, (count, 2).
    """
    covariance = np.cov(points, rowvar=False) + 1e-12 * np.eye(2)
    return points.mean(0) + radius * _circle(count) @ np.linalg.cholesky(covariance).T


def _circle(points: int) -> Floats:
    angle = np.linspace(0, 2 * np.pi, points)
    return np.stack([np.cos(angle), np.sin(angle)], -1)


# ---- ways through the latent space


def straight_path(start: Floats, end: Floats, steps: int) -> Floats:
    """Points on the line between two latents (d,), ends included, (steps, d)."""
    share = np.linspace(0, 1, steps)[:, None]
    return (1 - share) * start + share * end


def spherical_path(start: Floats, end: Floats, steps: int) -> Floats:
    """Points on the arc around the origin between two latents (d,), ends included, (steps, d).

    Angle and distance from the origin change evenly, so the path stays where the prior has its
    mass, which in many dimensions is near ‖z‖ = √d (White 2016, arXiv 1609.04468). It is the
    straight line where there is no unique arc: d = 1, or the origin between or at the ends.
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
    """A latent (d,) with one dimension at a time set to each value, (len(dims), len(values), d)."""
    latents = np.tile(z, (len(dims), len(values), 1))
    for row, dim in enumerate(dims):
        latents[row, :, dim] = values
    return latents
