"""Numbers that show what a common slip changes, for one image and one model."""

from dataclasses import dataclass

import torch
from torch import Tensor

from app.services import models
from app.services.byte_cache import cached
from app.services.images import Images
from app.services.walk_numbers import Estimate
from app.services.walk_samples import MAX_SAMPLES
from app.views.theory.subject import SEED
from vae_core.inference.elbo import monte_carlo
from vae_core.model.batches import rows_at_once
from vae_core.model.noise import standard_normal_log_prob
from vae_core.model.posteriors import FlowPosterior, GaussianPosterior, Posterior
from vae_core.model.vae import VAE

_DRAWS = 256


@dataclass(frozen=True)
class Widening:
    """Derivatives at s = 0 if all noise is multiplied by eˢ, so that q(z|x) becomes wider.

    Attributes:
        elbo: derivative of the ELBO.
        without_entropy: the same without the part of E_q log q(z|x).
        score: E_q of the derivative of log q at fixed z, whose true value is 0.
    """

    elbo: Estimate
    without_entropy: Estimate
    score: Estimate


def widening(images: Images, index: int) -> Widening:
    """Derivatives of the ELBO of an image by the width of q(z|x), in nats."""
    return _widening(images, index)


@cached(max_entries=64, hash_funcs={Images: Images.identity})
def _widening(images: Images, index: int) -> Widening:
    return widening_of(models.model(images.choice), images.x(index))


def widening_of(model: VAE, x: Tensor) -> Widening:
    """Derivatives of the ELBO by the width of q(z|x), for one image x (1, C, H, W)."""
    x = x.to(model.device)
    q = model.posterior(x)
    epsilon = _noise(q, model)[:_DRAWS]
    found = [_by_width(model, x, q, part) for part in epsilon.split(rows_at_once(model))]
    joint, entropy = (torch.cat(parts) for parts in zip(*found, strict=True))
    score = (epsilon.square() - 1).sum(-1)
    return Widening(_estimate(joint + entropy), _estimate(joint), _estimate(score))


def _by_width(model: VAE, x: Tensor, q: Posterior, epsilon: Tensor) -> tuple[Tensor, Tensor]:
    """Derivatives of log p(x, z) and of −log q(z|x) at some draws, (n, 1) each."""
    with torch.enable_grad():
        s = epsilon.new_zeros(len(epsilon), 1, 1).requires_grad_()
        path = q.path(epsilon * s.exp())
        # log q at z(eˢε): the density of ε, the factor e^(−ds), and the Jacobians of the path
        log_q = path.log_q - standard_normal_log_prob(path.epsilon)
        log_q = log_q + standard_normal_log_prob(epsilon) - epsilon.shape[-1] * s[..., 0]
        return _derivatives(model.log_joint(x, path.z), s), -_derivatives(log_q, s)


def _derivatives(values: Tensor, s: Tensor) -> Tensor:
    """Derivative of each draw's value (n, 1) by its own s (n, 1, 1)."""
    (found,) = torch.autograd.grad(values.sum(), s, retain_graph=True)
    return found[..., 0]


@cached(max_entries=64, hash_funcs={Images: Images.identity})
def elbo_with_log_sigma(images: Images, index: int, samples: int) -> Estimate:
    """ELBO of an image if L has log σ on its diagonal instead of σ, with the noise of Start."""
    return with_log_sigma(models.model(images.choice), images.x(index), samples)


@torch.no_grad()
def with_log_sigma(model: VAE, x: Tensor, samples: int) -> Estimate:
    """ELBO if L has log σ on its diagonal instead of σ, for one image x (1, C, H, W)."""
    x = x.to(model.device)
    q = model.posterior(x)
    epsilon = _noise(q, model)[:samples]
    base = q.base if isinstance(q, FlowPosterior) else q
    assert isinstance(base, GaussianPosterior)
    z = base.mean + base.log_scale * epsilon
    if base.lower is not None:
        z = z + torch.einsum("bij,nbj->nbi", base.lower, epsilon)
    log_q = standard_normal_log_prob(epsilon) - base.log_scale.abs().log().sum(-1)
    for step in q.steps if isinstance(q, FlowPosterior) else ():
        z, log_abs_det = step(z, q.context)  # type: ignore[union-attr]
        log_q = log_q - log_abs_det
    joint = torch.cat([model.log_joint(x, part) for part in z.split(rows_at_once(model))])
    return _estimate(joint - log_q)


def _noise(q: Posterior, model: VAE) -> Tensor:
    return q.noise(MAX_SAMPLES, torch.Generator(model.device).manual_seed(SEED))


def _estimate(values: Tensor) -> Estimate:
    mean, se = monte_carlo(values.detach().cpu().double())
    return Estimate(float(mean), float(se))
