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
from vae_core.inference.starts import Points, far_apart
from vae_core.model.batches import FLOATS_AT_ONCE
from vae_core.model.posteriors import GaussianPosterior
from vae_core.model.vae import VAE

_POOL = (64, 512)  # fewest and most draws from the prior
_LATENTS = 200  # starts times d, which bounds the cost of the search
_MOST_STARTS = 8
_QUICK_STEPS, _STEPS = 8, 4
_LENGTHS = (2.0, 1.0, 0.4, 0.1, 0.02, 0.0)  # of a quick step, all of them tried
_LOW = 12.0  # nats below the known mode: dropped after the last step; twice as much a step before
_MOST_MODES = 4
_STARTS_APART = 0.5  # smallest distance of two starts, in √d standard deviations of the prior
_APART = 1.6  # standard deviations of a Gaussian; a mode that is closer to its centre is the same
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
        outputs: the decoder's outputs, (G, D) or (G, D, P).
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
        return cls(points, model.decode(points))

    def log_joint(self, model: VAE, x: Tensor) -> Tensor:
        """log p(x, z) of images x (B, C, H, W) at all points, (G, B); −inf for NaN."""
        log_px_z = model.likelihood.at_shared(x.flatten(1), self.outputs)
        return (log_px_z + model.log_prior(self.points)[:, None]).nan_to_num(nan=-torch.inf)

    def best(self, heights: Tensor, prior_scale: Tensor) -> tuple[Tensor, Tensor]:
        """Choose starts of a search: the highest points that are apart from each other.

        Args:
            heights: log p(x, z), (G, B).

        Returns:
            For each image a table of points, the highest first, (B, S, d), and a mask of those that
            were chosen, (B, S). The first always is.
        """
        size = self.points.shape[1]
        most = min(max(_LATENTS // size, 1), _MOST_STARTS)
        ordered = self.points[heights.argsort(0, descending=True)[: 4 * most].T]  # (B, S, d)
        everything = torch.ones(ordered.shape[:2], dtype=torch.bool, device=ordered.device)
        distance = _STARTS_APART * math.sqrt(size)
        return ordered, far_apart(ordered / prior_scale, everything, distance, most)


def other_modes(model: VAE, x: Tensor, known: GaussianPosterior, starts: Points) -> Points:
    """Find modes of p(z|x) outside the Gaussian that was fitted to the known one.

    Args:
        x: images, (B, C, H, W).
        known: the Gaussian of each image.

    Returns:
        At most two modes for each image, the highest first.
    """
    height = model.log_joint(x, known.mean[None])[0]
    found, heights = starts, height[starts.image]
    for step in reversed(range(_QUICK_STEPS + _STEPS)):
        images = x[found.image]
        if step >= _STEPS:
            z, heights = _quick_step(model, images, found.z, known.scale_tril[found.image])
        else:
            z, heights = climbed(model, images, found.z, 1)
        found = Points(z, found.image)
        apart = torch.linalg.vector_norm(_away(known, found), dim=1) > _APART
        kept = apart & (heights > height[found.image] - _LOW * 2**step)
        found, heights = Points(z[kept], found.image[kept]), heights[kept]
        if not len(found):
            return found
    return _highest(found, heights, known)


def _highest(found: Points, heights: Tensor, known: GaussianPosterior) -> Points:
    """Choose the highest points of each image that are apart, in the scale of its Gaussian."""
    images = len(known.mean)
    of_height, valid = found.table(heights, images)
    order = of_height.masked_fill(~valid, -torch.inf).argsort(1, descending=True)
    rows = torch.arange(images, device=order.device)[:, None]
    places, z = (
        found.table(values, images)[0][rows, order] for values in (_away(known, found), found.z)
    )
    return Points.of(z, far_apart(places, valid[rows, order], _APART, _MOST_MODES))


def _quick_step(model: VAE, x: Tensor, z: Tensor, lower: Tensor) -> tuple[Tensor, Tensor]:
    """Step along the gradient, scaled by the covariance LLᵀ of the known Gaussian.

    It takes a tenth of the time of a Newton step.

    Args:
        x: the image of each point, (N, C, H, W).
        z: (N, d).
        lower: L, (N, d, d).
    """
    with torch.enable_grad():
        at = z.detach().requires_grad_()
        (slope,) = torch.autograd.grad(model.log_joint(x, at[None]).sum(), at)
    way = (lower @ (lower.mT @ slope[..., None]))[..., 0]
    points = z + z.new_tensor(_LENGTHS)[:, None, None] * way  # (lengths, N, d)
    heights, best = model.log_joint(x, points).nan_to_num(nan=-torch.inf).max(0)
    return points[best, torch.arange(len(z), device=z.device)], heights


def _away(known: GaussianPosterior, points: Points) -> Tensor:
    """L⁻¹ (z − μ) of each point by the Gaussian of its image, (N, d)."""
    centred = (points.z - known.mean[points.image])[..., None]
    return torch.linalg.solve_triangular(known.scale_tril[points.image], centred, upper=False)[
        ..., 0
    ]
