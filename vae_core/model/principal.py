"""Principal components of images, as the linear Gaussian model that explains them best.

Probabilistic PCA: x = μ + W z + noise, z ~ N(0, I), noise ~ N(0, σ² I). The most probable W and σ²
follow from the d largest eigenvalues λ of the covariance: W = U (Λ − σ² I)^½, and σ² is the mean
of the others. Then p(z|x) = N(Λ^−1 Wᵀ(x − μ), σ² Λ^−1) (Tipping & Bishop 1999, equations 7 to 9).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from vae_core.model.likelihoods.logistic import ROUNDING_VARIANCE

_MOST_VALUES = 25_000_000  # of pixels in the sample: 100 MB
_EXTRA = 16  # more directions than asked for, which make the largest precise
_ROUNDS = 3


@dataclass(frozen=True)
class PrincipalComponents:
    """Probabilistic PCA of images.

    Attributes:
        mean: μ, (C, H, W).
        axes: the eigenvectors U, (d, D), of unit length; zero where there are fewer than d.
        variances: their eigenvalues λ, (d); σ² where there are fewer than d.
        noise: σ².
        left: covariance of the channels of a pixel, (C, C), without the components; its diagonal
            has the mean σ².
    """

    mean: Tensor
    axes: Tensor
    variances: Tensor
    noise: Tensor
    left: Tensor

    def from_codes(self) -> Tensor:
        """W, by latent: (d, C, H, W)."""
        lengths = (self.variances - self.noise).clamp_min(0).sqrt()
        return (lengths[:, None] * self.axes).unflatten(1, self.mean.shape)

    def to_codes(self) -> Tensor:
        """Λ^−1 Wᵀ, which maps x − μ to the posterior mean: (d, D)."""
        return self.from_codes().flatten(1) / self.variances[:, None]

    @property
    def log_scale(self) -> Tensor:
        """log of the standard deviation of each z_i given x, (d)."""
        return (self.noise / self.variances).log() / 2


def most_images(pixels: int, d: int) -> int:
    """Return how many images of D pixels are enough, and fit into the memory meant for them."""
    return max(_MOST_VALUES // pixels, 4 * d)


def principal_components(images: Tensor, d: int, seed: int = 0) -> PrincipalComponents:
    """Find the d directions in which images differ most.

    The directions come from a randomised method (Halko, Martinsson & Tropp 2011, algorithm 5.1).

    Args:
        images: (N, C, H, W), floats in [0, 1].
        seed: of the method's random numbers; the global ones stay as they were.
    """
    mean = images.mean(0)
    centred = (images - mean).flatten(1)
    count = min(d, *centred.shape)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        sought = min(count + _EXTRA, *centred.shape)
        _, sizes, vectors = torch.svd_lowrank(centred, q=sought, niter=_ROUNDS)
    axes, variances = vectors[:, :count].mT, sizes[:count].square() / len(centred)
    left = centred - (centred @ axes.mT) @ axes
    others = max(centred.shape[1] - count, 1)
    noise = (left.square().sum(1).mean() / others).clamp_min(ROUNDING_VARIANCE)
    by_channel = left.unflatten(1, images.shape[1:]).flatten(2)
    between = torch.einsum("ncs,nds->cd", by_channel, by_channel)
    between = between * noise / between.diagonal().mean().clamp_min(torch.finfo(between.dtype).tiny)
    missing = d - count
    return PrincipalComponents(
        mean,
        torch.cat([axes, axes.new_zeros(missing, axes.shape[1])]),
        torch.cat([variances.clamp_min(noise), noise.expand(missing)]),
        noise,
        between,
    )
