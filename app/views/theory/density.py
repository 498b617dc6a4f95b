"""Sections 1 and 2 of the Theory page: from p(x) to the two forms of the ELBO."""

import streamlit as st

from app.parts.readouts import readouts
from app.services.walk_samples import IMPORTANCE_SAMPLES
from app.views.theory import slip_words
from app.views.theory.sheet import Row, Sheet, heading, numbers
from app.views.theory.subject import Subject
from vae_core.settings.choices import LIKELIHOODS, POSTERIORS, PRIORS
from vae_core.wording.numbers import estimate, number, typeset

_QUESTIONS = r"""
An image is a list of $D$ pixel values, $x$. Two questions can be asked about it.

- **Density estimation.** How probable is this image? The answer is $p(x)$, a number for every
  possible image.
- **Classification.** What does the image show? The answer is $p(y \mid x)$, a probability for every
  class $y$.

This page follows the first question. It also leads to the second one. If $p(x \mid y)$ is known for
each class, Bayes' rule gives $p(y \mid x) \propto p(y)\, p(x \mid y)$.

All logarithms on this page are natural. Their unit is the **nat**. One nat more means 2.72 times as
probable.
"""
_LATENT = r"""
A VAE assumes that every image has a hidden cause: a list of $d$ numbers, the **latent** $z$. Two
choices define the model.

- The **prior** $p(z)$ says which $z$ are common.
- The **decoder** is a neural network with weights $\theta$. It turns $z$ into a distribution over
  images, $p_\theta(x \mid z)$.

Their product is easy to compute, for any $x$ and any $z$:

$$
p_\theta(x, z) = p_\theta(x \mid z)\, p(z).
$$

But nobody has seen $z$. For $p(x)$, all $z$ must be added up:

$$
p_\theta(x) = \int p_\theta(x, z)\, dz. \tag{1}
$$

A neural network is inside this integral, so it has no formula. Only special pairs of prior and
decoder have one, for example if both are Gaussian and the decoder is linear. For $d \le 2$ a fine
grid of $z$ can replace the integral. For large $d$ no grid is fine enough.

The same integral hides in Bayes' rule. It gives the **true posterior**, which says what $z$ can be
after $x$ was seen:

$$
p_\theta(z \mid x) = \frac{p_\theta(x, z)}{p_\theta(x)}.
$$

So a VAE replaces the true posterior by an approximation, $q_\phi(z \mid x)$. A second network, the
**encoder** with weights $\phi$, computes it from $x$ at once.
"""
_WEIGHTS = r"""
Draw $z$ from $q_\phi(z \mid x)$, and call the ratio $w = p_\theta(x, z) / q_\phi(z \mid x)$ its
**importance weight**. The mean of $w$ is exactly what we look for:

$$
p_\theta(x) = \int q_\phi(z \mid x)\, \frac{p_\theta(x, z)}{q_\phi(z \mid x)}\, dz
= \mathbb E_{q_\phi(z \mid x)}[w].
$$

$\mathbb E_q$ stands for the mean over draws of $q$. With $K$ draws we get the estimate

$$
\log \hat p(x) = \log \frac1K \sum_{k=1}^K w_k .
$$

On average it is below $\log p(x)$, and it rises with $K$. If $q$ misses a part of the true
posterior, a few draws carry almost all the weight. Two numbers warn of that: a small **ESS**
(effective sample size) and a large **k̂** (the tail of the weights).
"""
_BOUND = r"""
How far is $q$ from the true posterior? The **Kullback–Leibler divergence** measures it:

$$
\mathrm{KL}\bigl(q_\phi(z \mid x) \,\|\, p_\theta(z \mid x)\bigr)
= \mathbb E_q\Bigl[\log \frac{q_\phi(z \mid x)}{p_\theta(z \mid x)}\Bigr].
$$

It is never negative, and it is 0 only if both are equal. Put Bayes' rule into it. $\log p(x)$ does
not depend on $z$, so it comes out of the mean:

$$
\mathrm{KL}\bigl(q_\phi(z \mid x) \,\|\, p_\theta(z \mid x)\bigr)
= \log p_\theta(x)
- \underbrace{\mathbb E_q\bigl[\log p_\theta(x, z) - \log q_\phi(z \mid x)\bigr]}_{\text{ELBO}}
\tag{2}
$$

The left side is at least 0. So the right part, the **ELBO**, is never above $\log p(x)$. Its name
says so: *evidence lower bound*. What it misses is the **gap**. The gap *is* the divergence.

Training changes $\theta$ and $\phi$ so that the ELBO rises. A higher ELBO means a higher
$\log p(x)$, a smaller gap, or both. So the model finds its data more probable, and $q$ comes closer
to the true posterior.
"""
_FORMS = r"""
The ELBO as it stands in (2) is the mean of $\log w$:

$$
\mathcal L_{\theta,\phi}(x)
= \mathbb E_q\bigl[\log p_\theta(x, z) - \log q_\phi(z \mid x)\bigr]. \tag{3}
$$

Now split $\log p(x, z)$ into $\log p(x \mid z) + \log p(z)$. The last two terms form another
divergence, this time to the prior:

$$
\mathcal L_{\theta,\phi}(x)
= \mathbb E_q\bigl[\log p_\theta(x \mid z)\bigr]
- \mathrm{KL}\bigl(q_\phi(z \mid x) \,\|\, p(z)\bigr). \tag{4}
$$

Form (4) is easy to read. The first term asks for a good picture of $x$. The second one is the price
for knowing $z$ better than the prior does. If $q$ and prior are Gaussian, the price has a formula,
and only the first term needs draws. Both forms have the same mean, with different random errors.
"""
_METHODS = """
An encoder is one of many ways to approximate the true posterior.

- **MCMC**, such as Hamiltonian Monte Carlo, moves points until they are draws of p(z|x). It is
  slow, but right in the long run.
- **Mean field** fits a Gaussian with independent dimensions to this one image.
- **Stochastic variational inference** follows random gradients of the ELBO. With the trick of
  section 4, one encoder learns to do it for all images.
- **Normalising flows** (section 7) bend a Gaussian into another shape.
- **Adversarial** methods need no density of q. A second network, the discriminator, estimates it.
- **Exact** answers exist for d ≤ 2 (a grid), and for linear Gaussian models (a formula).
"""


