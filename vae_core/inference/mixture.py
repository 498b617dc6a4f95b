"""Mixtures of Gaussians as proposals: stratified draws, weighted by the density of the mixture.

A proposal with one mode cannot show what it misses: no draw falls into another mode, so no weight
is large. A mixture has a component for each mode that a search found, and a small share of the
prior for all others.

Each draw is weighted by the density of the whole mixture (the balance heuristic: Veach & Guibas
1995, "Optimally combining sampling techniques for Monte Carlo rendering"; Owen & Zhou 2000, "Safe
and effective importance sampling"). So a draw from a poor component never has a large weight, and
no weight exceeds p(x|z) by more than one over the share of the prior. Draws are stratified over the
components: the component of draw k is chosen by the fractional part of u + k φ, where u is uniform
and φ is the golden ratio. Each draw alone has the distribution of the mixture, so p̂(x) is unbiased,
and any run of draws has nearly the shares of the mixture.

Shapes: J components, B images, noise (n, B, d + 1). The last column of the noise chooses the
components. A component that an image does not have has the share 0.
"""

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self, TypeVar

import torch
from torch import Tensor

from vae_core.model.noise import LOG_2PI, standard_normal_log_prob
from vae_core.model.posteriors import Path, Proposal

M = TypeVar("M", bound="Mixture")
_GOLDEN = (math.sqrt(5) - 1) / 2
_FLOATS_AT_ONCE = 300_000  # of the densities of all components at the draws


