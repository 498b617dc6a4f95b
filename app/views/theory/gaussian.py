"""Section 6 of the Theory page: the distributions, and every term of the ELBO."""

import streamlit as st

from app.figures import theory_variables as figures
from app.parts import charts
from app.views.theory import slip_words
from app.views.theory.sheet import Sheet, heading, numbers
from app.views.theory.slip_words import nats
from app.views.theory.subject import Subject
from vae_core.settings.choices import LIKELIHOODS
from vae_core.wording.numbers import typeset

_ASSUMPTIONS = r"""
Which distribution is $q_\phi(z \mid x)$? Nobody may simply choose it. It follows from the noise
$p(\epsilon)$ and from the map $g$. If the map stretches space, the same probability has more room,
so its density falls:

$$
\log q_\phi(z \mid x)
= \log p(\epsilon) - \log \left| \det \frac{\partial z}{\partial \epsilon} \right|. \tag{6}
$$

$\partial z / \partial \epsilon$ is the **Jacobian**, the matrix of all derivatives of $z$ by
$\epsilon$. Its determinant says how much the map stretches.

Take $\epsilon \sim \mathcal N(0, I)$ with $d$ dimensions, and the simplest map with correlations:

$$
z = \mu + C \epsilon, \qquad
C = C_{\text{mask}} \odot C' + \operatorname{diag}(\sigma).
$$

The encoder returns $\mu$, $\log \sigma$ and $C'$. $\odot$ multiplies entry by entry. The mask has
ones below the diagonal and zeros elsewhere. So $C$ is lower triangular, with $\sigma$ on its
diagonal. Then $q$ is a Gaussian with mean $\mu$ and covariance $\Sigma = CC^\top$, whose Cholesky
factor is $C$. Without $C'$ the dimensions of $z$ are independent. That is called **mean-field**.

For the pixels, each one is often 0 or 1 with a probability that the decoder returns. The prior is
chosen freely. Usual is $p(z) = \mathcal N(0, I)$. It is not the distribution of $z$ for one image.
"""
_TERMS = r"""
Now every term can be computed. $C$ is triangular, so its determinant is the product of its
diagonal:

$$
\log \left| \det \frac{\partial z}{\partial \epsilon} \right| = \sum_i \log \sigma_i .
$$

The noise is standard normal:

$$
\log p(\epsilon) = -\sum_i \tfrac12 \bigl(\epsilon_i^2 + \log 2\pi\bigr).
$$

Put both into (6):

$$
\log q_\phi(z \mid x)
= -\sum_i \Bigl[\tfrac12 \bigl(\epsilon_i^2 + \log 2\pi\bigr) + \log \sigma_i\Bigr].
$$

The prior has the same form, at $z$:

$$
\log p(z) = -\sum_i \tfrac12 \bigl(z_i^2 + \log 2\pi\bigr).
$$

For pixels of 0 or 1, with the probabilities $p_i$ from the decoder:

$$
\log p_\theta(x \mid z) = \sum_i \bigl[x_i \log p_i + (1 - x_i) \log (1 - p_i)\bigr].
$$

One draw of the ELBO is then

$$
\log w = \log p_\theta(x \mid z) + \log p(z) - \log q_\phi(z \mid x).
$$
"""


def draw(sheet: Sheet) -> None:
    """Draw the section."""
    heading("6", "Assumptions and calculation", "assumptions")
    heading("6.1", "The distribution that the map makes", "map")
    code = [
        "vae_core.model.posteriors:Path.log_q",
        "vae_core.model.posteriors:GaussianPosterior.scale_tril",
        "vae_core.model.posteriors:GaussianPosterior.path",
    ]
    with sheet.topic("map", _live_map, code):
        st.markdown(_ASSUMPTIONS)
        _change_of_variables()
        sheet.slip(
            "jacobian",
            r"$\log q(z \mid x) = \log p(\epsilon) + \log\lvert\det \partial z / \partial "
            r"\epsilon\rvert$.",
            "with a minus. A map that stretches makes the density lower, not higher.",
            slip_words.plus_jacobian,
        )
        sheet.slip(
            "diagonal",
            r"$C = C_{\text{mask}} \odot C' + \log \sigma$ (the note calls the matrix $L$, like "
            "the number of draws).",
            r"$C = C_{\text{mask}} \odot C' + \operatorname{diag}(\sigma)$. The network returns "
            r"$\log \sigma$, and $\sigma$ belongs on the diagonal.",
            slip_words.log_sigma_diagonal,
        )
    heading("6.2", "Every term of the ELBO", "terms")
    code = [
        "vae_core.model.noise:standard_normal_log_prob",
        "vae_core.model.posteriors:GaussianPosterior.path",
        "vae_core.model.likelihoods.bernoulli:Bernoulli.by_pixel",
        "vae_core.inference.elbo:terms_at",
    ]
    with sheet.topic("terms", _live_terms, code):
        st.markdown(_TERMS)
        sheet.slip(
            "half",
            r"$\log q = -\sum_i \frac12 (\epsilon_i^2 + \log 2\pi + \log \sigma_i)$.",
            r"$\log \sigma_i$ is not halved: $-\sum_i [\frac12 (\epsilon_i^2 + \log 2\pi) + "
            r"\log \sigma_i]$.",
            slip_words.halved,
        )
        sheet.slip(
            "minus",
            r"$\log p(\epsilon) = \sum_i \frac12 (\epsilon_i^2 + \log 2\pi)$, and the same for "
            r"$\log p(z)$ and $\log q(z \mid x)$.",
            "with a minus sign in front of each sum.",
            slip_words.no_minus,
        )


