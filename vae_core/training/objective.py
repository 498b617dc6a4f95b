"""Training objectives and the estimators of their gradient (note §3 and §4).

The objective is L independent terms log (1/K) Σ_k w_k: the ELBO for K = 1, the IWAE bound of Burda
et al. 2016 for more, with w = p(x|z) (p(z) / q(z|x))^β. All estimators have the same mean, the
gradient of the objective; they differ in their noise. The decoder's gradient is the plain one
throughout.

An estimator returns a value with the *gradient* of the objective. Only for the pathwise estimator
is it also the value of the objective. Axis order: (L·K, B), the K samples of a term next to each
other.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from vae_core.basics.errors import InvalidArgument
from vae_core.inference.elbo import ElboTerms, terms_at
from vae_core.model.posteriors import Path, Posterior
from vae_core.model.vae import VAE
from vae_core.settings.choices import GradientName
from vae_core.settings.config import TrainConfig


@dataclass(frozen=True)
class Draw:
    """Samples of z for a batch of images. Nothing has been evaluated at them yet.

    Attributes:
        path: of the L·K samples.
        inside: K, the samples inside the logarithm.
        kl_weight: a function from the KL at the samples, (1 or L·K, B), to β.
        closed_form: whether the KL may be taken in closed form.
        labels: y, (B,), if the class is observed too.
    """

    model: VAE
    x: Tensor
    q: Posterior
    path: Path
    inside: int
    kl_weight: Callable[[Tensor], Tensor | float]
    closed_form: bool
    labels: Tensor | None = None

    def terms(self, z: Tensor, log_q: Tensor) -> ElboTerms:
        """Every term of the bound at z, (L·K, B, d)."""
        return terms_at(self.model, self.x, self.q, self.path, z, log_q)

    def log_observed(self, terms: ElboTerms) -> Tensor:
        """log p(x|z), or log p(x, y|z) = log p(x|z) + log p(y|z), (L·K, B)."""
        if self.labels is None:
            return terms.log_px_z
        log_py_z = self.model.log_class_probabilities(terms.z)
        chosen = self.labels.expand(len(terms.z), -1)[..., None]
        return terms.log_px_z + log_py_z.gather(-1, chosen)[..., 0]


def check_labels(classes: int, labels: Tensor) -> None:
    """Check that every label is a class of the model, 0 to ``classes`` − 1.

    Raises:
        InvalidArgument: otherwise.
    """
    wrong = labels[(labels < 0) | (labels >= classes)]
    if len(wrong):
        raise InvalidArgument(
            f"The model has the classes 0 to {classes - 1}, but an image has the label "
            f"{int(wrong[0])}. Set the number of classes, or train without classes."
        )


def training_loss(
    model: VAE,
    x: Tensor,
    settings: TrainConfig,
    kl_weight: float | Tensor,
    generator: torch.Generator | None = None,
    labels: Tensor | None = None,
    noise: Tensor | None = None,
) -> tuple[Tensor, ElboTerms]:
    """Loss whose gradient is that of −objective averaged over images, and the terms it is made of.

    Args:
        x: images, (B, C, H, W).
        settings: L, K, free bits, and which estimator.
        kl_weight: β at this step, which KL warm-up keeps below its final value.
        labels: y, (B,). With a class head, the bound is one of log p(x, y); for a conditional
            model it is one of log p(x|y).
        noise: ε, (L·K, B, d); drawn with ``generator`` if it is None.
    """

    def weight(kl: Tensor) -> float | Tensor:
        """β, or 0 where the KL of the batch is within the free bits.

        Kingma et al. 2016, eq. 15, with all dimensions as one group, because the KL of a flow does
        not split by dimension."""
        if not settings.free_bits:
            return kl_weight
        return kl_weight * (kl.detach().mean() > settings.free_bits)

    if labels is not None and labels.device.type == "cpu":  # a GPU would have to be waited for
        check_labels(model.config.classes, labels)
    if model.config.is_conditional and labels is not None:
        model, labels = model.given(labels), None
    q = model.posterior(x)
    if noise is None:
        noise = q.noise(settings.samples * settings.iwae_samples, generator)
    path = q.path(noise)
    closed_form = settings.elbo_form == "kl"
    draw = Draw(model, x, q, path, settings.iwae_samples, weight, closed_form, labels)
    surrogate, terms = GRADIENTS[settings.gradient](draw)
    return -surrogate.mean(), terms


def pathwise(draw: Draw) -> tuple[Tensor, ElboTerms]:
    """Reparameterisation: autograd through z(ε) (Kingma & Welling 2014; Rezende et al. 2014)."""
    terms = draw.terms(draw.path.z, draw.path.log_q)
    return bound(draw, terms), terms


def bound(draw: Draw, terms: ElboTerms) -> Tensor:
    """Value of each of the L terms of the objective, (L, B)."""
    if draw.inside == 1 and draw.closed_form:
        return draw.log_observed(terms) - draw.kl_weight(terms.kl) * terms.kl
    return _log_weights(draw, terms).logsumexp(1) - math.log(draw.inside)


def sticking_the_landing(draw: Draw) -> tuple[Tensor, ElboTerms]:
    """Pathwise gradient without the score of q, whose mean is zero (Roeder et al. 2017, arXiv
    1703.09194).

    Its noise vanishes where q is the true posterior.
    """
    terms = draw.terms(draw.path.z, _log_q_of_fixed_posterior(draw, draw.path.z))
    return _log_weights(draw, terms), terms


def dreg(draw: Draw) -> tuple[Tensor, ElboTerms]:
    """Doubly reparameterised gradient Σ_k w̃_k² ∇_z log w_k ∂z_k/∂φ (Tucker et al. 2019, arXiv
    1810.04152).

    With β in w, q appears as q^−β in it, and the factor is (1 − β) w̃_k + β w̃_k². The decoder's own
    gradient keeps the weights w̃_k. For K = 1 it is sticking the landing.
    """
    z = draw.path.z * 1  # a node of its own, at which the gradient can be scaled
    terms = draw.terms(z, _log_q_of_fixed_posterior(draw, z))
    log_w = _log_weights(draw, terms)
    share = log_w.detach().softmax(1)  # (L, K, B)
    if z.requires_grad:
        beta = draw.kl_weight((terms.log_qz - terms.log_pz).detach())
        factor = 1 - beta + beta * share.flatten(0, 1)[..., None]
        z.register_hook(lambda gradient: gradient * factor)
    return (share * log_w).sum(1), terms


def score_function(draw: Draw, baseline: bool = False) -> tuple[Tensor, ElboTerms]:
    """log w ∇ log q(z|x) at z held fixed (REINFORCE; Williams 1992; note §3).

    Args:
        baseline: subtract from each sample's log w the mean of the others' (leave-one-out; Mnih &
            Rezende 2016, Kool et al. 2019), which keeps the mean and takes most of the noise.
    """
    z, log_q = draw.path.z, draw.path.log_q
    with_z_fixed = log_q - _pulled(z, draw.q.score(draw.path))
    terms = draw.terms(z.detach(), log_q.detach())
    log_w = _log_weights(draw, terms).flatten(0, 1)  # the decoder's part alone has a gradient
    reward = log_w.detach()
    if baseline:
        reward = (reward - reward.mean(0)) * (len(reward) / (len(reward) - 1))
    return log_w + reward * with_z_fixed, terms


def leave_one_out(draw: Draw) -> tuple[Tensor, ElboTerms]:
    """Score function with the leave-one-out baseline, for L ≥ 2."""
    return score_function(draw, baseline=True)


GRADIENTS: dict[GradientName, Callable[[Draw], tuple[Tensor, ElboTerms]]] = {
    "pathwise": pathwise,
    "sticking-the-landing": sticking_the_landing,
    "dreg": dreg,
    "score-function": score_function,
    "score-function-baseline": leave_one_out,
}


def _log_weights(draw: Draw, terms: ElboTerms) -> Tensor:
    """log w with β in it, (L, K, B)."""
    kl_weight = draw.kl_weight(terms.log_qz - terms.log_pz)
    log_w = draw.log_observed(terms) + kl_weight * (terms.log_pz - terms.log_qz)
    return log_w.unflatten(0, (-1, draw.inside))


def _pulled(z: Tensor, score: Tensor) -> Tensor:
    """A term of value zero and gradient score · ∂z, (n, B): the part of ∇ log q that goes through
    z."""
    return ((z - z.detach()) * score).sum(-1)


def _log_q_of_fixed_posterior(draw: Draw, z: Tensor) -> Tensor:
    """log q(z|x) with a gradient through z only, (n, B)."""
    return draw.path.log_q.detach() + _pulled(z, draw.q.score(draw.path))
