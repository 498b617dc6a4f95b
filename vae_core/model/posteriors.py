"""The families of q(z|x), behind one interface.

A *family* is a module that maps the encoder's features h (B, F) to a :class:`Posterior`, a
distribution over z for each of the B images. Sampling and density come together, because some
families (for example the inverse autoregressive flow) can evaluate log q only at their own draws.

Axis order: (n, B, d) — samples, images, latent dimensions.
To add a family, write its class (for a flow: the class of its steps) and name it in
:data:`vae_core.settings.choices.POSTERIORS`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from vae_core.basics.batched import times
from vae_core.basics.named import load
from vae_core.model.flows.base import StepShape
from vae_core.model.noise import standard_normal_log_prob
from vae_core.settings.choices import POSTERIORS
from vae_core.settings.config import ModelConfig


@dataclass(frozen=True)
class Path:
    """Draws from q(z|x) with every stage on the way from ε to z.

    Attributes:
        epsilon: the noise, (n, B, d).
        points: z_0, …, z_T, each (n, B, d); z_0 is the Gaussian base and z_T is z.
        log_q0: log density of z_0 under the base, (n, B), in nats.
        log_abs_dets: log |det ∂z_t/∂z_{t−1}| for t = 1 … T, each (n, B).
    """

    epsilon: Tensor
    points: Sequence[Tensor]
    log_q0: Tensor
    log_abs_dets: Sequence[Tensor]

    @property
    def z(self) -> Tensor:
        """The draws themselves, (n, B, d)."""
        return self.points[-1]

    @property
    def log_q(self) -> Tensor:
        """log q(z|x) = log q_0(z_0) − Σ_t log |det ∂z_t/∂z_{t−1}|, (n, B)."""
        return self.log_q0 - sum(self.log_abs_dets, torch.zeros_like(self.log_q0))


class Proposal(ABC):
    """A distribution of z for each of B images, with the density of every draw."""

    @property
    @abstractmethod
    def batch_size(self) -> int:
        """B."""

    @abstractmethod
    def noise(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw ε ~ N(0, I), (n, B, d), on the proposal's device."""

    @abstractmethod
    def path(self, epsilon: Tensor) -> Path:
        """Transform noise (n, B, d) to z and keep every stage."""

    def as_gaussian(self) -> "GaussianPosterior | None":
        """Return the distribution as a Gaussian; None if it is not Gaussian."""
        return None

    @property
    def found_modes(self) -> Tensor | None:
        """How many modes of p(z|x) a search found for each image, (B,); None without a search."""
        return None

    @abstractmethod
    def rows(self, chosen: slice | Tensor) -> "Proposal":
        """Return the distribution for some of the images: a slice, a mask or indices."""


