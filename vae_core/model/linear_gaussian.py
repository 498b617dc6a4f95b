"""The linear-Gaussian model, which has exact solutions (Tipping & Bishop 1999).

z ~ N(0, I) in R^d, x given z ~ N(Wz + b, s²I) in R^D: probabilistic principal components, the
"conjugate pair" of variational autoencoders. With Λ = I + WᵀW/s² and r = x − b,

    p(z|x) = N(Λ⁻¹Wᵀr/s², Λ⁻¹)        log p(x) = log N(x; b, WWᵀ + s²I).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from vae_core.basics.errors import InvalidArgument
from vae_core.model.likelihoods.gaussian import Gaussian
from vae_core.model.networks import LinearDecoder
from vae_core.model.noise import LOG_2PI, standard_normal_log_prob
from vae_core.model.posteriors import GaussianPosterior
from vae_core.model.priors import StandardNormal
from vae_core.model.vae import VAE


@dataclass(frozen=True)
class LinearGaussian:
    """A linear-Gaussian model with exact values, in the precision of its tensors; all in nats.

    Attributes:
        weight: W, (D, d).
        bias: b, (D,).
        scale: s > 0, the standard deviation of every pixel.
    """

    weight: Tensor
    bias: Tensor
    scale: float

    @property
    def precision(self) -> Tensor:
        """Λ = I + WᵀW/s², the precision of p(z|x), the same for every x, (d, d)."""
        gram = self.weight.T @ self.weight / self.scale**2
        return gram + torch.eye(len(gram), dtype=gram.dtype, device=gram.device)

    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x, z) for x (B, …) of D pixels and z (n, B, d): (n, B)."""
        residual = (self._centred(x) - z @ self.weight.T) / self.scale
        constant = self.weight.shape[0] * math.log(self.scale)
        return standard_normal_log_prob(residual) - constant + standard_normal_log_prob(z)

    def log_px(self, x: Tensor) -> Tensor:
        """log N(x; b, WWᵀ + s²I) for x (B, …) of D pixels, (B,).

        Because det(WWᵀ + s²I) = s^{2D} det Λ, and by Woodbury's identity, no D × D matrix is built.
        """
        r, pixels = self._centred(x), self.weight.shape[0]
        factor = torch.linalg.cholesky(self.precision)
        projected = torch.linalg.solve_triangular(factor, self._pull(r).T, upper=False)  # (d, B)
        distance = r.square().sum(1) / self.scale**2 - projected.square().sum(0)
        log_det = 2 * pixels * math.log(self.scale) + 2 * factor.diagonal().log().sum()
        return -0.5 * (pixels * LOG_2PI + log_det + distance)

    def posterior(self, x: Tensor) -> GaussianPosterior:
        """Compute the exact p(z|x), with full covariance, of images x (B, …)."""
        covariance = torch.cholesky_inverse(torch.linalg.cholesky(self.precision))
        factor = torch.linalg.cholesky(covariance).expand(len(x), -1, -1)
        log_scale = factor.diagonal(dim1=-2, dim2=-1).log()
        return GaussianPosterior(self._mean(x), log_scale, factor.tril(-1))

    def best_mean_field(self, x: Tensor) -> GaussianPosterior:
        """Compute the diagonal Gaussian with the smallest KL(q ‖ p(z|x)).

        The mean is the true one, and the variances are 1/Λ_ii (Bishop 2006, §10.1.2), which never
        exceed the true variances.
        """
        log_scale = -0.5 * self.precision.diagonal().log()
        return GaussianPosterior(self._mean(x), log_scale.expand(len(x), -1))

    @property
    def mean_field_gap(self) -> Tensor:
        """log p(x) − the highest ELBO of a mean-field q = ½(Σ_i log Λ_ii − log det Λ) ≥ 0, ().

        The gap is the same for every x. It is zero if the columns of W are orthogonal.
        """
        precision = self.precision
        return 0.5 * (precision.diagonal().log().sum() - torch.logdet(precision))

    def _centred(self, x: Tensor) -> Tensor:
        return x.flatten(1) - self.bias

    def _pull(self, r: Tensor) -> Tensor:
        return r @ self.weight / self.scale**2  # (B, d)

    def _mean(self, x: Tensor) -> Tensor:
        factor = torch.linalg.cholesky(self.precision)
        return torch.cholesky_solve(self._pull(self._centred(x)).T, factor).T


def is_linear_gaussian(model: VAE) -> bool:
    """Whether a VAE has a linear decoder, Gaussian pixels and the standard normal prior."""
    return _parts(model) is not None


def of_model(model: VAE) -> LinearGaussian:
    """Make the exact model of a VAE with linear decoder and Gaussian pixels, float64, on the CPU.

    Raises:
        InvalidArgument: if the decoder is not linear, the pixels are not Gaussian, or the prior is
            not the standard normal.
    """
    parts, config = _parts(model), model.config
    if parts is None:
        raise InvalidArgument(
            "Exact values exist for a linear network with the Gaussian likelihood and the "
            f"standard normal prior, not for {config.network} with {config.likelihood} and "
            f"{config.prior}."
        )
    linear, log_scale = parts[0].linear, parts[1].log_scale
    weight, bias = (each.detach().double().cpu() for each in (linear.weight, linear.bias))
    return LinearGaussian(weight, bias, log_scale.detach().double().exp().item())


def _parts(model: VAE) -> tuple[LinearDecoder, Gaussian] | None:
    decoder, likelihood = model.decoder, model.likelihood
    if not (isinstance(decoder, LinearDecoder) and isinstance(model.prior, StandardNormal)):
        return None
    return (decoder, likelihood) if isinstance(likelihood, Gaussian) else None
