"""p(x|y) of every class, p(x) and p(y|x) of a model that is conditional on the class (note §1).

log p(x) = log Σ_y p(y) p(x|y), with p̂(x|y) by importance sampling for each class. The noise
depends on the seed, the image and the class only, so the errors of classes are independent."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from vae_core.basics.errors import InvalidArgument
from vae_core.inference.importance import LogDensity, log_density
from vae_core.inference.proposals import refined_log_density
from vae_core.model.vae import VAE

Estimate = Callable[..., LogDensity]


@dataclass(frozen=True)
class ClassDensities:
    """log p̂(x|y) of B images for each class; all but ``log_prior`` are (B, classes), float64.

    Attributes:
        log_prior: log p(y), (classes,).
        log_px_y: log p̂(x|y).
        se: its standard error in nats; NaN where it is not known.
    """

    log_prior: Tensor
    log_px_y: Tensor
    se: Tensor

    @property
    def log_joint(self) -> Tensor:
        """log p(y) + log p̂(x|y), (B, classes)."""
        return self.log_prior + self.log_px_y

    @property
    def log_px(self) -> Tensor:
        """log p̂(x) = log Σ_y p(y) p̂(x|y), (B,)."""
        return self.log_joint.logsumexp(1)

    @property
    def probabilities(self) -> Tensor:
        """p(y|x), (B, classes)."""
        return self.log_joint.softmax(1)

    def known_se(self) -> Tensor:
        """``se``, without what is not known of classes that cannot matter, (B, classes).

        An unknown error counts as infinite, unless p(y|x) is below 10⁻⁶: then it counts as 1 nat.
        """
        unknown = torch.where(self.probabilities < _NO_MATTER, 1.0, torch.nan)
        return torch.where(self.se.isnan(), unknown.to(self.se), self.se)

    @property
    def log_px_se(self) -> Tensor:
        """Standard error of log p̂(x), by the delta method, (B,); NaN where it is not known."""
        return (self.probabilities * self.known_se()).square().sum(1).sqrt()

    @property
    def probabilities_se(self) -> Tensor:
        """Standard error of p(y|x), by the delta method, (B, classes); NaN where not known.

        With p = p(y|x) and s_c the error of log p̂(x|c): ∂p_y/∂l_c = p_y (1[y = c] − p_c), so
        se² = p_y² (s_y² (1 − 2 p_y) + Σ_c p_c² s_c²) for independent estimates.
        """
        p, variance = self.probabilities, self.known_se().square()
        total = (p.square() * variance).sum(1, keepdim=True)
        return p * (variance * (1 - 2 * p) + total).clamp(min=0).sqrt()


_NO_MATTER = 1e-6
_FIRST_DRAWS = 100  # the encoder's, to find the classes that may matter
_MAY_MATTER = 20.0  # nats below the best class


def class_densities(
    model: VAE,
    x: Tensor,
    n: int,
    seed: int = 0,
    on_progress: Callable[[float], None] | None = None,
    estimate: Estimate = log_density,
) -> ClassDensities:
    """Estimate log p(x|y) of every class with K = ``n`` importance samples for each.

    Raises:
        InvalidArgument: if the model is not conditional on the class, or as for ``estimate``.
    """
    return _by_class(model, x, n, seed, on_progress, estimate)[0]


def refined_class_densities(model: VAE, x: Tensor, n: int, seed: int = 0) -> ClassDensities:
    """Estimate log p(x|y) of every class, with refined proposals for the classes that may matter.

    At most 100 draws of the encoder show which: those within 20 nats of the best one. The other
    classes keep this first estimate; their share of p(x) is below 10⁻⁸ by it. So an image takes one
    or two fits instead of one for each class. See :mod:`vae_core.inference.proposals`.

    Raises:
        InvalidArgument: as for :func:`class_densities`.
    """
    x = model.as_images(x)
    found = class_densities(model, x, min(n, _FIRST_DRAWS), seed)
    best = found.log_joint.amax(1, keepdim=True)
    matters = (found.log_joint >= best - _MAY_MATTER).cpu()
    for y in range(model.config.classes):
        images = matters[:, y].nonzero().squeeze(1)
        if len(images):
            part = refined_log_density(model.given(y), x[images], n, _seed(model, seed, y))
            found.log_px_y[images, y], found.se[images, y] = part.log_px, part.se
    return found


def marginal_density(
    model: VAE,
    x: Tensor,
    n: int,
    seed: int = 0,
    on_progress: Callable[[float], None] | None = None,
    estimate: Estimate = log_density,
) -> LogDensity:
    """Estimate log p(x), of a conditional model by the sum over its classes.

    The bound of a conditional model is log Σ_y p(y) exp ELBO(x, y), the best bound with
    q(z, y|x) = r(y|x) q(z|x, y); its terms are means under r, and its KL is that of q(z, y|x) to
    p(z) p(y). The effective sample size and k̂ are means and the worst of the classes that matter.
    """
    if not model.config.is_conditional:
        return estimate(model, x, n, seed, on_progress=on_progress)
    found, parts = _by_class(model, x, n, seed, on_progress, estimate)
    expected, elbo, ess, pareto_k = (
        torch.stack([getattr(each, name) for each in parts], 1)
        for name in ("expected_log_likelihood", "elbo", "ess", "pareto_k")
    )
    log_bounds = elbo + found.log_prior
    bound, share = log_bounds.logsumexp(1), log_bounds.softmax(1)
    expected = (share * expected).sum(1)
    matters = found.probabilities >= _NO_MATTER
    worst = torch.where(matters, pareto_k, -torch.inf).amax(1)
    return LogDensity(
        found.log_px,
        found.log_px_se,
        (found.probabilities * ess).sum(1),
        worst,
        bound,
        expected,
        expected - bound,
        parts[0].samples,
    )


def _by_class(
    model: VAE, x: Tensor, n: int, seed: int, on_progress: Any, estimate: Estimate
) -> tuple[ClassDensities, list[LogDensity]]:
    if not model.config.is_conditional:
        raise InvalidArgument(
            "This model is not conditional on the class. Train one with `--conditioning class`."
        )
    classes, parts = model.config.classes, []
    for y in range(classes):
        report = None if on_progress is None else partial(_report, on_progress, y, classes)
        parts.append(estimate(model.given(y), x, n, _seed(model, seed, y), on_progress=report))
    log_px_y, se = (torch.stack([getattr(p, name) for p in parts], 1) for name in ("log_px", "se"))
    prior = model.log_class_prior.double().to(log_px_y.device)
    return ClassDensities(prior, log_px_y, se), parts


def _seed(model: VAE, seed: int, y: int) -> int:
    return seed * model.config.classes + y


def _report(on_progress: Callable[[float], None], done: int, of: int, share: float) -> None:
    on_progress((done + share) / of)
