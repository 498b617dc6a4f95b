"""Fit a Gaussian to the true posterior of each image, by variational Gauss–Newton steps.

The N(μ, Σ) with the highest ELBO for one image satisfies E ∇ log p(x, z) = 0 and
Σ⁻¹ = −E ∇² log p(x, z), both in z and under N(μ, Σ) (Opper & Archambeau 2009, "The variational
Gaussian approximation revisited", Neural Computation 21). A step moves towards this solution,
using a few draws. The Hessian is the Gauss–Newton one, P + JᵀΛJ (as in Khan et al. 2018, arXiv
1806.04854), with J = ∂l/∂z of the decoder's outputs l. The prior gives P = −∂² log p(z)/∂z² and the
likelihood Λ = −∂² log p(x|l)/∂l².
"""

from collections.abc import Callable

import torch
from torch import Tensor

from vae_core.model.batches import rows_at_once
from vae_core.model.posteriors import GaussianPosterior
from vae_core.model.vae import VAE

_STEPS = 4
_LENGTHS = (1.0, 0.4, 0.1, 0.0)  # lengths of a step of the mean, all of them tried
_RIDGE = 1e-5  # relative addition to the diagonal, larger than float32 rounding
FIT_SETTINGS = {"steps": _STEPS, "lengths": list(_LENGTHS)}
"""Settings that the result depends on, to distinguish versions."""


@torch.no_grad()
def fitted_gaussian(
    model: VAE, x: Tensor, z: Tensor, noise: Callable[[], Tensor]
) -> GaussianPosterior:
    """Fit the Gaussian of each image with a few steps; NaN if they fail.

    Args:
        x: images, (B, C, H, W) in [0, 1].
        z: starting points: draws (n, B, d) from a guess of the posterior.
        noise: draws new ε ~ N(0, I), (n, B, d), at each call.
    """
    mean, precision = z.mean(0), torch.zeros((), dtype=z.dtype, device=z.device)
    fitted = GaussianPosterior(mean, torch.zeros_like(mean))
    for step in range(_STEPS):
        slope, curvature = _slope_and_curvature(model, x, z)
        rate = 2 / (2 + step)
        precision = precision + rate * (curvature - precision)
        scale = _scale_of(precision)
        way = rate * (scale @ (scale.mT @ slope[..., None]))[..., 0]  # Σ slope
        spread = (scale @ noise()[..., None])[..., 0]
        mean = _line_search(model, x, mean, way, spread)
        z = mean + spread
        log_scale = scale.diagonal(dim1=-2, dim2=-1).log()
        fitted = GaussianPosterior(mean, log_scale, scale.tril(-1))
    return fitted


@torch.no_grad()
def climbed(model: VAE, x: Tensor, z: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Climb from each start to a local maximum of log p(x, z), by Gauss–Newton steps.

    Args:
        x: the image of each start, (N, C, H, W) in [0, 1].
        z: starts, (N, d).

    Returns:
        The points that were reached, (N, d), and log p(x, z) there, (N,); −inf for NaN.
    """
    for _ in range(steps):
        slope, curvature = _slope_and_curvature(model, x, z[None])
        scale = _scale_of(curvature)
        way = (scale @ (scale.mT @ slope[..., None]))[..., 0]
        z = _line_search(model, x, z, way, torch.zeros_like(z)[None])
    return z, model.log_joint(x, z[None])[0].nan_to_num(nan=-torch.inf)


def _line_search(model: VAE, x: Tensor, mean: Tensor, way: Tensor, spread: Tensor) -> Tensor:
    """Move the mean along ``way``, by the length with the highest E log p(x, mean + spread)."""
    lengths = torch.tensor(_LENGTHS, dtype=mean.dtype, device=mean.device)[:, None, None]
    means = mean + lengths * way  # (lengths, B, d)
    points = means[:, None] + spread  # (lengths, n, B, d)
    heights = model.log_joint(x, points.flatten(0, 1)).unflatten(0, points.shape[:2]).mean(1)
    best = heights.nan_to_num(nan=-torch.inf).argmax(0)  # (B,)
    return means[best, torch.arange(len(best), device=best.device)]


def _slope_and_curvature(model: VAE, x: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    """∇ log p(x, z), (B, d), and P + JᵀΛJ, (B, d, d), averaged over the draws z (n, B, d)."""
    draws, count, size = z.shape
    images = x.flatten(1).expand(draws, -1, -1).flatten(0, 1)
    rows = max(1, rows_at_once(model) // (size + 1))
    slopes, curvatures, prior_curvatures = [], [], []
    for latents, pixels in zip(z.flatten(0, 1).split(rows), images.split(rows), strict=True):
        outputs, columns = model.decode_with_jacobian(latents)
        slope, curvature = model.likelihood.pull_back(pixels, outputs, columns)
        prior_slope, prior_bend = model.prior.gradient_and_curvature(latents)
        slopes.append(slope + prior_slope)
        curvatures.append(curvature)
        prior_curvatures.append(prior_bend)

    def averaged(parts: list[Tensor]) -> Tensor:
        return torch.cat(parts).unflatten(0, (draws, count)).mean(0)

    return averaged(slopes), averaged(curvatures) + averaged(prior_curvatures)


def _scale_of(precision: Tensor) -> Tensor:
    """Lower triangular L with LLᵀ = P⁻¹, (B, d, d); meaningless if P is not positive definite."""
    diagonal = torch.diag_embed(precision.diagonal(dim1=-2, dim2=-1))
    turned = (precision + _RIDGE * diagonal).flip(-2, -1)
    upper = torch.linalg.cholesky_ex(turned).L.flip(-2, -1)  # UUᵀ = P
    identity = torch.eye(upper.shape[-1], dtype=upper.dtype, device=upper.device)
    return torch.linalg.solve_triangular(upper.mT, identity, upper=False)
