"""Proposal distributions for importance sampling, refined for each image.

The encoder's guess of a posterior is often poor. Importance sampling then needs many draws, and for
an image unlike the training data it may miss most of p(x) even so. A refined proposal is a mixture
(:mod:`vae_core.inference.mixture`) that looks for every mode of p(z|x):

- d ≤ 2: many small Gaussians that follow p(z|x) (:mod:`vae_core.inference.kernels`);
- d > 2: Gaussians fitted to the image (:mod:`vae_core.inference.gauss_newton`), one for each mode
  that a search finds (:mod:`vae_core.inference.modes`), and one in place of the encoder's q(z|x).

Both have a share of the prior. A mixture needs a tenth to a fiftieth of the encoder's draws. The
fit takes as long as one to four thousand draws.

The random numbers used to fit a proposal are independent of those used to estimate p(x), so p̂(x)
is unbiased. Shapes: images x are (B, C, H, W), latents (n, B, d).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vae_core.basics.blocks import map_blocks
from vae_core.basics.seeding import generator_of
from vae_core.inference.gauss_newton import FIT_SETTINGS, fitted_gaussian
from vae_core.inference.importance import (
    LogDensity,
    ReachedDensity,
    check_count,
    check_fits,
    log_density,
    log_density_to,
    sample_density,
)
from vae_core.inference.kernels import KERNEL_SETTINGS, Lattice, kernel_mixture
from vae_core.inference.mixture import GaussianMixture, KernelMixture, Mixture, joined
from vae_core.inference.modes import SEARCH_SETTINGS, DecodedLatents, other_modes
from vae_core.inference.starts import Points
from vae_core.model.batches import rows_at_once
from vae_core.model.posteriors import GaussianPosterior, Posterior
from vae_core.model.vae import VAE
from vae_core.settings.choices import ProposalName

_FEW_DIMENSIONS = 2  # mixtures of kernels up to here
_DRAWS = 4  # per step of the fit; half of them mirror the others
_TRIALS, _ROUNDS = 32, 2  # draws for each component, to find the shares
_MOMENT_DRAWS = 64  # of a flow, for the Gaussian in its place
_STRETCH, _ENCODER_STRETCH = 0.12, 0.07
_PRIOR_SHARE, _EVEN_SHARE = 0.05, 0.12
_AT_ONCE = 64  # images of a block, at most
_ROWS_AN_IMAGE = 48  # latents of an image that are decoded at once, about
_APART = 0x9E3779B9  # makes the generators here differ from those of the estimate

SETTINGS = {
    "draws": _DRAWS,
    "trials": [_TRIALS, _ROUNDS],
    "stretch": [_STRETCH, _ENCODER_STRETCH],
    "shares": [_PRIOR_SHARE, _EVEN_SHARE],
    **FIT_SETTINGS,
    **SEARCH_SETTINGS,
    "kernels": KERNEL_SETTINGS,
}
"""Settings of refined proposals, to tell versions apart."""
COMPARABLE = {
    "draws": 4,
    "prior_draws": 128,
    "trials": [8, 8, 1.0, 4.0],
    "stretch": 0.07,
    "steps": 4,
    "lengths": [1.0, 0.4, 0.1, 0.0],
    "shift": 0.01,
}
"""Settings of the oldest proposals whose scores can be compared with those of today.