@st.fragment
def _change_of_variables() -> None:
    """Draw the densities of ε and of z = μ + σε, with sliders."""
    st.markdown(
        r"**Try it.** One dimension: $z = \mu + \sigma\epsilon$, so "
        r"$\partial z / \partial \epsilon = \sigma$. Both marked areas hold the same probability."
    )
    first, second, third = st.columns(3, gap="medium")
    mean = first.slider(
        "Mean μ", -3.0, 3.0, 1.0, 0.1, key="theory-map-mean",
        help="Moves the density of z. Its height stays.",
    )  # fmt: skip
    sd = second.slider(
        "Spread σ", 0.3, 2.0, 0.5, 0.05, key="theory-map-sd",
        help="Stretches z. The wider the density, the lower it is.",
    )  # fmt: skip
    at = third.slider(
        "Noise ε", -3.0, 2.5, 0.3, 0.1, key="theory-map-at",
        help="Where the marked strip of ε begins.",
    )  # fmt: skip
    here = figures.heights(sd, at)
    alt = (
        f"Left the density of ε, right the density of z. A strip of ε of width {figures.WIDTH} has "
        f"the width {figures.WIDTH * sd:.2f} in z, and its density is divided by {sd:.2f}."
    )
    charts.chart(figures.change_of_variables(mean, sd, at), "theory-variables", alt)
    st.caption(
        f"At ε = {typeset(at, '.1f')}, z = {typeset(mean + sd * at, '.2f')}: p(ε) = "
        f"{here.noise:.3f}, divided by σ = {sd:.2f} gives q(z) = {here.latent:.3f}. The area under "
        f"q(z) is 1. Under the dashed curve of the slip it is σ² = {sd**2:.2f}, so that is no "
        "density."
    )


def _live_map(subject: Subject) -> None:
    now, about = subject.walk, subject.about
    d = len(about.mean)
    first = [(r"$\mu_1$", f"{typeset(float(about.mean[0]), '.2f')}")]
    first.append((r"$\sigma_1$", f"{about.scale[0, 0]:.2f}"))
    kind = "diagonal" if about.diagonal else "lower triangular"
    moved = slip_words.log_det(now, about)
    numbers(
        [
            *first,
            ("$L$", f"{kind}, {d} × {d}"),
            (r"$\log p(\epsilon)$", nats(slip_words.log_noise(now))),
            (r"$\log\lvert\det \partial z/\partial\epsilon\rvert$", nats(moved)),
            (r"$\log q(z \mid x)$", nats(float(now.log_qz[0]))),
        ]
    )
    st.caption("Of the first draw of ε.")
    subject.link("start", "See the map")
    subject.link("posterior", "See q(z|x) over the true posterior", tab="Posterior")


def _live_terms(subject: Subject) -> None:
    now = subject.walk
    numbers(
        [
            (r"$\log p(x \mid z)$", nats(float(now.log_px_z[0]))),
            (r"$\log p(z)$", nats(float(now.log_pz[0]))),
            (r"$\log q(z \mid x)$", nats(float(now.log_qz[0]))),
            (r"$\log w$", nats(float(now.log_w[0]))),
        ]
    )
    likelihood = LIKELIHOODS[subject.config.likelihood]
    st.caption(
        f"Of the first draw of ε. The decoder of this model returns {likelihood.answer}; its "
        f"likelihood is ${likelihood.formula}$."
    )
    subject.link("start", "See the sum, with another ε")