@dataclass(frozen=True)
class Mixture(Proposal):
    """Σ_j share_j q_j(z) for each of B images.

    Attributes:
        mean: centres of the components, (J, B, d).
        share: (J, B), with sum 1 over the components.
        modes: how many modes of p(z|x) were fitted, (B,), int64; 0 where no fit succeeded.
    """

    mean: Tensor
    share: Tensor
    modes: Tensor

    @property
    def is_fitted(self) -> Tensor:
        """Mask of the images for which a component was fitted, (B,)."""
        return self.modes > 0

    @property
    def found_modes(self) -> Tensor:
        return self.modes

    @property
    def batch_size(self) -> int:
        return self.mean.shape[1]

    def noise(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw ε ~ N(0, I), (n, B, d + 1)."""
        _, images, size = self.mean.shape
        like = {"device": self.mean.device, "dtype": self.mean.dtype}
        return torch.randn(n, images, size + 1, generator=generator, **like)

    def path(self, epsilon: Tensor) -> Path:
        z = self.draws(self.chosen(epsilon[0, :, -1], len(epsilon)), epsilon[..., :-1])
        return Path(epsilon, [z], self.log_prob(z), [])

    def chosen(self, first: Tensor, n: int) -> Tensor:
        """Choose the components of n draws, (n, B), by standard normal numbers (B,)."""
        steps = (torch.arange(n, dtype=torch.float64) * _GOLDEN).frac().to(first)
        places = (torch.special.ndtr(first) + steps[:, None]).frac()  # (n, B)
        bounds = self.share.cumsum(0)
        bounds = (bounds / bounds[-1:])[:-1].T.contiguous()  # (B, J - 1)
        return torch.searchsorted(bounds, places.T.contiguous(), right=True).T

    @abstractmethod
    def draws(self, chosen: Tensor, epsilon: Tensor) -> Tensor:
        """Draw from the components chosen (n, B) by noise (n, B, d): z, (n, B, d)."""

    @abstractmethod
    def log_prob(self, z: Tensor) -> Tensor:
        """log Σ_j share_j q_j(z) at z (n, B, d): (n, B)."""

    def rows(self, chosen: slice | Tensor) -> Self:
        tensors = {f.name: getattr(self, f.name) for f in fields(self)}
        modes = tensors.pop("modes")[chosen]
        return type(self)(**{k: v[:, chosen] for k, v in tensors.items()}, modes=modes)


@dataclass(frozen=True)
class KernelMixture(Mixture):
    """Many small Gaussians with diagonal covariance, in few dimensions.

    Attributes:
        scale: standard deviations, (J, B, d).
    """

    scale: Tensor

    def draws(self, chosen: Tensor, epsilon: Tensor) -> Tensor:
        images = torch.arange(self.batch_size, device=chosen.device)
        return self.mean[chosen, images] + self.scale[chosen, images] * epsilon

    def log_prob(self, z: Tensor) -> Tensor:
        mean, precision = (each.permute(2, 1, 0) for each in (self.mean, 1 / self.scale))
        mean, precision = mean.contiguous(), precision.contiguous()  # (d, B, J)
        constant = self.share.T.log() + precision.log().sum(0) - len(mean) * LOG_2PI / 2
        at_once = max(1, _FLOATS_AT_ONCE // constant.numel())
        parts = [
            _log_density(part, mean, precision, constant).logsumexp(-1) for part in z.split(at_once)
        ]
        return torch.cat(parts)


def _log_density(z: Tensor, mean: Tensor, precision: Tensor, constant: Tensor) -> Tensor:
    """log density of each component at z (n, B, d), (n, B, J), by 1/σ (d, B, J)."""
    found = constant.expand(len(z), -1, -1).clone()
    for axis in range(len(mean)):
        away = (z[..., axis, None] - mean[axis]).mul_(precision[axis])
        found.addcmul_(away, away, value=-0.5)
    return found


@dataclass(frozen=True)
class GaussianMixture(Mixture):
    """A few Gaussians with full covariance LLᵀ and longer tails.

    A draw is μ + L g(ε), where g(ε) = ε (1 + a ‖ε‖²/d) stretches the tails of a Gaussian. A true
    posterior often has longer tails than a Gaussian near it; then the variance of the importance
    weights is infinite. In many dimensions ‖ε‖² is about d, and g widens all draws equally.

    Attributes:
        scale_tril: L, (J, B, d, d).
        stretch: a of each component, (J, B); 0 for a plain Gaussian.
    """

    scale_tril: Tensor
    stretch: Tensor

    def draws(self, chosen: Tensor, epsilon: Tensor) -> Tensor:
        z = torch.empty_like(epsilon)
        for j in range(len(self.mean)):
            draw, image = (chosen == j).nonzero(as_tuple=True)
            z[draw, image] = self._stretched(j, epsilon)[draw, image]
        return z

    def _stretched(self, j: int, epsilon: Tensor) -> Tensor:
        """Draw from one component by all noise (n, B, d): (n, B, d)."""
        more = self.stretch[j] * epsilon.square().mean(-1)  # (n, B)
        columns = (epsilon * (1 + more[..., None])).permute(1, 2, 0)  # (B, d, n)
        return self.mean[j] + (self.scale_tril[j] @ columns).permute(2, 0, 1)

    def log_prob(self, z: Tensor) -> Tensor:
        return (self.component_log_prob(z) + self.share.log()[:, None]).logsumexp(0)

    def component_log_prob(self, z: Tensor) -> Tensor:
        """log q_j(z) of every component at z (n, B, d): (J, n, B)."""
        return torch.stack([self._component_log_prob(j, z) for j in range(len(self.mean))])

    def _component_log_prob(self, j: int, z: Tensor) -> Tensor:
        """log q_j(z), (n, B)."""
        size = z.shape[-1]
        columns = (z - self.mean[j]).permute(1, 2, 0)  # (B, d, n)
        away = torch.linalg.solve_triangular(self.scale_tril[j], columns, upper=False)
        away = away.permute(2, 0, 1)
        epsilon = away / (1 + self._stretch_at(j, away))[..., None]
        more = self.stretch[j] * epsilon.square().mean(-1)
        log_abs_det = (size - 1) * torch.log1p(more) + torch.log1p(3 * more)  # across, and along
        log_scale = self.scale_tril[j].diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return standard_normal_log_prob(epsilon) - log_abs_det - log_scale

    def _stretch_at(self, j: int, away: Tensor) -> Tensor:
        """a ‖ε‖²/d of the noise ε with g(ε) = ``away`` (n, B, d): (n, B).

        The radius r = ‖ε‖ is the real root of r + (a/d) r³ = ‖g(ε)‖, by the hyperbolic sine.
        """
        factor = (self.stretch[j] / away.shape[-1]).clamp_min(1e-12)
        root = (3 * factor).sqrt()
        inner = 1.5 * root * torch.linalg.vector_norm(away, dim=-1)
        radius = 2 / root * torch.sinh(torch.asinh(inner) / 3)
        return factor * radius.square()


def joined(parts: Sequence[M]) -> M:
    """Join mixtures of the same class for one image each to one mixture for all of them."""
    most = max(len(part.mean) for part in parts)
    names = [f.name for f in fields(parts[0]) if f.name != "modes"]
    columns = {
        name: torch.cat([_padded(getattr(part, name), most, name) for part in parts], 1)
        for name in names
    }
    return type(parts[0])(**columns, modes=torch.cat([part.modes for part in parts]))


def _padded(values: Tensor, count: int, name: str) -> Tensor:
    """Repeat the last component up to ``count`` components, with the share 0."""
    rest = values[-1:].expand(count - len(values), *values.shape[1:])
    return torch.cat([values, torch.zeros_like(rest) if name == "share" else rest])