def draw(sheet: Sheet) -> None:
    """Draw both sections."""
    heading("1", "Two questions", "questions")
    with sheet.topic("questions", _live_questions, ["vae_core.model.vae:VAE.posterior"]):
        st.markdown(_QUESTIONS)
    heading("2", "Density estimation", "density")
    heading("2.1", "A latent, and an integral without a formula", "latent")
    code = ["vae_core.model.vae:VAE.log_joint", "vae_core.inference.quadrature:quadrature"]
    with sheet.topic("latent", _live_integral, code):
        st.markdown(_LATENT)
    heading("2.2", "An estimate by weighted draws", "weights")
    code = [
        "vae_core.model.vae:VAE.log_weights",
        "vae_core.inference.importance:RunningDensity.log_px",
        "vae_core.inference.importance:RunningDensity.estimate",
    ]
    with sheet.topic("weights", _live_weights, code):
        st.markdown(_WEIGHTS)
        sheet.slip(
            "ratio",
            r"$p(x) \sim p(x, z) / q(z \mid x)$, for one $z$.",
            r"$p(x)$ is the *mean* of this ratio over draws of $q$. One ratio is a random number.",
            slip_words.one_ratio,
        )
    heading("2.3", "A bound below log p(x)", "bound")
    code = ["vae_core.inference.weights:Weights.elbo", "vae_core.inference.gap:gap"]
    with sheet.topic("bound", _live_bound, code):
        st.markdown(_BOUND)
        sheet.slip(
            "positive",
            'after equation (2): "the last term is always positive".',
            "It is the divergence that is never below 0. The last term is the ELBO, a mean of "
            "logarithms, which is usually negative.",
            slip_words.positive_term,
        )
    heading("2.4", "Two forms of the ELBO", "forms")
    code = [
        "vae_core.inference.elbo:ElboTerms.joint_form",
        "vae_core.inference.elbo:ElboTerms.kl_form",
        "vae_core.model.priors:Prior.kl",
        "vae_core.model.priors:StandardNormal.kl_of_gaussian",
    ]
    with sheet.topic("forms", _live_forms, code):
        st.markdown(_FORMS)
    heading("2.5", "Other ways to the posterior", "methods")
    with sheet.topic("methods", _live_methods, ["vae_core.inference.methods:infer"]):
        st.markdown(_METHODS)


def _live_questions(subject: Subject) -> None:
    config = subject.config
    pixels = config.image_shape[0] * config.image_shape[1] * config.image_shape[2]
    likelihood = LIKELIHOODS[config.likelihood]
    numbers([("image", subject.images.label(subject.index)), ("$D$", f"{pixels:,} pixels")])
    st.caption(f"The decoder of this model returns {likelihood.answer}.")
    subject.link("score", "Score images of yours")
    subject.link("classify", "Classify: three ways to p(y|x)")


def _live_integral(subject: Subject) -> None:
    from app.services import densities

    d = subject.config.latent_size
    rows: list[Row] = [("$d$", str(d)), ("$p(z)$", PRIORS[subject.config.prior].title)]
    known = densities.exact(subject.choice, subject.x)
    if known is not None:
        rows.append((r"$\log p(x)$, exact", number(known[0])))
    else:
        lines = densities.LINES[2]
        points = rf"${lines}^{{{d}}}$"
        rows.append((f"points of a grid with {lines} lines for each of the {d} dimensions", points))
    numbers(rows)
    subject.link("posterior", "See the true posterior", tab="Posterior")


def _live_weights(subject: Subject) -> None:
    about = subject.about
    numbers(
        [
            (r"$\log \hat p(x)$", estimate(about.log_px.mean, about.log_px.se)),
            ("$K$", f"{about.importance_samples:,}"),
            ("ESS", f"{about.ess:,.0f} of {about.importance_samples:,}"),
            (r"$\hat k$", typeset(about.pareto_k, ".2f")),
        ]
    )
    if not about.trusted:
        st.caption("k̂ or ESS says: do not trust log p̂(x). Its error is not known.")
    subject.link("posterior", "See the weights", tab="Weights", samples=f"{IMPORTANCE_SAMPLES:,}")


def _live_bound(subject: Subject) -> None:
    found = {each.name: each for each in readouts(subject.walk, subject.about)}
    rows = [(f"${found[name].symbol}$", found[name].text) for name in ("log-px", "joint", "gap")]
    numbers(rows)
    subject.link("posterior", "Take the gap apart", tab="Gap")
    subject.link("start", "See these numbers arise")


def _live_forms(subject: Subject) -> None:
    found = {each.name: each for each in readouts(subject.walk, subject.about)}
    numbers([(f"${found[name].symbol}$", found[name].text) for name in ("joint", "kl-form", "kl")])
    if subject.about.kl is None:
        st.caption(
            "A flow has no formula for the KL. It is estimated from the same draws, so (4) equals "
            "(3)."
        )
    subject.link("start", "See both forms at work")


def _live_methods(subject: Subject) -> None:
    numbers([(r"$q(z \mid x)$ of this model", POSTERIORS[subject.config.posterior].title)])
    subject.link("posterior", "Compare the methods", tab="Methods")