Held-out scores in saved calibrations were estimated with them. They differ from scores of today by
less than scores of one image differ between seeds (tests/benchmarks/README.md), except for the few
images with a missed mode. A change of proposals that shifts scores by more needs a new mark here.
"""


@torch.no_grad()
def refine(model: VAE, x: Tensor, seed: int = 0, *, posterior: Posterior | None = None) -> Mixture:
    """Make a proposal for each image, for :func:`vae_core.inference.importance.log_density`.

    For d ≤ 2 the proposal is close to p(z|x) itself. For more dimensions it has the modes that the
    search found; the estimate may lack others, and the diagnostics do not show this. A 2×200 MLP
    with d = 50 takes about 30 ms per image on a CPU core, a residual convolutional net 0.8 s.

    Args:
        x: images, (B, C, H, W) in [0, 1]. The result takes a few times d² floats of memory per
            image.
        seed: the draws depend only on the seed and the image. Other images of the batch change a
            proposal by rounding only.
        posterior: the encoder's q(z|x) of these images, if already computed.

    Raises:
        InvalidArgument: if the images do not have the model's shape, or the posterior was made for
            another number of images.
    """
    x = model.as_images(x)
    check_fits(posterior, x)
    if not len(x):
        return _no_images(model, x)
    few = model.config.latent_size <= _FEW_DIMENSIONS
    fit = _kernels(model) if few else _gaussians(model, seed)
    parts = []
    for start in range(0, len(x), _images_at_once(model)):
        block = slice(start, start + _images_at_once(model))
        encoder = model.posterior(x[block]) if posterior is None else posterior.rows(block)
        parts.append(fit(x[block], encoder))
    return joined(parts)


def _images_at_once(model: VAE) -> int:
    return max(1, min(_AT_ONCE, rows_at_once(model) // _ROWS_AN_IMAGE))


@torch.no_grad()
def fit_gaussian(model: VAE, x: Tensor, seed: int = 0) -> GaussianPosterior:
    """Fit one Gaussian to the true posterior of one image x (1, C, H, W); NaN if the fit fails.

    For d > 2 this is the first component of :func:`refine`.

    Raises:
        InvalidArgument: if the image does not have the model's shape.
    """
    x = model.as_images(x)
    pool = DecodedLatents.from_prior(model, seed)
    return _first_fit(model, x, model.posterior(x), pool, _Noise(model, x, seed))[0]


def refined_log_density(
    model: VAE,
    x: Tensor,
    n: int,
    seed: int = 0,
    on_progress: Callable[[float], None] | None = None,
) -> LogDensity:
    """:func:`vae_core.inference.importance.log_density` with a refined proposal for each image.

    Memory does not grow with the number of images.

    Raises:
        InvalidArgument: as for that function.
    """
    return _refined_density(model, x, n, None, seed, on_progress).density


def refined_log_density_to(
    model: VAE,
    x: Tensor,
    se: float,
    most: int = 100_000,
    seed: int = 0,
    on_progress: Callable[[float], None] | None = None,
) -> ReachedDensity:
    """:func:`vae_core.inference.importance.log_density_to` with a refined proposal for each image.

    Raises:
        InvalidArgument: as for that function.
    """
    return _refined_density(model, x, most, se, seed, on_progress)


def _refined_density(
    model: VAE,
    x: Tensor,
    most: int,
    se: float | None,
    seed: int,
    on_progress: Callable[[float], None] | None,
) -> ReachedDensity:
    check_count(most)
    x = model.as_images(x)

    def measure(block: Tensor) -> ReachedDensity:
        proposal = refine(model, block, seed)
        return sample_density(model, block, most, se, seed, proposal=proposal)

    return map_blocks(measure, x, at_once=_AT_ONCE, on_progress=on_progress)


ESTIMATES: Mapping[ProposalName, Callable[..., LogDensity]] = {
    "encoder": log_density,
    "refined": refined_log_density,
}
"""Estimates of log p(x) by the name of the proposal, called as (model, x, K, seed, on_progress)."""

ESTIMATES_TO: Mapping[ProposalName, Callable[..., ReachedDensity]] = {
    "encoder": log_density_to,
    "refined": refined_log_density_to,
}
"""Estimates to a standard error, called as (model, x, se, largest K, seed, on_progress)."""


_Fit = Callable[[Tensor, Posterior], Mixture]
"""Function of images (B, C, H, W) and the encoder's q(z|x) of each."""


def _kernels(model: VAE) -> _Fit:
    lattice = Lattice.of(model)

    def fit(x: Tensor, encoder: Posterior) -> Mixture:
        centre = encoder.path(x.new_zeros(1, len(x), model.config.latent_size)).z[0]
        return kernel_mixture(model, x, lattice, centre)

    return fit


def _gaussians(model: VAE, seed: int) -> _Fit:
    pool = DecodedLatents.from_prior(model, seed)

    def fit(x: Tensor, encoder: Posterior) -> Mixture:
        noise = _Noise(model, x, seed)
        first, starts = _first_fit(model, x, encoder, pool, noise)
        found = _Components.of(first, *_other_fits(model, x, first, starts, noise))
        return _with_shares(model, x, found.and_last(_as_gaussian(encoder, noise)), noise)

    return fit


