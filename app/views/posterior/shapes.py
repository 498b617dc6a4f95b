"""Arrays for the pictures of q(z|x) and its flow steps.

Works for every family of q: the shape is computed from where the noise goes. The map from ε to z is
invertible, so the mapped circle ‖ε‖ = r contains the mass 1 − exp(−r²/2) of q.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vae_core.basics.arrays import Floats
from vae_core.inference.gap import fresh_noise
from vae_core.model.posteriors import Path, Posterior
from vae_core.model.vae import VAE

RADII = (1.0, 2.0)
MASSES = tuple(1 - math.exp(-(r**2) / 2) for r in RADII)
"""Mass of q inside each circle: 39% and 86%."""
DRAWS = 600
_CIRCLE = 145
_LINE = 401  # points of a density on a line
_REACH = 4.0


@dataclass(frozen=True)
class Shape:
    """q(z|x) of one image.

    Attributes:
        draws: (n, d).
        curves: for d = 2, the images of the circles of ``RADII``, (m, 2) each.
        line: for d = 1, values of z and q(z|x) at them, (n,) each.
    """

    draws: Floats
    curves: tuple[Floats, ...] = ()
    line: tuple[Floats, Floats] | None = None


@torch.no_grad()
def shape_of(model: VAE, x: Tensor, q: Posterior, seed: int) -> Shape:
    """Compute the shape of q(z|x) for one image x (1, C, H, W)."""
    draws = draws_of(model, x, q, DRAWS, seed)
    if model.config.latent_size == 1:
        epsilon = torch.linspace(-_REACH, _REACH, _LINE, dtype=x.dtype, device=x.device)
        path = q.path(epsilon[:, None, None])
        z, density = _rows(path.z)[:, 0], np.exp(_rows(path.log_q))
        order = np.argsort(z)
        return Shape(draws, line=(z[order], density[order]))
    if model.config.latent_size == 2:
        path = q.path(_circles(x))
        return Shape(draws, curves=tuple(np.split(_rows(path.z), len(RADII))))
    return Shape(draws)


@torch.no_grad()
def draws_of(model: VAE, x: Tensor, q: Posterior, n: int, seed: int) -> Floats:
    """n draws of q(z|x) for one image x (1, C, H, W), (n, d)."""
    return _rows(q.path(fresh_noise(model, x, n, seed)).z)


def _circles(x: Tensor) -> Tensor:
    """Noise on the circles of ``RADII``, one circle after the other, (n, 1, 2)."""
    angle = torch.linspace(0, 2 * math.pi, _CIRCLE, dtype=x.dtype, device=x.device)
    circle = torch.stack([angle.cos(), angle.sin()], -1)
    return torch.cat([r * circle for r in RADII])[:, None]


@dataclass(frozen=True)
class Steps:
    """The stages of a flow.

    Attributes:
        points: z_0, …, z_T of the same draws, (T + 1, n, d).
        curves: for d = 2, the images of the circles of ``RADII`` at each stage.
        log_abs_dets: log |det ∂z_t/∂z_{t−1}| of each draw, (T, n), in nats.
    """

    points: Floats
    curves: tuple[tuple[Floats, ...], ...]
    log_abs_dets: Floats


@torch.no_grad()
def steps_of(model: VAE, x: Tensor, seed: int) -> Steps:
    """Follow some draws through the flow steps of q(z|x), for one image x (1, C, H, W)."""
    q = model.posterior(x)
    path = q.path(fresh_noise(model, x, DRAWS, seed))
    curves: tuple[tuple[Floats, ...], ...] = ()
    if model.config.latent_size == 2:
        rings: Path = q.path(_circles(x))
        curves = tuple(tuple(np.split(_rows(each), len(RADII))) for each in rings.points)
    points = np.stack([_rows(each) for each in path.points])
    dets = [_rows(each) for each in path.log_abs_dets]
    return Steps(points, curves, np.stack(dets) if dets else np.zeros((0, DRAWS)))


def _rows(values: Tensor) -> Floats:
    """Convert values (n, 1, …) of one image to float64 (n, …) on the CPU."""
    return values[:, 0].cpu().double().numpy()