class Posterior(Proposal):
    """q(z|x) for a batch of B images."""

    def rsample_and_log_prob(
        self, n: int, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Draw n reparameterised z for each image, (n, B, d), with log q(z|x), (n, B)."""
        path = self.path(self.noise(n, generator))
        return path.z, path.log_q

    @abstractmethod
    def score(self, path: Path) -> Tensor:
        """∇_z log q(z|x) at the draws, with q held fixed: (n, B, d), outside autograd."""

    @abstractmethod
    def moments(
        self, samples: int, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Mean and variance of each z_i under q(z|x), both (B, d).

        Exact for Gaussians; estimated from ``samples`` draws for flows.
        """

    @abstractmethod
    def rows(self, chosen: slice | Tensor) -> "Posterior":
        """Return the posterior of some of the images."""


@dataclass(frozen=True)
class GaussianPosterior(Posterior):
    """N(μ, LLᵀ) with L = strictly lower part + diag(σ) (note §6.1; Kingma & Welling 2019, §2.5).

    Attributes:
        mean: μ, (B, d).
        log_scale: log σ, (B, d).
        lower: the strictly lower triangle of L, (B, d, d), or None for a diagonal L (mean-field).
    """

    mean: Tensor
    log_scale: Tensor
    lower: Tensor | None = None

    @property
    def batch_size(self) -> int:
        return self.mean.shape[0]

    @property
    def scale_tril(self) -> Tensor:
        """L, (B, d, d)."""
        diagonal = torch.diag_embed(self.log_scale.exp())
        return diagonal if self.lower is None else self.lower + diagonal

    def noise(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        return torch.randn(
            n, *self.mean.shape, generator=generator, device=self.mean.device, dtype=self.mean.dtype
        )

    def path(self, epsilon: Tensor) -> Path:
        z = self.mean + self.log_scale.exp() * epsilon
        if self.lower is not None:
            z = z + times(self.lower, epsilon)
        log_q = standard_normal_log_prob(epsilon) - self.log_scale.sum(-1)
        return Path(epsilon, [z], log_q, [])

    def as_gaussian(self) -> "GaussianPosterior":
        return self

    def score(self, path: Path) -> Tensor:
        """−L⁻ᵀ ε."""
        if self.lower is None:
            return (-path.epsilon / self.log_scale.exp()).detach()
        upper = self.scale_tril.mT.detach()
        columns = path.epsilon.detach().permute(1, 2, 0)  # (B, d, n)
        return -torch.linalg.solve_triangular(upper, columns, upper=True).permute(2, 0, 1)

    def moments(
        self, samples: int, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        variance = (2 * self.log_scale).exp()
        if self.lower is not None:
            variance = variance + self.lower.square().sum(-1)
        return self.mean, variance

    def rows(self, chosen: slice | Tensor) -> "GaussianPosterior":
        lower = None if self.lower is None else self.lower[chosen]
        return GaussianPosterior(self.mean[chosen], self.log_scale[chosen], lower)


@dataclass(frozen=True)
class FlowPosterior(Posterior):
    """A Gaussian base transformed by T flow steps (note §7; Rezende & Mohamed 2015).

    Attributes:
        base: q_0(z_0|x).
        steps: the flow steps, applied in order.
        context: h, (B, F), from which every step computes its parameters.
    """

    base: GaussianPosterior
    steps: Sequence[Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]]
    context: Tensor

    @property
    def batch_size(self) -> int:
        return self.base.batch_size

    def noise(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        return self.base.noise(n, generator)

    def path(self, epsilon: Tensor) -> Path:
        start = self.base.path(epsilon)
        points, log_abs_dets = [start.z], []
        for step in self.steps:
            z, log_abs_det = step(points[-1], self.context)
            points.append(z)
            log_abs_dets.append(log_abs_det)
        return Path(epsilon, points, start.log_q0, log_abs_dets)

    def score(self, path: Path) -> Tensor:
        """J⁻ᵀ ∇_ε log q(z(ε)) with J = ∂z/∂ε, by autograd: d backward passes, for any steps."""
        with torch.enable_grad():
            epsilon = path.epsilon.detach().requires_grad_()
            again = self.path(epsilon)
            outputs = [*again.z.sum((0, 1)), again.log_q.sum()]  # no draw depends on another
            *rows, slope = (
                torch.autograd.grad(output, epsilon, retain_graph=True)[0] for output in outputs
            )
        jacobian = torch.stack(rows, dim=-2)  # (n, B, d, d)
        return torch.linalg.solve(jacobian.mT, slope)

    def moments(
        self, samples: int, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        z, _ = self.rsample_and_log_prob(samples, generator)
        return z.mean(0), z.var(0, unbiased=True)

    def rows(self, chosen: slice | Tensor) -> "FlowPosterior":
        return FlowPosterior(self.base.rows(chosen), self.steps, self.context[chosen])


class MeanField(nn.Module):
    """Map features to a diagonal Gaussian."""

    def __init__(self, features: int, config: ModelConfig) -> None:
        super().__init__()
        self.mean_and_log_scale = nn.Linear(features, 2 * config.latent_size)

    def forward(self, h: Tensor) -> GaussianPosterior:
        mean, log_scale = self.mean_and_log_scale(h).chunk(2, dim=-1)
        return GaussianPosterior(mean, log_scale)

    def start_from(self, codes: slice, log_scale: Tensor) -> None:
        """Make q(z|x) a Gaussian around the features ``codes``, with log σ (d) for every image."""
        d, layer = len(log_scale), self.mean_and_log_scale
        with torch.no_grad():
            layer.weight.zero_()
            layer.weight[:d, codes] = torch.eye(d).to(layer.weight)
            layer.bias.copy_(torch.cat([torch.zeros_like(log_scale), log_scale]))


class FullCovariance(nn.Module):
    """Map features to a Gaussian with full covariance LLᵀ."""

    below: Tensor

    def __init__(self, features: int, config: ModelConfig) -> None:
        super().__init__()
        self.d = config.latent_size
        self.diagonal = MeanField(features, config)
        below = np.ravel_multi_index(np.tril_indices(self.d, -1), (self.d, self.d))
        self.off_diagonal = nn.Linear(features, len(below))
        nn.init.zeros_(self.off_diagonal.bias)
        with torch.no_grad():
            self.off_diagonal.weight.mul_(0.1)  # starts near the mean-field Gaussian
        self.register_buffer("below", torch.as_tensor(below), persistent=False)

    def forward(self, h: Tensor) -> GaussianPosterior:
        gaussian = self.diagonal(h)
        entries = self.off_diagonal(h)
        lower = entries.new_zeros(h.shape[0], self.d * self.d)
        lower = lower.index_copy(1, self.below, entries).view(-1, self.d, self.d)
        # In units of σ: for a narrow q, the d(d−1)/2 entries need not all be small
        lower = lower * gaussian.log_scale.exp()[..., None]
        return GaussianPosterior(gaussian.mean, gaussian.log_scale, lower)

    def start_from(self, codes: slice, log_scale: Tensor) -> None:
        """Make q(z|x) a Gaussian around the features ``codes``, with log σ (d) for every image."""
        self.diagonal.start_from(codes, log_scale)
        nn.init.zeros_(self.off_diagonal.weight)


class Flow(nn.Module):
    """Map features to a Gaussian base followed by flow steps."""

    def __init__(self, base: nn.Module, steps: Sequence[nn.Module]) -> None:
        super().__init__()
        self.base = base
        self.steps = nn.ModuleList(steps)

    def forward(self, h: Tensor) -> FlowPosterior:
        return FlowPosterior(self.base(h), list(self.steps), h)


def full_covariance(features: int, config: ModelConfig) -> nn.Module:
    """Build the full-covariance family; in one dimension this is mean-field."""
    return (MeanField if config.latent_size == 1 else FullCovariance)(features, config)


def build_posterior(features: int, config: ModelConfig) -> nn.Module:
    """Build the family that ``config.posterior`` names, for this number of features."""
    chosen = POSTERIORS[config.posterior]
    if not chosen.is_flow:
        return load(chosen.builder)(features, config)
    step: Callable[[StepShape], nn.Module] = load(chosen.builder)
    base = load(POSTERIORS[config.flow_base].builder)(features, config)
    shapes = [
        StepShape(config.latent_size, features, config.flow_hidden_size, t, config.flow_steps)
        for t in range(config.flow_steps)
    ]
    return Flow(base, [step(shape) for shape in shapes])
