"""The prior p(z), a part of the model.

Estimators, fits, samplers and pages get densities, draws, gradients and quantiles from the model's
prior. None of them assumes a standard normal, but the page Theory, which derives its formulas, and
the choice of a plane to draw (:func:`vae_core.analysis.latent.narrowest_plane_of`). To add a prior,
write a class here (or in a new file of this folder) and name it in
:data:`vae_core.settings.choices.PRIORS`.

Shapes: z is (…, d). All log-densities are in nats.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import grad, jacrev, vmap

from vae_core.basics.named import load
from vae_core.model.noise import standard_normal_log_prob
from vae_core.model.posteriors import GaussianPosterior, Proposal
from vae_core.settings.choices import PRIORS
from vae_core.settings.config import ModelConfig

_SUMMARY_DRAWS = 20_000  # draws that estimate moments and quantiles if no formula is known


class Prior(nn.Module, ABC):
    """p(z) on R^d. Subclasses define ``log_prob`` and ``sample``; other methods have defaults.

    Attributes:
        latent_size: d.
    """

    origin: Tensor

    def __init__(self, latent_size: int) -> None:
        super().__init__()
        self.latent_size = latent_size
        # This buffer follows the model's device and precision, even if a prior has no parameters
        self.register_buffer("origin", torch.zeros(latent_size), persistent=False)

    @abstractmethod
    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z) for z (…, d): (…)."""

    @abstractmethod
    def sample(self, shape: Sequence[int], generator: torch.Generator | None = None) -> Tensor:
        """Draw independent z, (*shape, d), on the prior's device."""

    def gradient_and_curvature(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """∇ log p(z), (N, d), and −∇² log p(z), (N, d, d), for z (N, d).

        Gauss–Newton fits add this curvature to the curvature of the likelihood, so it must be
        positive semi-definite. A prior that is not log-concave returns such an approximation.
        """

        def one(point: Tensor) -> Tensor:
            return self.log_prob(point[None])[0]

        return vmap(grad(one))(z), -vmap(jacrev(grad(one)))(z)

    def kl(self, q: Proposal, z: Tensor, log_q: Tensor) -> Tensor:
        """KL(q(z|x) ‖ p(z)) in nats.

        Args:
            q: the distribution that z was drawn from, for B images.
            z: the draws, (n, B, d), and log q(z|x) there, (n, B).

        Returns:
            (1, B) if a closed form is known; otherwise unbiased estimates at the draws,
            log q(z|x) − log p(z), (n, B).
        """
        gaussian = q.as_gaussian()
        closed = None if gaussian is None else self.kl_of_gaussian(gaussian)
        return log_q - self.log_prob(z) if closed is None else closed[None]

    def kl_of_gaussian(self, q: GaussianPosterior) -> Tensor | None:
        """KL(N(μ, LLᵀ) ‖ p) of each image in closed form, (B,); None if no closed form is known."""
        return None

    def moments(self) -> tuple[Tensor, Tensor]:
        """Mean and sd of each z_i under p(z), both (d,); estimated from draws by default."""
        draws = self._draws()
        return draws.mean(0), draws.std(0)

    def quantiles(self, levels: Tensor, directions: Tensor) -> Tensor:
        """Quantiles of z·a − E[z]·a under p(z); estimated from draws by default.

        Args:
            levels: (n,) in (0, 1).
            directions: unit vectors a, (k, d).

        Returns:
            (n, k).
        """
        draws = self._draws()
        along = (draws - draws.mean(0)) @ directions.to(draws).T
        return along.quantile(levels.to(draws), dim=0)

    @torch.no_grad()
    def _draws(self) -> Tensor:
        generator = torch.Generator(self.origin.device).manual_seed(0)
        return self.sample((_SUMMARY_DRAWS,), generator)


class StandardNormal(Prior):
    """p(z) = N(0, I) (Kingma & Welling 2014)."""

    def log_prob(self, z: Tensor) -> Tensor:
        return standard_normal_log_prob(z)

    def sample(self, shape: Sequence[int], generator: torch.Generator | None = None) -> Tensor:
        return torch.randn(
            *shape, self.latent_size, generator=generator,
            device=self.origin.device, dtype=self.origin.dtype,
        )  # fmt: skip

    def gradient_and_curvature(self, z: Tensor) -> tuple[Tensor, Tensor]:
        identity = torch.eye(self.latent_size, dtype=z.dtype, device=z.device)
        return -z, identity.expand(len(z), -1, -1)

    def kl_of_gaussian(self, q: GaussianPosterior) -> Tensor:
        """½(‖μ‖² + ‖L‖_F² − d) − Σ_i log L_ii, (B,)."""
        mean, variance = q.moments(0)
        return 0.5 * (mean.square() + variance - 1).sum(-1) - q.log_scale.sum(-1)

    def moments(self) -> tuple[Tensor, Tensor]:
        return self.origin, torch.ones_like(self.origin)

    def quantiles(self, levels: Tensor, directions: Tensor) -> Tensor:
        return torch.special.ndtri(levels)[:, None].expand(-1, len(directions))


def build_prior(config: ModelConfig) -> Prior:
    """Build the prior that ``config.prior`` names."""
    return load(PRIORS[config.prior].builder)(config.latent_size)