def _first_fit(
    model: VAE, x: Tensor, encoder: Posterior, pool: DecodedLatents, noise: "_Noise"
) -> tuple[GaussianPosterior, Points]:
    """Fit a Gaussian from the encoder's draws, or from the best draw of the prior if it is higher.

    In few dimensions, many draws from the prior find the highest mode of an image that the encoder
    misjudges.

    Returns:
        The Gaussian of each image, and other starts for a search.
    """
    draws = encoder.path(noise.mirrored(_DRAWS)).z  # (n, B, d)
    heights = pool.log_joint(model, x)
    others, chosen = pool.best(heights, model.prior.moments()[1])
    by_encoder = model.log_joint(x, draws).nan_to_num(nan=-torch.inf).amax(0)
    by_prior = (heights.amax(0) > by_encoder)[:, None]
    start = torch.where(by_prior, others[:, 0], draws)
    others[:, 0] = torch.where(by_prior, draws.mean(0), others[:, 0])
    fitted = fitted_gaussian(model, x, start, lambda: noise.mirrored(_DRAWS))
    return fitted, Points.of(others, chosen)


def _other_fits(
    model: VAE, x: Tensor, first: GaussianPosterior, starts: Points, noise: "_Noise"
) -> tuple[GaussianPosterior, Points]:
    """Fit a Gaussian to each other mode that the search finds; return them and the modes."""
    modes = other_modes(model, x, first, starts)
    if not len(modes):
        return first.rows(modes.image), modes
    draws = modes.z.expand(_DRAWS, -1, -1)
    fitted = fitted_gaussian(
        model, x[modes.image], draws, lambda: noise.mirrored(_DRAWS, modes.image.tolist())
    )
    return fitted, modes


def _as_gaussian(encoder: Posterior, noise: "_Noise") -> GaussianPosterior:
    """Return q(z|x), or the Gaussian with the moments of some of its draws.

    Most flows have a density only at their own draws, so a Gaussian stands in for them.
    """
    gaussian = encoder.as_gaussian()
    if gaussian is not None:
        return gaussian
    z = encoder.path(noise(_MOMENT_DRAWS)).z.transpose(0, 1)  # (B, n, d)
    mean = z.mean(1)
    away = z - mean[:, None]
    covariance = away.mT @ away / (z.shape[1] - 1)
    diagonal = covariance.diagonal(dim1=-2, dim2=-1).clamp_min(1e-12).diag_embed()
    few = z.shape[2] / (z.shape[2] + z.shape[1])  # with few draws, correlations are not known
    lower = torch.linalg.cholesky_ex(torch.lerp(covariance, diagonal, few)).L
    log_scale = lower.diagonal(dim1=-2, dim2=-1).log()
    return GaussianPosterior(mean, log_scale, lower.tril(-1))


@dataclass(frozen=True)
class _Components:
    """Gaussians of B images, J for each at most.

    Attributes:
        mean: (J, B, d).
        lower: L, (J, B, d, d).
        has: mask of the components that an image has, (J, B).
    """

    mean: Tensor
    lower: Tensor
    has: Tensor

    @classmethod
    def of(
        cls, first: GaussianPosterior, others: GaussianPosterior, modes: Points
    ) -> "_Components":
        """Put a first Gaussian of each image and those of some modes together.

        Those whose fit failed are left out.
        """
        images = len(first.mean)
        more, has = modes.table(others.mean, images)
        lowers, _ = modes.table(others.scale_tril, images)
        mean = torch.cat([first.mean[None], more.transpose(0, 1)])
        lower = torch.cat([first.scale_tril[None], lowers.transpose(0, 1)])
        has = torch.cat([torch.ones_like(first.mean[:, 0], dtype=torch.bool)[None], has.T])
        return cls(mean, lower, has & lower.isfinite().flatten(2).all(-1))

    def and_last(self, last: GaussianPosterior) -> "_Components":
        """These components and one more of every image."""
        everywhere = torch.ones_like(self.has[:1])
        return _Components(
            torch.cat([self.mean, last.mean[None]]),
            torch.cat([self.lower, last.scale_tril[None]]),
            torch.cat([self.has, everywhere]),
        )

    def packed(self, images: Tensor, count: int) -> "_Components":
        """Only some images, with ``count`` components each; return those without gaps."""
        order = self.has[:, images].int().sort(dim=0, descending=True, stable=True).indices[:count]
        return _Components(*(each[order, images] for each in (self.mean, self.lower, self.has)))


