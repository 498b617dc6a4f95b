"""A search for modes of p(z|x), from latents that are decoded once for all images.

Most images have one mode. So a few steps of Newton's method start at the best of many draws from
the prior, and starts that arrive at the known mode are dropped. Only others are followed further.
"""

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from vae_core.inference.gauss_newton import climbed
from vae_core.model.batches import FLOATS_AT_ONCE
from vae_core.model.posteriors import GaussianPosterior
from vae_core.model.vae import VAE

_POOL = (64, 512)  # fewest and most draws from the prior
_LATENTS = 200  # starts times d, which bounds the cost of the search
_MOST_STARTS = 8
_QUICK_STEPS, _STEPS = 8, 4
_LENGTHS = (2.0, 1.0, 0.4, 0.1, 0.02, 0.0)  # of a quick step, all of them tried
_LOW = 12.0  # nats below the known mode: dropped after the last step; twice as much a step before
_MOST_MODES = 2
_STARTS_APART = 0.5  # smallest distance of two starts, in √d standard deviations of the prior
_APART = 2.2  # standard deviations of a Gaussian; a mode that is closer to its centre is the same
SEARCH_SETTINGS = {
    "pool": [*_POOL],
    "starts": [_LATENTS, _MOST_STARTS, _STARTS_APART],
    "search_steps": [_QUICK_STEPS, _STEPS, _LOW],
    "search_lengths": [*_LENGTHS],
    "modes": [_MOST_MODES, _APART],
}
"""Settings that the result depends on, to distinguish versions."""


@dataclass(frozen=True)
class DecodedLatents:
    """Latents with the decoder's outputs, to evaluate log p(x, z) for many images.

    Attributes:
        points: (G, d).
        outputs: the decoder's outputs, (G, 1, D) or (G, 1, D, P).
    """

    points: Tensor
    outputs: Tensor

    @classmethod
    def from_prior(cls, model: VAE, seed: int) -> Self:
        """Draw from the prior and decode, as many as fit into about 8 MB."""
        fewest, most = _POOL
        count = min(max(FLOATS_AT_ONCE // model.decoder.row_floats, fewest), most)
        generator = torch.Generator(model.device).manual_seed(seed & 0xFFFFFFFF)
        points = model.prior.sample((count,), generator).to(next(model.parameters()))
        return cls(points, model.decode(points[:, None]))

    def log_joint(self, model: VAE, x: Tensor) -> Tensor:
        """log p(x, z) of one image x (1, C, H, W) at all points, (G,); −inf for NaN."""
        log_px_z = model.likelihood(x.flatten(1), self.outputs)[:, 0]
        return (log_px_z + model.log_prior(self.points)).nan_to_num(nan=-torch.inf)

    def best(self, heights: Tensor, prior_scale: Tensor) -> Tensor:
        """Starts of a search: the highest points that are apart from each other, (S, d)."""
        size = self.points.shape[1]
        most = min(max(_LATENTS // size, 1), _MOST_STARTS)
        ordered = self.points[heights.argsort(descending=True)[: 4 * most]]
        return _spread(ordered, ordered / prior_scale, _STARTS_APART * math.sqrt(size), most)


def other_modes(model: VAE, x: Tensor, known: GaussianPosterior, starts: Tensor) -> Tensor:
    """Find modes of p(z|x) outside the Gaussian that was fitted to the known one.

    Args:
        x: one image, (1, C, H, W).
        known: the Gaussian, for one image.
        starts: (S, d).

    Returns:
        At most two modes, the highest first, (M, d).
    """
    height = model.log_joint(x, known.mean[None])[0, 0]
    z, heights = starts, starts[:, 0]
    for step in reversed(range(_QUICK_STEPS + _STEPS)):
        quick = step >= _STEPS
        z, heights = _quick_step(model, x, z, known) if quick else climbed(model, x, z, 1)
        apart = torch.linalg.vector_norm(_away(known, z), dim=1) > _APART
        kept = apart & (heights > height - _LOW * 2**step)
        z, heights = z[kept], heights[kept]
        if not len(z):
            return z
    order = heights.argsort(descending=True)
    return _spread(z[order], _away(known, z)[order], _APART, _MOST_MODES)


def _quick_step(
    model: VAE, x: Tensor, z: Tensor, known: GaussianPosterior
) -> tuple[Tensor, Tensor]:
    """Step along the gradient at z (S, d), scaled by the covariance of the known Gaussian.

    It takes a tenth of the time of a Newton step.
    """
    images = x.expand(len(z), *x.shape[1:])
    with torch.enable_grad():
        at = z.detach().requires_grad_()
        (slope,) = torch.autograd.grad(model.log_joint(images, at[None]).sum(), at)
    lower = known.scale_tril[0]
    way = slope @ lower @ lower.T
    points = z + z.new_tensor(_LENGTHS)[:, None, None] * way  # (lengths, S, d)
    heights, best = model.log_joint(images, points).nan_to_num(nan=-torch.inf).max(0)
    return points[best, torch.arange(len(z), device=z.device)], heights


def _away(known: GaussianPosterior, z: Tensor) -> Tensor:
    """L⁻¹ (z − μ) for points (S, d): (S, d)."""
    centred = (z - known.mean).T
    return torch.linalg.solve_triangular(known.scale_tril[0], centred, upper=False).T


def _spread(points: Tensor, places: Tensor, distance: float, most: int) -> Tensor:
    """Take points (N, d) in order, except those whose place is close to one taken before."""
    taken: list[int] = []
    for i in range(len(points)):
        if all(torch.linalg.vector_norm(places[i] - places[j]) > distance for j in taken):
            taken.append(i)
        if len(taken) == most:
            break
    return points[taken]
