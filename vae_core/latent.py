"""The latent space of a trained model: where data lie, what points decode to, how to lay it flat."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vae_core.posteriors import Path
from vae_core.vae import VAE

_ENCODE_AT_ONCE = 500
_MOMENT_SAMPLES = 64

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Encoded:
    """q(z|x) of N images, by its first two moments.

    Attributes:
        mean: E[z|x], (N, d).
        variance: Var[z_i|x], (N, d).
    """

    mean: Tensor
    variance: Tensor


@torch.no_grad()
def encode(model: VAE, x: Tensor, seed: int = 0) -> Encoded:
    """Posterior means and variances of images x (N, C, H, W) in [0, 1], on the CPU."""
    generator = torch.Generator(model.device).manual_seed(seed)
    moments = [
        model.posterior(block.to(model.device)).moments(_MOMENT_SAMPLES, generator)
        for block in x.split(_ENCODE_AT_ONCE)
    ]
    mean, variance = (torch.cat(parts).cpu() for parts in zip(*moments, strict=True))
    return Encoded(mean, variance)


@torch.no_grad()
def posterior_path(model: VAE, x: Tensor, n: int, seed: int = 0) -> Path:
    """n draws from q(z|x) of each image x (B, C, H, W), with every stage of a flow."""
    q = model.posterior(x.to(model.device))
    return q.path(q.noise(n, torch.Generator(model.device).manual_seed(seed)))


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
    from sklearn.decomposition import PCA  # here, since importing it takes a while

    pca = PCA(n_components=2, random_state=0).fit(latents)
    return Plane(pca.mean_, pca.components_, pca.explained_variance_ratio_)


def quantile_grid(size: int) -> Floats:
    """Latent points whose prior probability is evenly spread, for the manifold of d = 2.

    The inverse normal CDF of a regular grid in (0, 1)² (Kingma & Welling 2014, appendix A).

    Returns:
        (size, size, 2): rows from high z_2 to low, columns from low z_1 to high.
    """
    levels = torch.special.ndtri((torch.arange(size, dtype=torch.float64) + 0.5) / size).numpy()
    first, second = np.meshgrid(levels, levels[::-1])
    return np.stack([first, second], -1)


@torch.no_grad()
def decode(model: VAE, z: Floats | Tensor) -> NDArray[np.float32]:
    """E[x|z], pixel probabilities (…, C, H, W) in [0, 1], of latents (…, d)."""
    latents = torch.as_tensor(z, dtype=torch.float32, device=model.device)
    flat = latents.reshape(-1, latents.shape[-1])
    images = torch.cat([model.mean_image(block) for block in flat.split(_ENCODE_AT_ONCE)])
    return images.view(*latents.shape[:-1], *model.config.image_shape).cpu().numpy()


def nearest(latents: Floats, point: Floats, count: int) -> NDArray[np.intp]:
    """Indices of the ``count`` rows of latents (N, d) nearest to a point (d,), nearest first."""
    distances = np.linalg.norm(latents - point, axis=1)
    return np.argsort(distances, kind="stable")[:count]