def _with_shares(model: VAE, x: Tensor, found: _Components, noise: "_Noise") -> GaussianMixture:
    """Make a mixture of the components and the prior for each image.

    The shares follow evidence from trial draws, which the estimate does not use. Images with the
    same number of components are treated together.
    """
    counts = found.has.sum(0)
    parts, places = [], []
    for count in counts.unique().tolist():
        images = (counts == count).nonzero()[:, 0]
        mixture = _even_mixture(model, found.packed(images, count))
        parts.append(_by_evidence(model, x[images], mixture, noise, images.tolist()))
        places.append(images)
    return joined(parts).rows(torch.cat(places).argsort())


def _by_evidence(
    model: VAE, x: Tensor, mixture: GaussianMixture, noise: "_Noise", images: list[int]
) -> GaussianMixture:
    """Move the shares towards the components from which the weight comes, by the EM algorithm.

    Part of each share is fixed, because the draws are few.
    """
    count = len(mixture.mean) - 1
    path = mixture.path(noise.of_size(_TRIALS * count, mixture.mean.shape[-1] + 1, images))
    log_w = model.log_joint(x, path.z) - path.log_q
    weights = log_w.nan_to_num(nan=-torch.inf).softmax(0)  # (n, B)
    densities = mixture.component_log_prob(path.z)[:count]  # (J, n, B)
    share = mixture.share[:count] / (1 - _PRIOR_SHARE)
    for _ in range(_ROUNDS):
        responsibility = (densities + share.log()[:, None]).softmax(0)
        share = (weights * responsibility).sum(1)
    share = torch.lerp(
        share.nan_to_num(nan=1 / count), torch.full_like(share, 1 / count), _EVEN_SHARE
    )
    prior = share.new_full((1, len(x)), _PRIOR_SHARE)
    return replace(mixture, share=torch.cat([(1 - _PRIOR_SHARE) * share, prior]))


def _even_mixture(model: VAE, found: _Components) -> GaussianMixture:
    """Mixture of the components with equal shares, and of a Gaussian in place of the prior."""
    count, images, _ = found.mean.shape
    centre, scale = (each.to(found.mean) for each in model.prior.moments())
    share = found.mean.new_full((count + 1, images), (1 - _PRIOR_SHARE) / count)
    share[-1] = _PRIOR_SHARE
    stretch = torch.full_like(share, _STRETCH)
    stretch[-2:] = stretch.new_tensor([[_ENCODER_STRETCH], [0.0]])
    return GaussianMixture(
        mean=torch.cat([found.mean, centre.expand_as(found.mean[:1])]),
        share=share,
        modes=torch.full_like(share[0], count - 1, dtype=torch.int64),
        scale_tril=torch.cat([found.lower, scale.diag_embed().expand_as(found.lower[:1])]),
        stretch=stretch,
    )


def _no_images(model: VAE, x: Tensor) -> Mixture:
    size = model.config.latent_size
    none = x.new_empty(1, 0, size)
    modes = torch.empty(0, dtype=torch.int64, device=x.device)
    return KernelMixture(none, x.new_empty(1, 0), modes, none)


class _Noise:
    """Random numbers for the fits of images, of each image from its own generator."""

    def __init__(self, model: VAE, x: Tensor, seed: int) -> None:
        self._generators = [generator_of(image, seed ^ _APART, model.device) for image in x]
        self._like = x.new_empty(model.config.latent_size)

    def __call__(self, n: int) -> Tensor:
        """ε ~ N(0, I), (n, B, d)."""
        return self.of_size(n, len(self._like))

    def of_size(self, n: int, size: int, images: Sequence[int] | None = None) -> Tensor:
        """ε ~ N(0, I), (n, B, size), for each of ``images``; for all of them if None."""
        chosen = range(len(self._generators)) if images is None else images
        noise = self._like.new_empty(len(chosen), n, size)
        for row, image in zip(noise, chosen, strict=True):
            row.normal_(generator=self._generators[image])
        return noise.transpose(0, 1)

    def mirrored(self, n: int, images: Sequence[int] | None = None) -> Tensor:
        """ε and −ε, (n, B, d), for an even n."""
        half = self.of_size(n // 2, len(self._like), images)
        return torch.cat([half, -half])
