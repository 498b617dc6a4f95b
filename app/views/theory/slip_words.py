"""Sentences with a number of the chosen image, which show what a common slip changes."""

import math
from typing import TYPE_CHECKING

import numpy as np

from app.services.walk import walk_of
from app.services.walk_samples import MAX_SAMPLES
from app.views.theory.subject import SEED, Subject
from vae_core.wording.numbers import estimate, number, typeset

if TYPE_CHECKING:
    from app.services.walk_numbers import Reference, Walk

LOG_2PI = math.log(2 * math.pi)


def nats(value: float) -> str:
    """A term of one draw, as the Start page writes it."""
    return f"{typeset(value, '.2f')} nats"


def log_noise(now: "Walk") -> float:
    """log p(ε) of the first draw, in nats."""
    return float(-0.5 * (now.epsilon[0] ** 2 + LOG_2PI).sum())


def log_sigmas(about: "Reference") -> float:
    """Σ log σ_i, the log Jacobian of z_0 = μ + Cε, in nats."""
    return float(np.log(np.diag(about.scale)).sum())


def log_det(now: "Walk", about: "Reference") -> float:
    """log |det ∂z/∂ε| of the first draw, through C and all flow steps, in nats."""
    return log_sigmas(about) + float(now.log_abs_dets[:, 0].sum())


def one_ratio(subject: Subject) -> str:
    """Compare single weights with log p̂(x)."""
    log_w = walk_of(subject.images, subject.index, SEED, MAX_SAMPLES).log_w
    log_px = subject.about.log_px
    return (
        f"one ratio gives log w = **{nats(log_w[0])}** at the first draw. Over {MAX_SAMPLES:,} "
        f"draws it lies between {nats(log_w.min())} and {nats(log_w.max())}. The estimate from the "
        f"mean of {subject.about.importance_samples:,} ratios is "
        f"**{estimate(log_px.mean, log_px.se)}**."
    )


def positive_term(subject: Subject) -> str:
    """Compare the sign of the ELBO with that of the divergence."""
    elbo, gap = subject.walk.joint_form, subject.about.gap(subject.walk.joint_form)
    sign = "negative" if elbo.mean < 0 else "positive, because pixels have densities here"
    return (
        f"the ELBO is **{number(elbo.mean, elbo.se)}**, which is {sign}. The divergence is about "
        f"**{number(gap.mean, gap.se)}**. It cannot be below 0; an estimate of it can, within its "
        "error."
    )


def without_entropy(subject: Subject) -> str:
    """Compare the derivatives of the ELBO with and without the entropy's part."""
    from app.views.theory.numbers import widening

    found = widening(subject.images, subject.index)
    right, wrong, score = (
        number(e.mean, e.se) for e in (found.elbo, found.without_entropy, found.score)
    )
    return (
        f"make q(z|x) wider by a factor eˢ. The derivative of the ELBO by s is **{right}**. "
        f"Without the part of the entropy it would be **{wrong}**: training would make q(z|x) "
        f"{'ever narrower' if found.without_entropy.mean < 0 else 'ever wider'}. What is really 0 "
        f"is the mean of the derivative of log q at fixed z, here {score}."
    )


def log_of_elbo(subject: Subject) -> str:
    """Say what the logarithm of the ELBO would be."""
    elbo = subject.walk.joint_form
    shown = number(elbo.mean, elbo.se)
    if elbo.mean > 0:
        return (
            f"the estimate is **{shown}**; its logarithm, {math.log(elbo.mean):.2f}, means nothing."
        )
    return f"the estimate is **{shown}**. A negative number has no logarithm."


def plus_jacobian(subject: Subject) -> str:
    """Compare log q(z|x) with the Jacobian subtracted and added."""
    now, about = subject.walk, subject.about
    moved = log_det(now, about)
    return (
        f"log |det ∂z/∂ε| is {nats(moved)}. So log q(z|x) of the first draw is "
        f"**{nats(now.log_qz[0])}**, and with a plus **{nats(log_noise(now) + moved)}**. The ELBO "
        f"would be {'lower' if moved > 0 else 'higher'} by **{nats(2 * abs(moved))}**."
    )


def log_sigma_diagonal(subject: Subject) -> str:
    """Compare the ELBO with σ and with log σ on the diagonal of L."""
    from app.views.theory.numbers import elbo_with_log_sigma

    sigma = float(np.diag(subject.about.scale).min())
    wrong = elbo_with_log_sigma(subject.images, subject.index, subject.samples)
    right = subject.walk.joint_form
    return (
        f"the smallest σ is {typeset(sigma, '.3f')}, and its logarithm "
        f"{typeset(math.log(sigma), '.2f')}. The ELBO is **{number(right.mean, right.se)}** "
        f"with σ on the diagonal, and **{number(wrong.mean, wrong.se)}** with log σ."
    )


def halved(subject: Subject) -> str:
    """Compare log q(z|x) with log σ and with half of it."""
    now, sigmas = subject.walk, log_sigmas(subject.about)
    lower = sigmas < 0
    return (
        f"Σ log σ is {nats(sigmas)}. So log q(z|x) of the first draw is **{nats(now.log_qz[0])}**, "
        f"and with half of log σ **{nats(now.log_qz[0] + sigmas / 2)}**. The ELBO would be "
        f"{'higher' if lower else 'lower'} by **{nats(abs(sigmas) / 2)}**."
    )


def no_minus(subject: Subject) -> str:
    """Compare log p(ε) with and without its minus sign."""
    value = log_noise(subject.walk)
    return (
        f"log p(ε) of the first draw is **{nats(value)}**, and without the minus sign "
        f"**{nats(-value)}**. Then noise would be the more probable, the farther it is from 0."
    )
